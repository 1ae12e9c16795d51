//! The classes of a multiclass classification: which texts and numbers are one, their order, and what is odd about them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use watchkeeper_formats::ConfusionMatrix;
use watchkeeper_formats::number::java_double;

use super::cells::{list, quoted};
use super::interpreter::Side;
use crate::column::CellKind;

/// Every whole number below is a double of its own.
const WHOLE_LIMIT: f64 = 9_007_199_254_740_992.0;

/// Spellings that are looked up instead of being read again. Only a data set that spells a class in endless ways has more.
const MOST_SPELLINGS: usize = 1 << 16;

/// Spellings, and groups of classes that are alike, to be shown.
const MOST_EXAMPLES: usize = 16;

/// Classes in the order in which they were met.
#[derive(Default)]
pub(super) struct Classes {
    known: Vec<Class>,
    ids: HashMap<String, u32>,
    /// The class of each spelling, by kind of cell.
    spellings: [HashMap<Box<[u8]>, u32>; 3],
    /// Spellings that are not the name of their class, with it.
    other_spellings: Vec<(String, u32)>,
}

struct Class {
    name: String,
    /// The number that the name stands for, where a spelling of it has the form of one; infinite beyond all doubles.
    number: Option<f64>,
    /// Whether it was predicted, whether it is a label.
    is_in: [bool; 2],
}

/// Classes in the order of the files.
pub(super) struct ClassOrder {
    pub(super) names: Vec<String>,
    pub(super) ids: Vec<u32>,
}

/// There are more classes than a matrix can show.
pub(super) struct TooManyClasses;

/// Whether a cell has no class: blank, or not a number in any spelling, or a number beyond all doubles.
#[inline]
pub(super) fn has_no_class(kind: CellKind, text: &[u8]) -> bool {
    let text = text.trim_ascii();
    match kind {
        CellKind::Boolean => false,
        CellKind::Text if text.len() > 4 => false,
        CellKind::Text => match text {
            [] => true,
            [b'+' | b'-', word @ ..] | word => word.eq_ignore_ascii_case(b"nan"),
        },
        // Shorter ones are finite.
        CellKind::Number if text.len() < 5 => text.is_empty(),
        CellKind::Number => super::cells::number(kind, text).is_none(),
    }
}

impl Class {
    /// Numbers that are one double are told apart by their digits: they are whole ones, without zeros in front.
    fn by_number(&self, other: &Self) -> Ordering {
        let [left, right] = [self, other].map(|class| class.number.unwrap_or_default());
        let digits = |name: &str| name.split_once('.').map_or(name.len(), |(whole, _)| whole.len());
        let by_digits = || {
            let by_magnitude = (digits(&self.name), &self.name).cmp(&(digits(&other.name), &other.name));
            if left < 0.0 { by_magnitude.reverse() } else { by_magnitude }
        };
        left.total_cmp(&right).then_with(by_digits)
    }
}

impl Classes {
    /// The class of a cell that has one, and that it was met on a side.
    #[inline]
    pub(super) fn class_of(&mut self, side: Side, kind: CellKind, text: &[u8]) -> Result<u32, TooManyClasses> {
        let id = match self.spellings[place(kind)].get(text) {
            Some(&id) => id,
            None => self.class_of_new_spelling(kind, text)?,
        };
        self.known[id as usize].is_in[usize::from(side == Side::Label)] = true;
        Ok(id)
    }

    #[cold]
    fn class_of_new_spelling(&mut self, kind: CellKind, text: &[u8]) -> Result<u32, TooManyClasses> {
        let trimmed = String::from_utf8_lossy(text.trim_ascii());
        let (name, number) = name(kind, &trimmed);
        let id = match self.ids.get(&name) {
            Some(&id) => {
                let known = &mut self.known[id as usize].number;
                *known = known.or(number);
                id
            }
            None => self.add_class(&name, number)?,
        };
        let is_new = || self.other_spellings.iter().all(|(spelling, _)| *spelling != trimmed);
        if name != trimmed && self.other_spellings.len() < MOST_EXAMPLES && is_new() {
            self.other_spellings.push((trimmed.into_owned(), id));
        }
        let spellings = &mut self.spellings[place(kind)];
        if spellings.len() < MOST_SPELLINGS {
            spellings.insert(text.into(), id);
        }
        Ok(id)
    }

    fn add_class(&mut self, name: &str, number: Option<f64>) -> Result<u32, TooManyClasses> {
        if self.known.len() == ConfusionMatrix::MAX_CLASSES {
            return Err(TooManyClasses);
        }
        let id = self.known.len() as u32;
        self.known.push(Class { name: name.to_owned(), number, is_in: [false; 2] });
        self.ids.insert(name.to_owned(), id);
        Ok(id)
    }

    fn are_numbers(&self) -> bool {
        self.known.iter().all(|class| class.number.is_some())
    }

    /// By number where all classes are numbers, and otherwise by the code points of their names.
    pub(super) fn order(&self) -> ClassOrder {
        let mut ids: Vec<u32> = (0..self.known.len() as u32).collect();
        let class = |id: &u32| &self.known[*id as usize];
        if self.are_numbers() {
            ids.sort_by(|left, right| class(left).by_number(class(right)));
        } else {
            ids.sort_by(|left, right| class(left).name.cmp(&class(right).name));
        }
        ClassOrder { names: ids.iter().map(|id| class(id).name.clone()).collect(), ids }
    }

    /// How labels were read, and what about them may not be meant.
    pub(super) fn notes(&self) -> Vec<String> {
        let order = self.order();
        let kind = if self.are_numbers() { "numbers" } else { "texts" };
        let count = order.names.len();
        let classes = if count == 1 { "class" } else { "classes" };
        let mut notes = vec![format!("{count} {classes}, read as {kind}: {}", list(&order.names))];
        let only_in = |side: usize| -> Vec<&str> {
            let classes = order.ids.iter().map(|&id| &self.known[id as usize]);
            classes
                .filter(|class| class.is_in[side] && !class.is_in[1 - side])
                .map(|class| class.name.as_str())
                .collect()
        };
        for (names, what) in
            [(only_in(0), "predicted, but never a label"), (only_in(1), "a label, but never predicted")]
        {
            if !names.is_empty() {
                notes.push(format!("{what}: {}", list(&names)));
            }
        }
        for (spelling, id) in &self.other_spellings {
            let name = &self.known[*id as usize].name;
            notes.push(format!("{} was read as class {}", quoted(spelling.as_bytes()), quoted(name.as_bytes())));
        }
        notes.extend(self.look_alikes());
        notes
    }

    /// Classes that differ in letter case only, or in how a number is written.
    fn look_alikes(&self) -> Vec<String> {
        let mut by_letters: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut by_number: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
        for class in &self.known {
            by_letters.entry(class.name.to_lowercase()).or_default().push(&class.name);
            let number = class.number.or_else(|| super::cells::number(CellKind::Text, class.name.as_bytes()));
            // Beyond, texts of one double may still be of different numbers.
            if let Some(number) = number.filter(|number| number.abs() < WHOLE_LIMIT) {
                by_number.entry((number + 0.0).to_bits()).or_default().push(&class.name);
            }
        }
        let same_letters = by_letters.into_values().map(|names| (names, "letter case"));
        let same_number = by_number.into_values().map(|names| (names, "how the number is written"));
        let mut groups = same_letters.chain(same_number).filter(|(names, _)| names.len() > 1);
        let shown = groups.by_ref().take(MOST_EXAMPLES).map(|(mut names, what)| {
            names.sort_unstable();
            format!("{} differ in {what} only, and count as different classes", list(&names))
        });
        let mut notes: Vec<String> = shown.collect();
        let more = groups.count();
        if more > 0 {
            notes.push(format!("{more} more groups of classes differ as little"));
        }
        notes
    }
}

fn place(kind: CellKind) -> usize {
    match kind {
        CellKind::Text => 0,
        CellKind::Number => 1,
        CellKind::Boolean => 2,
    }
}

/// The name of the class that a cell without blanks around it is of, and its number: numbers of one value have one name, texts that
/// do not look like a number are their own.
fn name(kind: CellKind, text: &str) -> (String, Option<f64>) {
    let own = |number| (text.to_owned(), number);
    if kind == CellKind::Boolean || kind == CellKind::Text && !is_plain_number(text) {
        return own(None);
    }
    let beyond_all_doubles = if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
    let number = super::cells::number(kind, text.as_bytes()).unwrap_or(beyond_all_doubles);
    if number.is_finite() && number.fract() != 0.0 {
        return (java_double(number), Some(number));
    }
    if number == 0.0 {
        return ("0".to_owned(), Some(0.0));
    }
    let is_whole_text = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if number.abs() >= WHOLE_LIMIT && (kind == CellKind::Text || is_whole_text) {
        return own(Some(number));
    }
    (format!("{number:.0}"), Some(number))
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`
fn is_plain_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(are_digits)
}
