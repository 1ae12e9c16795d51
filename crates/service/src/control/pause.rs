//! The pause of all schedules, a setting.

use serde::{Deserialize, Serialize};
use watchkeeper_aws::Time;
use watchkeeper_store::metadata::{Columns, Kind};

use crate::resources::Resource;

/// Whether the ticks of all schedules are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Whether they are.
    pub is_paused: bool,
    /// Since when it is so.
    pub since: Time,
}

impl Pause {
    /// The key of the setting.
    pub const KEY: &'static str = "scheduler/pause";
}

impl Resource for Pause {
    const KIND: Kind = Kind::Setting;

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: Self::KEY.to_owned(),
            status: if self.is_paused { "paused" } else { "running" }.to_owned(),
            modified: self.since.0.as_millisecond(),
            ..Columns::default()
        }
    }
}
