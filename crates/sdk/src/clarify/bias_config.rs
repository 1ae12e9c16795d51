//! Which outcome is good, and whose outcomes are compared.

use serde_json::{Map, Value};

use super::analysis_config::set;
use super::value::{NameOrIndex, Scalar, all};

/// The positive outcome and the facets: the columns whose groups are compared.
///
/// The constructor takes the values of the label that are positive (or the one threshold above which it is), and a facet. The
/// facet's sensitive group is [`facet_values_or_threshold`](Self::facet_values_or_threshold); more facets follow with
/// [`facet_name`](Self::facet_name).
///
/// ```
/// use watchkeeper::clarify::BiasConfig;
///
/// let bias = BiasConfig::new([1], "Gender")
///     .facet_values_or_threshold(["F"])
///     .facet_name("Age")
///     .facet_values_or_threshold([40]);
/// assert_eq!(
///     serde_json::Value::from(bias.get_config()).to_string(),
///     r#"{"label_values_or_threshold":[1],"facet":[{"name_or_index":"Gender","value_or_threshold":["F"]},{"name_or_index":"Age","value_or_threshold":[40]}]}"#,
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BiasConfig {
    label_values_or_threshold: Vec<Scalar>,
    /// Never empty.
    facets: Vec<Facet>,
    group_name: Option<NameOrIndex>,
}

#[derive(Clone, Debug, PartialEq)]
struct Facet {
    name: NameOrIndex,
    values_or_threshold: Option<Vec<Scalar>>,
}

impl Facet {
    fn new(name: impl Into<NameOrIndex>) -> Self {
        Self { name: name.into(), values_or_threshold: None }
    }
}

impl BiasConfig {
    /// The positive values of the label, or the threshold of a numeric one, and the first facet.
    pub fn new(
        label_values_or_threshold: impl IntoIterator<Item = impl Into<Scalar>>,
        facet_name: impl Into<NameOrIndex>,
    ) -> Self {
        Self {
            label_values_or_threshold: all(label_values_or_threshold),
            facets: vec![Facet::new(facet_name)],
            group_name: None,
        }
    }

    /// One more facet.
    #[must_use]
    pub fn facet_name(mut self, facet_name: impl Into<NameOrIndex>) -> Self {
        self.facets.push(Facet::new(facet_name));
        self
    }

    /// The sensitive group of the facet that was named last: values, or the one threshold above which it begins. Without it,
    /// each value of the facet is a group in turn.
    #[must_use]
    pub fn facet_values_or_threshold(mut self, values: impl IntoIterator<Item = impl Into<Scalar>>) -> Self {
        if let Some(facet) = self.facets.last_mut() {
            facet.values_or_threshold = Some(all(values));
        }
        self
    }

    /// The column of groups for conditional demographic disparity.
    #[must_use]
    pub fn group_name(mut self, group_name: impl Into<NameOrIndex>) -> Self {
        self.group_name = Some(group_name.into());
        self
    }

    /// This part of `analysis_config.json`.
    pub fn get_config(&self) -> Map<String, Value> {
        let facets: Vec<_> = self
            .facets
            .iter()
            .map(|facet| {
                let mut config = Map::new();
                set(&mut config, "name_or_index", Some(&facet.name));
                set(&mut config, "value_or_threshold", facet.values_or_threshold.as_ref());
                config
            })
            .collect();
        let mut config = Map::new();
        set(&mut config, "label_values_or_threshold", Some(&self.label_values_or_threshold));
        set(&mut config, "facet", Some(&facets));
        set(&mut config, "group_variable", self.group_name.as_ref());
        config
    }
}
