//! The variables of programs: those of the machine, of the image, and what leads to this service.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use watchkeeper_aws::signing::Credentials;

use crate::api::sts::{self, JobMark};
use crate::context::Context;
use crate::program::image::Place;

/// What programs take from the machine they run on.
const OF_THE_MACHINE: [&str; 8] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "WATCHKEEPER_PYTHON"];

/// Variables of a program, by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// The search path in an unpacked image that does not say another.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A home folder that every program may write to, where the image's own belongs to somebody else.
const HOME: &str = "/opt/ml/tmp";

/// Those of the place where a program runs.
pub(crate) fn of_place(place: &Place) -> Variables {
    match place {
        Place::Machine => of_the_machine(),
        Place::Rootfs(_) => {
            [("PATH", PATH), ("HOME", HOME)].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        }
        Place::Container(_) => Variables::new(),
    }
}

/// Those of the machine.
fn of_the_machine() -> Variables {
    OF_THE_MACHINE.iter().filter_map(|&name| Some((name.to_owned(), std::env::var(name).ok()?))).collect()
}

/// The credentials that a program gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// How long they hold.
    pub(crate) lifetime: SignedDuration,
    /// The job that they are for; none: a model.
    pub(crate) job: Option<JobMark>,
}

/// Where this service is, and how to sign requests to it; without credentials where none are wanted, or the service has none
/// yet.
pub(crate) fn of_the_service(context: &Context, region: &str, credentials: Option<Wanted>) -> Variables {
    let mut variables = Variables::new();
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    set("AWS_REGION", region);
    set("AWS_DEFAULT_REGION", region);
    set("AWS_EC2_METADATA_DISABLED", "true");
    if let Some(url) = context.api_url() {
        set("AWS_ENDPOINT_URL", &url);
    }
    if let Some(credentials) = credentials.and_then(|wanted| issue(context, wanted)) {
        set("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
        set("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
        set("AWS_SESSION_TOKEN", &credentials.session_token.unwrap_or_default());
    }
    variables
}

/// Whether a program brings credentials of its own, whose requests our token would spoil.
pub(crate) fn has_credentials(own: Option<&Variables>) -> bool {
    own.is_some_and(|own| own.contains_key("AWS_ACCESS_KEY_ID"))
}

/// Temporary credentials of the service's own key.
fn issue(context: &Context, Wanted { lifetime, job }: Wanted) -> Option<Credentials> {
    let (own_id, _) = context.job_credentials.get()?;
    let issuer = sts::session_issuer(context)?;
    let expires = context.now().saturating_add(lifetime).ok()?;
    let parent = issuer.parent(own_id);
    Some(job.map_or_else(|| sts::issue(&issuer, parent, expires), |job| job.issue(&issuer, parent, expires)))
}
