//! What other processes change in the store, and whom here that concerns.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use watchkeeper_store::metadata::Kind;

use super::credentials::AccessKeys;
use super::supervise;
use crate::context::{Context, ring};
use crate::hosting::Hosting;

/// For so long changes gather before anybody is woken for them.
const GATHERING: Duration = Duration::from_millis(20);
/// After so long everybody looks, whether anything was heard or not: what says that something has changed may have been lost.
const LOOK: Duration = Duration::from_secs(30);

/// Rings for what other processes change, until the service stops.
pub(super) fn follow(hosting: &Arc<Hosting>, keys: &Arc<AccessKeys>) -> JoinHandle<()> {
    let (part, keys) = (Arc::clone(hosting), Arc::clone(keys));
    supervise("changes of other processes", &hosting.context, move |context| {
        listen(context, Arc::clone(&part), Arc::clone(&keys))
    })
}

async fn listen(context: Arc<Context>, hosting: Arc<Hosting>, keys: Arc<AccessKeys>) {
    let mut stopping = context.stopping.clone();
    loop {
        let kinds = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            kinds = context.resources.store().changed_elsewhere() => kinds,
            () = tokio::time::sleep(LOOK) => Kind::ALL.to_vec(),
        };
        for kind in kinds {
            tell(&context, &hosting, &keys, kind).await;
        }
        tokio::time::sleep(GATHERING).await;
    }
}

async fn tell(context: &Context, hosting: &Hosting, keys: &AccessKeys, kind: Kind) {
    match kind {
        Kind::MonitoringSchedule | Kind::Execution => ring(&context.scheduler_bell),
        Kind::ProcessingJob => ring(&context.runner_bell),
        Kind::Endpoint | Kind::TransformJob => ring(&context.hosting_bell),
        Kind::AsyncInvocation => hosting.invocations.ring(),
        Kind::AccessKey => {
            if let Err(error) = keys.refresh().await {
                tracing::error!(%error, "the access keys could not be read again after another process changed them");
            }
        }
        Kind::Setting => context.processes.note_change(),
        // Whoever needs these reads them each time.
        Kind::Model
        | Kind::EndpointConfig
        | Kind::JobDefinition
        | Kind::Alert
        | Kind::AlertChange
        | Kind::Alarm
        | Kind::AlarmChange
        | Kind::Dashboard
        | Kind::Repository
        | Kind::EncryptionKey
        | Kind::KeyAlias => {}
    }
}
