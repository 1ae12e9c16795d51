//! Which column of a dataset stands for which feature of a baseline.
//!
//! AWS goes by position: with as many columns as the baseline has features, the first is the first feature, whatever
//! its name. Ours differs where that can only be wrong: when both sides have the same names, in whatever order, the
//! names decide.

use std::collections::{HashMap, HashSet};

use watchkeeper_data::Source;
use watchkeeper_formats::Constraints;

/// The dataset's columns, in the order in which they are written.
pub(crate) struct Arrangement {
    /// For each column its place in the source and the name it is written under.
    pub(crate) columns: Vec<(usize, String)>,
    /// Places of the baseline's features that are not left out.
    pub(crate) features: Vec<usize>,
    /// What the reader of the result should know.
    pub(crate) notes: Vec<String>,
}

/// A column of the source: its place there, its place in the dataset, its name.
#[derive(Clone)]
struct Column {
    place: usize,
    index: usize,
    name: String,
}

/// Arranges the columns that a source has met so far.
///
/// Excluded columns are given by name or by place in the dataset. A name may be the dataset's own or that of the
/// feature that a column stands for, and the feature is left out with its column. A baseline may have been made
/// without these columns, and then has nothing to leave out.
pub(crate) fn arrange(source: &dyn Source, baseline: Option<&Constraints>, excluded: &[String]) -> Arrangement {
    let names = source.names();
    let places = source.order().into_iter().enumerate();
    let all: Vec<Column> = places.map(|(index, place)| Column { place, index, name: names[place].clone() }).collect();
    let is_excluded =
        |index: usize, name: &str| excluded.iter().any(|entry| entry == name || entry.parse() == Ok(index));
    let mut kept = all.clone();
    kept.retain(|column| !is_excluded(column.index, &column.name));
    let Some(baseline) = baseline else { return Arrangement::of(kept, Vec::new(), Vec::new()) };
    let wanted: Vec<&str> = baseline.features.iter().map(|feature| feature.name.as_str()).collect();

    if all.len() == wanted.len() {
        let (columns, notes) = named(&all, &wanted, source.has_own_names());
        let is_kept = |feature: &usize| {
            let column = &columns[*feature];
            !is_excluded(column.index, &column.name) && !is_excluded(column.index, &names[column.place])
        };
        let features: Vec<usize> = (0..wanted.len()).filter(is_kept).collect();
        let columns = features.iter().map(|&feature| columns[feature].clone()).collect();
        return Arrangement::of(columns, features, notes);
    }
    let features: Vec<usize> = if kept.len() == wanted.len() {
        (0..wanted.len()).collect()
    } else {
        (0..wanted.len()).filter(|&feature| !is_excluded(feature, wanted[feature])).collect()
    };
    let wanted: Vec<&str> = features.iter().map(|&feature| wanted[feature]).collect();
    if kept.len() == wanted.len() {
        let (columns, notes) = named(&kept, &wanted, source.has_own_names());
        return Arrangement::of(columns, features, notes);
    }
    let notes = if source.has_own_names() { differing(&kept, &wanted) } else { Vec::new() };
    Arrangement::of(kept, features, notes)
}

impl Arrangement {
    fn of(columns: Vec<Column>, features: Vec<usize>, notes: Vec<String>) -> Self {
        Self { columns: columns.into_iter().map(|column| (column.place, column.name)).collect(), features, notes }
    }
}

/// As many columns as there are names wanted, in the order of those and named after them.
fn named(own: &[Column], wanted: &[&str], has_own_names: bool) -> (Vec<Column>, Vec<String>) {
    if has_own_names && let Some(columns) = by_name(own, wanted) {
        return (columns, Vec::new());
    }
    let mut notes = Vec::new();
    let differing = own.iter().zip(wanted).filter(|(column, wanted)| column.name != **wanted);
    if has_own_names && let Some((column, wanted)) = differing.clone().next() {
        notes.push(format!(
            "{} of {} column names are not the baseline's; columns are compared by position (`{}` is taken for \
             `{wanted}`): is this the baseline of another dataset?",
            differing.count(),
            own.len(),
            column.name,
        ));
    }
    let columns = own.iter().zip(wanted).map(|(column, name)| Column { name: (*name).to_owned(), ..*column });
    (columns.collect(), notes)
}

/// The columns in the baseline's order, when both sides have the same names and none twice.
fn by_name(own: &[Column], wanted: &[&str]) -> Option<Vec<Column>> {
    let mut columns: HashMap<&str, &Column> = own.iter().map(|column| (column.name.as_str(), column)).collect();
    wanted.iter().map(|name| columns.remove(name).cloned()).collect()
}

/// Which names only one side has.
fn differing<'a>(own: &'a [Column], wanted: &[&'a str]) -> Vec<String> {
    let own: Vec<&str> = own.iter().map(|column| column.name.as_str()).collect();
    let only = |names: &[&'a str], others: &[&str]| -> Vec<&'a str> {
        let others: HashSet<&str> = others.iter().copied().collect();
        names.iter().copied().filter(|name| !others.contains(name)).collect()
    };
    let (missing, extra) = (only(wanted, &own), only(&own, wanted));
    let mut notes = Vec::new();
    for (names, what) in
        [(missing, "in the baseline and not in this dataset"), (extra, "in this dataset and not in the baseline")]
    {
        if names.is_empty() {
            continue;
        }
        let shown: Vec<String> = names.iter().take(10).map(|name| format!("`{name}`")).collect();
        let more = if names.len() > 10 { format!(" and {} more", names.len() - 10) } else { String::new() };
        notes.push(format!("columns {what}: {}{more}", shown.join(", ")));
    }
    notes
}
