//! What every part of the service is handed.

use std::sync::{Arc, OnceLock, Weak};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use uuid::Uuid;
use watchkeeper_store::backup::Backups;
use watchkeeper_store::keys::KmsKeys;
use watchkeeper_store::logs::Logs;
use watchkeeper_store::objects::Objects;

use crate::configuration::{Configuration, Role};
use crate::control::Stamp;
use crate::hosting::capture::CaptureWriter;
use crate::processes::Processes;
use crate::resources::Resources;

/// A source of moments: the machine's clock in production, a settable one in tests.
pub trait Clock: Send + Sync {
    /// This moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// What every part of the service is handed, behind one `Arc`.
pub struct Context {
    /// The effective configuration.
    pub configuration: Configuration,
    /// The documents: resources, executions, alerts, metrics.
    pub resources: Resources,
    /// Buckets and objects.
    pub objects: Arc<dyn Objects>,
    /// Log groups, streams and events.
    pub logs: Arc<dyn Logs>,
    /// Takes backups of what is kept.
    pub backups: Backups,
    /// Encrypts and decrypts by KMS keys.
    pub kms: KmsKeys,
    /// Where moments come from.
    pub clock: Arc<dyn Clock>,
    /// Rung after every change that may give the scheduler something to do.
    pub scheduler_bell: Notify,
    /// Rung after every change that may give the runner something to do.
    pub runner_bell: Notify,
    /// Rung after every change that may give the hosting of models something to do.
    pub hosting_bell: Notify,
    /// What writes the captures of this process's endpoints, while it runs. Weak, as what it writes to holds this.
    pub capture: OnceLock<Weak<CaptureWriter>>,
    /// True once the service is shutting down.
    pub stopping: watch::Receiver<bool>,
    /// Where this process answers, once it listens.
    pub endpoint_url: OnceLock<String>,
    /// What is known of the processes that share the store.
    pub processes: Processes,
    /// The service's own key, access key id and secret: temporary credentials are made by its secret, and those of jobs
    /// come from it.
    pub job_credentials: OnceLock<(String, String)>,
    /// Name of this process among those that claim documents; new at every start.
    pub owner: String,
}

impl Context {
    /// This moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether other processes may work on the same store.
    pub fn is_shared(&self) -> bool {
        self.configuration.database.url.is_some()
    }

    /// Where AWS's requests are answered: what programs are given as `AWS_ENDPOINT_URL`.
    pub fn api_url(&self) -> Option<String> {
        let own = || self.endpoint_url.get().cloned();
        if self.configuration.has_role(Role::Api) || self.configuration.server.endpoint_url.is_some() {
            return own();
        }
        self.processes.api_url().or_else(own)
    }

    /// The moment, place and identity that a change of state is made with.
    pub fn stamp(&self, region: &str) -> Stamp {
        Stamp {
            now: self.now(),
            region: region.to_owned(),
            account: self.configuration.account.clone(),
            unique: Uuid::new_v4(),
        }
    }
}

/// Rings a bell: whoever waits wakes, and if nobody does, the next who would wait does not.
pub(crate) fn ring(bell: &Notify) {
    bell.notify_waiters();
    bell.notify_one();
}
