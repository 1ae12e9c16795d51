//! The processes that share a store: who there is, where they answer, and up to when what they captured is stored.
//!
//! Each keeps a document of itself and looks at those of the others every few seconds. A process whose document nobody has
//! renewed for a while is not counted any more; it removes its document when it stops, and others remove it when it died.
//!
//! Whoever needs what was captured up to a moment writes that moment down ([`captured`]). Every process that answers requests
//! stores what it has captured and says so in its document; that of one that has died is lost or in its journal, and nobody
//! waits for it for long. A process that has its state in a data directory is alone, and does none of this.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use watchkeeper_aws::Time;
use watchkeeper_store::metadata::{Columns, Kind, Query};

use crate::configuration::Role;
use crate::context::Context;
use crate::control::milliseconds;
use crate::resources::{Error, Resource, Transaction, Versioned};

/// The time between two looks of a process at the others, and two signs of its own.
const LOOK: Duration = Duration::from_secs(5);
/// A process that gave no sign for so long is not counted any more.
const SILENT: SignedDuration = SignedDuration::from_secs(15);
/// The document of one that gave none for so long is removed.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(10);
/// How long what is captured may take to be stored before the process gives its next sign without it.
const LONGEST_FLUSH: Duration = Duration::from_secs(5);
/// The time between two looks at whether others have stored what they captured, where nobody says so.
const CAPTURED_LOOK: Duration = Duration::from_millis(200);
/// How often a change is tried that meets others' changes.
const TRIES: usize = 20;

/// What the documents' keys begin with.
const PREFIX: &str = "processes/";
/// The status of the documents.
const STATUS: &str = "process";

/// A process as the others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its name among those that claim documents.
    pub owner: String,
    /// What it does.
    pub roles: Vec<Role>,
    /// The machine.
    pub host: String,
    /// Where it answers.
    pub endpoint_url: String,
    /// The version of the program.
    pub version: String,
    /// When it was started.
    pub started: Time,
    /// When it gave a sign last.
    pub seen: Time,
    /// What it captured up to this moment is stored.
    pub captured_until: Time,
}

impl Process {
    fn is_counted(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen.0) < SILENT
    }
}

impl Resource for Process {
    const KIND: Kind = Kind::Setting;

    fn key(&self) -> String {
        format!("{PREFIX}{}", self.owner)
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.host.clone(),
            status: STATUS.to_owned(),
            created: self.started.0.as_millisecond(),
            modified: self.seen.0.as_millisecond(),
            ..Columns::default()
        }
    }
}

/// Up to when captures are wanted, a setting. It only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WantedCaptures {
    until: Time,
}

impl WantedCaptures {
    const KEY: &'static str = "captures/wanted";
}

impl Resource for WantedCaptures {
    const KIND: Kind = Kind::Setting;

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }

    fn columns(&self) -> Columns {
        Columns { name: Self::KEY.to_owned(), modified: self.until.0.as_millisecond(), ..Columns::default() }
    }
}

/// What a process knows of the others.
pub struct Processes {
    /// Where a process answers that has the role `api`, where this one has it not.
    api_url: RwLock<Option<String>>,
    /// Changed when a document of processes, or a wish of one, may have changed.
    changes: watch::Sender<()>,
}

impl Default for Processes {
    fn default() -> Self {
        Self { api_url: RwLock::default(), changes: watch::channel(()).0 }
    }
}

impl Processes {
    /// Says that somebody has changed settings.
    pub(crate) fn note_change(&self) {
        self.changes.send_replace(());
    }

    /// Where a process answers AWS's requests, where another than this one has to.
    pub(crate) fn api_url(&self) -> Option<String> {
        self.api_url.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All processes that are counted, the oldest first.
///
/// # Errors
/// The store failed.
pub async fn counted(context: &Context) -> Result<Vec<Process>, Error> {
    if !context.is_shared() {
        return Ok(Vec::new());
    }
    let now = context.now();
    let mut processes: Vec<Process> = all(context).await?.into_iter().map(|found| found.resource).collect();
    processes.retain(|process| process.is_counted(now));
    processes.sort_by(|a, b| (a.started, &a.owner).cmp(&(b.started, &b.owner)));
    Ok(processes)
}

async fn all(context: &Context) -> Result<Vec<Versioned<Process>>, Error> {
    let query = Query { key_prefix: Some(PREFIX.to_owned()), ..Query::default() };
    context.resources.list(&query).await
}

/// Returns when what was captured of an endpoint up to a moment is stored, by this process and by the others. Waits for as long
/// as the caller waits.
pub(crate) async fn captured(context: &Context, endpoint: &str, until: Timestamp) {
    let own = async {
        if let Some(capture) = context.capture.get().and_then(Weak::upgrade) {
            capture.flush(endpoint).await;
        }
    };
    tokio::join!(own, captured_elsewhere(context, until));
}

/// Waits until the other processes have stored what they captured up to a moment.
async fn captured_elsewhere(context: &Context, until: Timestamp) {
    if !context.is_shared() {
        return;
    }
    let until = milliseconds(until).0;
    let mut changes = context.processes.changes.subscribe();
    let mut is_asked_for = false;
    loop {
        match are_captured(context, until).await {
            Ok(true) => return,
            Ok(false) if is_asked_for => {}
            Ok(false) => match want_captures(context, until).await {
                Ok(()) => is_asked_for = true,
                Err(error) => tracing::warn!(%error, "captures of other processes could not be asked for"),
            },
            Err(error) => tracing::warn!(%error, "the other processes could not be looked at"),
        }
        // The sender lives as long as the context.
        let _ = timeout(CAPTURED_LOOK, changes.changed()).await;
    }
}

/// Whether all others that answer requests have stored what they captured up to a moment.
async fn are_captured(context: &Context, until: Timestamp) -> Result<bool, Error> {
    let behind = |process: &Process| {
        process.owner != context.owner && process.roles.contains(&Role::Api) && process.captured_until.0 < until
    };
    Ok(!counted(context).await?.iter().any(behind))
}

async fn want_captures(context: &Context, until: Timestamp) -> Result<(), Error> {
    let wanted = WantedCaptures { until: Time(until) };
    for _ in 0..TRIES {
        let transaction = match context.resources.get::<WantedCaptures>(WantedCaptures::KEY).await? {
            Some(known) if known.resource.until >= wanted.until => return Ok(()),
            Some(known) => Transaction::new().update(&wanted, known.version),
            None => Transaction::new().insert(&wanted),
        };
        match context.resources.commit(transaction).await {
            Err(Error::Conflict { .. }) => {}
            other => return other,
        }
    }
    Ok(())
}

/// Keeps this process's document and looks at those of the others, until the service stops.
pub(crate) async fn run(context: Arc<Context>) {
    let mut stopping = context.stopping.clone();
    let mut changes = context.processes.changes.subscribe();
    let mut presence = Presence::new(Arc::clone(&context));
    let mut failed = false;
    while !*stopping.borrow() {
        match presence.look().await {
            Ok(()) => failed = false,
            // Said once: what else asks the store says so, too.
            Err(error) if !failed => {
                failed = true;
                tracing::warn!(%error, "the other processes cannot be told of this one");
            }
            Err(_) => {}
        }
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => {}
            _ = changes.changed() => {}
            () = sleep(LOOK) => {}
        }
    }
}

/// Removes this process's document: it captures nothing more, and answers nobody.
pub(crate) async fn leave(context: &Context) {
    if !context.is_shared() {
        return;
    }
    let key = format!("{PREFIX}{}", context.owner);
    let left = async {
        let Some(own) = context.resources.get::<Process>(&key).await? else { return Ok(()) };
        context.resources.commit(Transaction::new().delete(&own.resource, own.version)).await
    };
    if let Err(error) = left.await {
        tracing::warn!(%error, "the other processes could not be told that this one has stopped");
    }
}

/// The document of this process, as it keeps it.
struct Presence {
    context: Arc<Context>,
    process: Process,
}

impl Presence {
    fn new(context: Arc<Context>) -> Self {
        let now = milliseconds(context.now());
        let process = Process {
            owner: context.owner.clone(),
            roles: context.configuration.roles.clone(),
            host: host(),
            endpoint_url: context.endpoint_url.get().cloned().unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: now,
            seen: Time(Timestamp::MIN),
            captured_until: now,
        };
        Self { context, process }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let has_stored = self.store_captures().await?;
        let now = self.context.now();
        let since = now.duration_since(self.process.seen.0);
        let is_due = since.is_negative() || since >= SignedDuration::try_from(LOOK).unwrap_or(SILENT);
        if !(has_stored || is_due) {
            return Ok(());
        }
        let all = all(&self.context).await?;
        self.give_sign(now, all.iter().find(|found| found.resource.owner == self.process.owner)).await?;
        self.choose_api(now, &all);
        self.forget_dead(now, &all).await
    }

    /// Stores what was captured where somebody waits for it; whether that was so.
    async fn store_captures(&mut self) -> Result<bool, Error> {
        let context = &self.context;
        if !context.configuration.has_role(Role::Api) {
            return Ok(false);
        }
        let wanted = context.resources.get::<WantedCaptures>(WantedCaptures::KEY).await?;
        if wanted.is_none_or(|wanted| wanted.resource.until <= self.process.captured_until) {
            return Ok(false);
        }
        let now = milliseconds(context.now());
        if let Some(capture) = context.capture.get().and_then(Weak::upgrade)
            && timeout(LONGEST_FLUSH, capture.flush_all()).await.is_err()
        {
            tracing::warn!("what was captured could not be stored in time for another process");
            return Ok(false);
        }
        self.process.captured_until = now;
        Ok(true)
    }

    async fn give_sign(&mut self, now: Timestamp, known: Option<&Versioned<Process>>) -> Result<(), Error> {
        let process = Process { seen: milliseconds(now), ..self.process.clone() };
        let transaction = match known {
            Some(known) => Transaction::new().update(&process, known.version),
            None => Transaction::new().insert(&process),
        };
        self.context.resources.commit(transaction).await?;
        self.process = process;
        Ok(())
    }

    /// Remembers where a process answers, for the programs that this one runs: one of this machine, or the oldest.
    fn choose_api(&self, now: Timestamp, all: &[Versioned<Process>]) {
        let answers = |process: &&Process| process.roles.contains(&Role::Api) && process.is_counted(now);
        let order = |process: &&Process| (process.host != self.process.host, process.started, process.owner.clone());
        let chosen = all.iter().map(|found| &found.resource).filter(answers).min_by_key(order);
        let mut url = self.context.processes.api_url.write().unwrap_or_else(PoisonError::into_inner);
        // Where there is none just now, the last is the most likely one to come back.
        if let Some(chosen) = chosen {
            *url = Some(chosen.endpoint_url.clone());
        }
    }

    async fn forget_dead(&self, now: Timestamp, all: &[Versioned<Process>]) -> Result<(), Error> {
        for Versioned { resource, version } in all {
            if resource.owner == self.process.owner || now.duration_since(resource.seen.0) < FORGOTTEN {
                continue;
            }
            match self.context.resources.commit(Transaction::new().delete(resource, *version)).await {
                Ok(()) | Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The name of this machine.
fn host() -> String {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    name.trim().to_owned()
}
