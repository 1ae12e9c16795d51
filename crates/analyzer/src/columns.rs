//! Which column of a dataset stands for which feature of a baseline.
//!
//! AWS goes by position: with as many columns as the baseline has features, the first is the first feature, whatever
//! its name. Ours differs where that can only be wrong: when both sides have the same names, in whatever order, the
//! names decide.

use watchkeeper_data::Source;
use watchkeeper_formats::Constraints;

/// The dataset's columns, in the order in which they are written.
pub(crate) struct Arrangement {
    /// For each column its place in the source and the name it is written under.
    pub(crate) columns: Vec<(usize, String)>,
    /// What the reader of the result should know.
    pub(crate) notes: Vec<String>,
}

/// Leaves out excluded columns (names or places), from the baseline's features as well.
pub(crate) fn without_excluded(constraints: &mut Constraints, excluded: &[String]) {
    let mut place = 0;
    constraints.features.retain(|feature| {
        let keep = !is_excluded(excluded, place, &feature.name);
        place += 1;
        keep
    });
}

fn is_excluded(excluded: &[String], place: usize, name: &str) -> bool {
    excluded.iter().any(|entry| entry == name || entry.parse() == Ok(place))
}

/// Arranges the columns that a source has met so far.
pub(crate) fn arrange(source: &dyn Source, baseline: Option<&Constraints>, excluded: &[String]) -> Arrangement {
    let names = source.names();
    let own: Vec<(usize, String)> = source
        .order()
        .into_iter()
        .map(|place| (place, names[place].clone()))
        .enumerate()
        .filter(|(index, (_, name))| !is_excluded(excluded, *index, name))
        .map(|(_, column)| column)
        .collect();
    let Some(baseline) = baseline else { return Arrangement { columns: own, notes: Vec::new() } };
    let wanted: Vec<&str> = baseline.features.iter().map(|feature| feature.name.as_str()).collect();
    if own.len() != wanted.len() {
        let notes = if source.has_own_names() { differing(&own, &wanted) } else { Vec::new() };
        return Arrangement { columns: own, notes };
    }
    if source.has_own_names()
        && let Some(columns) = by_name(&own, &wanted)
    {
        return Arrangement { columns, notes: Vec::new() };
    }
    let mut notes = Vec::new();
    if source.has_own_names() {
        let differing: Vec<_> = own.iter().zip(&wanted).filter(|((_, name), wanted)| name != **wanted).collect();
        if let Some(((_, name), wanted)) = differing.first() {
            notes.push(format!(
                "{} of {} column names are not the baseline's; columns are compared by position (`{name}` is taken for \
                 `{wanted}`): is this the baseline of another dataset?",
                differing.len(),
                own.len(),
            ));
        }
    }
    let columns = own.into_iter().zip(&wanted).map(|((place, _), name)| (place, (*name).to_owned())).collect();
    Arrangement { columns, notes }
}


/// The columns in the baseline's order, when both sides have the same names and none twice.
fn by_name(own: &[(usize, String)], wanted: &[&str]) -> Option<Vec<(usize, String)>> {
    let mut places: std::collections::HashMap<&str, usize> =
        own.iter().map(|(place, name)| (name.as_str(), *place)).collect();
    wanted.iter().map(|name| Some((places.remove(name)?, (*name).to_owned()))).collect()
}

/// Which names only one side has.
fn differing(own: &[(usize, String)], wanted: &[&str]) -> Vec<String> {
    let has = |name: &str| own.iter().any(|(_, own)| own == name);
    let missing: Vec<&str> = wanted.iter().copied().filter(|name| !has(name)).collect();
    let extra: Vec<&str> =
        own.iter().map(|(_, name)| name.as_str()).filter(|name| !wanted.contains(name)).collect();
    let mut notes = Vec::new();
    for (names, what) in [(missing, "in the baseline and not in this dataset"), (extra, "in this dataset and not in the baseline")] {
        if names.is_empty() {
            continue;
        }
        let shown: Vec<String> = names.iter().take(10).map(|name| format!("`{name}`")).collect();
        let more = if names.len() > 10 { format!(" and {} more", names.len() - 10) } else { String::new() };
        notes.push(format!("columns {what}: {}{more}", shown.join(", ")));
    }
    notes
}
