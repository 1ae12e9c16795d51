//! Changes of a typed value put back into the JSON that it was read from.
//!
//! A typed value knows less than the JSON had. So what is written is not the value, but the JSON with what has changed between
//! the value as it was read and as it is now: a member that the type does not know is in neither, and stays.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Members that files spell in two ways: as it is written, and otherwise.
const SPELLINGS: [(&str, &str); 2] =
    [("monitoringConfigOverrides", "monitoring_config_overrides"), ("comparison_method", "comparion_method")];

/// Members that tell the elements of a list apart.
const NAMES: [&str; 3] = ["name", "feature_name", "value_or_threshold"];

/// `as_read` with what has changed from `before` to `after`, where `before` is what the types know of `as_read`.
pub(crate) fn merged(as_read: &Value, before: &Value, after: &Value) -> Value {
    if before == after {
        return as_read.clone();
    }
    match (as_read, before, after) {
        (Value::Object(as_read), Value::Object(before), Value::Object(after)) => {
            merged_objects(as_read, before, after).into()
        }
        (Value::Array(as_read), Value::Array(before), Value::Array(after)) if as_read.len() == before.len() => {
            merged_lists(as_read, before, after).into()
        }
        _ => after.clone(),
    }
}

fn merged_objects(
    as_read: &Map<String, Value>,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> Map<String, Value> {
    let mut merged_object = as_read.clone();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        for spelling in spellings(key) {
            merged_object.shift_remove(spelling);
        }
    }
    for (key, after) in after {
        let before = before.get(key);
        if before == Some(after) {
            continue;
        }
        let mut is_there = false;
        for spelling in spellings(key) {
            if let Some(member) = merged_object.get_mut(spelling) {
                *member = before.map_or_else(|| after.clone(), |before| merged(member, before, after));
                is_there = true;
            }
        }
        if !is_there {
            // Not in part: what is absent as a whole may stand for other values than what is absent in an object.
            merged_object.insert(key.clone(), after.clone());
        }
    }
    merged_object
}

fn spellings(key: &str) -> impl Iterator<Item = &str> {
    let other = SPELLINGS.into_iter().find(|(written, _)| *written == key).map(|(_, other)| other);
    std::iter::once(key).chain(other)
}

/// Each element of `after` is merged with the one it was, if it was one. One that is found nowhere may be a changed copy: then it
/// is merged with the first of its name, whatever came of that.
fn merged_lists(as_read: &[Value], before: &[Value], after: &[Value]) -> Vec<Value> {
    let namesake = |after: &Value| {
        let name = NAMES.into_iter().find(|name| after.get(name).is_some_and(Value::is_string))?;
        before.iter().position(|before| before.get(name) == after.get(name))
    };
    let elements = after.iter().zip(former_places(before, after));
    elements
        .map(|(after, former)| match former.or_else(|| namesake(after)) {
            Some(place) => merged(&as_read[place], &before[place], after),
            None => after.clone(),
        })
        .collect()
}

/// Where each element of `after` was in `before`: by name where all have different ones, or renamed in its place. Else unchanged elements are found again,
/// first those that stand where they stood from either end, and changed ones are taken in order where as many went as came.
fn former_places(before: &[Value], after: &[Value]) -> Vec<Option<usize>> {
    for name in NAMES {
        if let (Some(before), Some(after)) = (places_by_name(before, name), places_by_name(after, name)) {
            let mut former = vec![None; after.len()];
            for (name, place) in &after {
                former[*place] = before.get(name).copied();
            }
            if before.len() == after.len() {
                // In the place of a name that is gone stands one that is new: the element was renamed.
                for (_, place) in before.into_iter().filter(|(name, _)| !after.contains_key(name)) {
                    former[place] = former[place].or(Some(place));
                }
            }
            return former;
        }
    }
    let shorter = before.len().min(after.len());
    let head = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let backwards = before.iter().rev().zip(after.iter().rev());
    let tail = backwards.take(shorter - head).take_while(|(before, after)| before == after).count();
    let (before_end, after_end) = (before.len() - tail, after.len() - tail);
    let mut former: Vec<Option<usize>> = (0..head).map(Some).collect();
    former.extend(
        former_places_within(&before[head..before_end], &after[head..after_end]).map(|place| Some(place? + head)),
    );
    former.extend((before_end..before.len()).map(Some));
    former
}

/// [`former_places`] of elements without names that begin and end otherwise than before.
fn former_places_within(before: &[Value], after: &[Value]) -> impl Iterator<Item = Option<usize>> {
    let stays = |place: usize| before.len() == after.len() && before[place] == after[place];
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, element) in before.iter().enumerate().rev().filter(|(place, _)| !stays(*place)) {
        places.entry(element.to_string()).or_default().push(place);
    }
    let found = after
        .iter()
        .enumerate()
        .map(|(place, element)| if stays(place) { Some(place) } else { places.get_mut(&element.to_string())?.pop() });
    let found: Vec<Option<usize>> = found.collect();
    let mut gone: Vec<usize> = places.into_values().flatten().collect();
    gone.sort_unstable();
    let came = found.iter().filter(|place| place.is_none()).count();
    let mut changed = if gone.len() == came { gone } else { Vec::new() }.into_iter();
    found.into_iter().map(move |place| place.or_else(|| changed.next()))
}

/// None unless every element has a name of its own.
fn places_by_name<'a>(elements: &'a [Value], name: &str) -> Option<HashMap<&'a str, usize>> {
    let mut places = HashMap::with_capacity(elements.len());
    for (place, element) in elements.iter().enumerate() {
        if places.insert(element.get(name)?.as_str()?, place).is_some() {
            return None;
        }
    }
    Some(places)
}
