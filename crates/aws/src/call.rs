//! Who calls, where to, and when.

use jiff::Timestamp;

/// What an operation is told beside its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The region of the credential scope; it is in the ARNs of what the call creates.
    pub region: String,
    /// The account, twelve digits.
    pub account: String,
    /// Whose signature the request carries.
    pub access_key_id: String,
    /// What the answer names as its request id.
    pub request_id: String,
    /// The moment the request came in.
    pub now: Timestamp,
}
