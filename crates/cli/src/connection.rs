//! The way from a command to the running service.
//!
//! The service writes its address, and an access key, to its data directory with mode 0600: who can read that folder may
//! use the service.

use std::future::Future;
use std::path::Path;

use anyhow::Context as _;
use watchkeeper_aws::client::Client;
use watchkeeper_service::server::DataDirectory;

/// A signed way to the service that uses a data directory.
pub(crate) struct Connection {
    /// Calls the service, signed with the key of its data directory.
    pub(crate) client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Connection {
    /// The service of a data directory; of the platform's without one.
    pub(crate) fn open(data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let directory = DataDirectory::of(data_dir)?;
        let service = directory.service()?;
        let client = Client::new(&service.endpoint_url, directory.credentials()?, &service.region)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the asynchronous runtime does not start")?;
        Ok(Self { client, runtime })
    }

    /// Waits for a call.
    pub(crate) fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }
}
