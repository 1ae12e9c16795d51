//! Pages of lists that are in the order of their keys.
//!
//! A token is the place of the last entry shown, with the list's name before it, in hexadecimal: clients take base64 of
//! JSON for tokens of their own.

use watchkeeper_store::metadata::{Position, Query, SortBy};

use crate::resources::{Resource, Versioned};

/// The query of a page of `size` entries behind a token; none when the token is of no such list.
pub(crate) fn query(list: &str, token: Option<&str>, size: usize) -> Option<Query> {
    let after = match token {
        Some(token) => {
            let key = key_of(list, token)?;
            Some(Position { value: key.clone(), key })
        }
        None => None,
    };
    // One more than is shown tells whether there is another page.
    Some(Query { sort_by: SortBy::Key, after, limit: size + 1, ..Query::default() })
}

/// What is shown of what was found, and the token of the next page.
pub(crate) fn cut<T: Resource>(list: &str, found: Vec<Versioned<T>>, size: usize) -> (Vec<T>, Option<String>) {
    cut_all(list, found.into_iter().map(|found| found.resource).collect(), size, T::key)
}

/// The same for entries of any kind, with the place each has in the list.
pub(crate) fn cut_all<T>(
    list: &str,
    mut found: Vec<T>,
    size: usize,
    place: impl Fn(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let is_last = found.len() <= size;
    found.truncate(size);
    let token = found.last().filter(|_| !is_last).map(|last| token_of(list, &place(last)));
    (found, token)
}

/// The token that continues a list behind a place.
pub(crate) fn token_of(list: &str, key: &str) -> String {
    hex::encode(format!("{list} {key}"))
}

/// The place in a token of a list.
pub(crate) fn key_of(list: &str, token: &str) -> Option<String> {
    let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
    Some(text.strip_prefix(list)?.strip_prefix(' ')?.to_owned())
}

/// How many entries a page has: what was asked for within bounds, else the usual number.
pub(crate) fn size(asked: Option<i32>, usual: i32, most: i32) -> usize {
    asked.unwrap_or(usual).clamp(1, most) as usize
}
