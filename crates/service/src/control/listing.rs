//! Pages of lists: what a list request asks the store for, and tokens that continue it.
//!
//! A token holds the position of the last entry that was shown, not a number of entries, so what is created and deleted
//! meanwhile neither repeats nor hides others. It carries a checksum over the operation, every filter, the order and the
//! position: a token of another list, or one that was made up, is refused. It is hexadecimal text, as clients take base64
//! of JSON for tokens of their own.

use std::fmt::Display;

use sha2::{Digest, Sha256};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Document, Position, Query, Range, SortBy};

use crate::resources::{Resource, Versioned};

/// Entries on a page when the request does not say.
const USUAL_PAGE: i32 = 10;
/// The most entries on a page.
const LARGEST_PAGE: i32 = 100;
const CHECKSUM_BYTES: usize = 8;

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    query: Query,
    list: String,
    size: usize,
}

impl Page {
    /// The page that a request asks for; `operation` and the query's conditions and order are what its token belongs to.
    pub fn of_request(
        operation: &str,
        query: Query,
        next_token: Option<&str>,
        max_results: Option<i32>,
    ) -> Result<Self, Error> {
        let size = max_results.unwrap_or(USUAL_PAGE).clamp(1, LARGEST_PAGE) as usize;
        let list = format!("{operation} {:?}", Query { after: None, limit: 0, ..query.clone() });
        let after = next_token.map(|token| position(&list, token)).transpose()?;
        // One more than is shown tells whether there is another page.
        let query = Query { after, limit: size + 1, ..query };
        Ok(Self { query, list, size })
    }

    /// What the store is asked for.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// What is shown of the store's answer, and the token of the next page.
    pub fn cut<T: Resource>(&self, mut found: Vec<Versioned<T>>) -> (Vec<T>, Option<String>) {
        let is_last = found.len() <= self.size;
        found.truncate(self.size);
        let token = found.last().filter(|_| !is_last).map(|last| self.token(&last.resource));
        (found.into_iter().map(|found| found.resource).collect(), token)
    }

    fn token<T: Resource>(&self, last: &T) -> String {
        let document =
            Document { kind: T::KIND, key: last.key(), version: 0, columns: last.columns(), body: String::new() };
        let Position { value, key } = Position::of(&document, self.query.sort_by);
        // Neither names nor keys hold a NUL.
        let position = format!("{value}\0{key}");
        hex::encode([&checksum(&self.list, &position)[..], position.as_bytes()].concat())
    }
}

/// The error for a token that the list has not given out.
pub fn foreign_token() -> Error {
    Error::validation("The NextToken is not one that this list has given out")
}

fn position(list: &str, token: &str) -> Result<Position, Error> {
    let bytes = hex::decode(token).map_err(|_| foreign_token())?;
    let (sum, position) = bytes.split_at_checked(CHECKSUM_BYTES).ok_or_else(foreign_token)?;
    let position = std::str::from_utf8(position).map_err(|_| foreign_token())?;
    if sum != checksum(list, position) {
        return Err(foreign_token());
    }
    let (value, key) = position.split_once('\0').ok_or_else(foreign_token)?;
    Ok(Position { value: value.to_owned(), key: key.to_owned() })
}

fn checksum(list: &str, position: &str) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new().chain_update(list).chain_update([0]).chain_update(position).finalize();
    std::array::from_fn(|index| digest[index])
}

/// Times between two bounds of a request, both excluded.
pub fn range(after: Option<Time>, before: Option<Time>) -> Range {
    Range { after: after.map(|time| time.0.as_millisecond()), before: before.map(|time| time.0.as_millisecond()) }
}

/// A sort key of the wire, whose enumerations differ by list and agree in their words.
pub fn sort_by(key: Option<impl Display>) -> SortBy {
    match key.map(|key| key.to_string()).as_deref() {
        Some("Name") => SortBy::Name,
        Some("Status") => SortBy::Status,
        Some("ScheduledTime") => SortBy::Scheduled,
        _ => SortBy::Created,
    }
}

/// Whether a sort order of the wire is descending, which it is when it was not sent.
pub fn is_descending(order: Option<impl Display>) -> bool {
    order.is_none_or(|order| order.to_string() != "Ascending")
}
