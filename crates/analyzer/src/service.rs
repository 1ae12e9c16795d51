//! The interface of the service, for jobs that have access to it.

use watchkeeper_aws::client::{Client, ClientError};
use watchkeeper_aws::signing::Credentials;
use watchkeeper_formats::ServiceAccess;

/// A client that calls with the job's own credentials.
pub(crate) fn client(access: &ServiceAccess) -> Result<Client, ClientError> {
    let credentials = Credentials {
        access_key_id: access.access_key_id.clone(),
        secret_access_key: access.secret_access_key.clone(),
        session_token: access.session_token.clone(),
    };
    Client::new(&access.endpoint_url, credentials, &access.region)
}
