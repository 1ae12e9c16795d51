//! Counts of rows by true and predicted class. Of thousands of classes they are millions, of which there is never a second copy.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lenient;

/// Counts of rows by true and predicted class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// The classes, in the order of the file.
    pub classes: Vec<String>,
    /// A row for each true class, in it a count for each predicted class.
    pub counts: Vec<Vec<u64>>,
}

impl ConfusionMatrix {
    /// A matrix has a cell for each pair of classes; with more classes it would be of no use to anyone.
    pub const MAX_CLASSES: usize = 4096;
}

/// In the file an object for each true class, in it a count for each predicted class.
impl Serialize for ConfusionMatrix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_map(Some(self.classes.len()))?;
        for (class, counts) in self.classes.iter().zip(&self.counts) {
            rows.serialize_entry(class, &MatrixRow { classes: &self.classes, counts })?;
        }
        rows.end()
    }
}

struct MatrixRow<'a> {
    classes: &'a [String],
    counts: &'a [u64],
}

impl Serialize for MatrixRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.classes.iter().zip(self.counts))
    }
}

/// Classes in the order in which they are met, true ones first; cells that are not there count nothing. Of a class or cell that is
/// there twice the last one counts.
impl<'de> Deserialize<'de> for ConfusionMatrix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MatrixVisitor)
    }
}

const EXPECTED: &str = "an object with a member for each class";

struct MatrixVisitor;

impl<'de> Visitor<'de> for MatrixVisitor {
    type Value = ConfusionMatrix;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ConfusionMatrix, A::Error> {
        let mut met = MetClasses::default();
        // By number of the class, as the rows and their cells are.
        let mut rows: Vec<Option<Vec<u64>>> = Vec::new();
        let mut order = Vec::new();
        while let Some(class) = map.next_key_seed(ClassNumber(&mut met))? {
            let row = map.next_value_seed(RowOf(&mut met))?;
            rows.resize(rows.len().max(class + 1), None);
            if rows[class].replace(row).is_none() {
                order.push(class);
            }
        }
        rows.resize(met.names.len(), None);
        order.extend((0..rows.len()).filter(|&class| rows[class].is_none()));
        let is_in_order = order.is_sorted();
        let counts = order.iter().map(|&class| {
            let mut row = rows[class].take().unwrap_or_default();
            row.resize(order.len(), 0);
            if is_in_order { row } else { order.iter().map(|&predicted| row[predicted]).collect() }
        });
        let counts = counts.collect();
        let classes = order.iter().map(|&class| std::mem::take(&mut met.names[class])).collect();
        Ok(ConfusionMatrix { classes, counts })
    }
}

/// Classes by name, numbered in the order in which they are met.
#[derive(Default)]
struct MetClasses {
    numbers: HashMap<String, usize>,
    names: Vec<String>,
}

/// Reads the name of a class.
struct ClassNumber<'a>(&'a mut MetClasses);

impl<'de> DeserializeSeed<'de> for ClassNumber<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for ClassNumber<'_> {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a class")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<usize, E> {
        let MetClasses { numbers, names } = self.0;
        if let Some(&number) = numbers.get(name) {
            return Ok(number);
        }
        if names.len() == ConfusionMatrix::MAX_CLASSES {
            return Err(E::custom(format!("more than {} classes", ConfusionMatrix::MAX_CLASSES)));
        }
        numbers.insert(name.to_owned(), names.len());
        names.push(name.to_owned());
        Ok(names.len() - 1)
    }
}

/// Reads the counts of a true class, by number of the predicted one.
struct RowOf<'a>(&'a mut MetClasses);

impl<'de> DeserializeSeed<'de> for RowOf<'_> {
    type Value = Vec<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u64>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowOf<'_> {
    type Value = Vec<u64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<u64>, A::Error> {
        let mut row = Vec::with_capacity(self.0.names.len());
        while let Some(class) = map.next_key_seed(ClassNumber(self.0))? {
            row.resize(row.len().max(class + 1), 0);
            row[class] = map.next_value::<lenient::Count>()?.0;
        }
        Ok(row)
    }
}
