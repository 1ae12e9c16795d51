//! Pages of a listing.

use super::ObjectInfo;

/// What to list. The entries of a listing are objects and, where there is a delimiter, common prefixes: each key that
/// has the delimiter behind the prefix is represented by its beginning up to and with the first such delimiter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListObjects {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with; may be empty.
    pub prefix: String,
    /// What common prefixes end with; an empty one is none.
    pub delimiter: Option<String>,
    /// Only entries (keys, common prefixes) that are greater than this as bytes.
    pub start_after: Option<String>,
    /// The most entries. With 0 the page is empty, and is the last.
    pub limit: usize,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects in the order of their keys.
    pub objects: Vec<ObjectInfo>,
    /// The common prefixes in their order.
    pub prefixes: Vec<String>,
    /// The last entry of this page, where there are more: give it as `start_after`.
    pub next: Option<String>,
}
