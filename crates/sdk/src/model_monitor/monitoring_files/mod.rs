//! The files that monitors read and write, as values: Python's `sagemaker.model_monitor.monitoring_files`.
//!
//! One type for the three kinds, [`ModelMonitoringFile`], whose parameter says what the file is: [`Statistics`], [`Constraints`],
//! [`ConstraintViolations`]. It holds the JSON as it was read beside the typed value, so that nothing is lost when the file is
//! saved again.

mod reading;
mod saving;
mod source;

use serde_json::{Value, json};
use watchkeeper_aws::types::S3Uri;

use crate::documents::{
    self, Analysis, Body, ConstraintsBody, DataQualityConstraints, DataQualityStatistics, ModelQualityConstraints,
    ModelQualityStatistics, StatisticsBody, Violation, ViolationsBody,
};
use crate::{Error, Result, Session};

pub use reading::{FromFilePath, FromS3Uri, FromString};
pub use saving::Save;
pub use source::{ConstraintsSource, FileSource, StatisticsSource};

/// `statistics.json`: what a dataset looks like, or what a model's predictions are worth.
pub type Statistics = ModelMonitoringFile<StatisticsBody>;

/// `constraints.json`: what a baseline expects; of the Clarify monitors `analysis.json`.
pub type Constraints = ModelMonitoringFile<ConstraintsBody>;

/// `constraint_violations.json`: where a dataset or a model departs from its baseline.
pub type ConstraintViolations = ModelMonitoringFile<ViolationsBody>;

/// A JSON file of a monitor and its place in S3.
///
/// ```no_run
/// # async fn run(session: &watchkeeper::Session) -> Result<(), Box<dyn std::error::Error>> {
/// use watchkeeper::model_monitor::Constraints;
///
/// let mut constraints = Constraints::from_s3_uri(session, "s3://bucket/baseline/constraints.json".parse()?).await?;
/// for feature in &mut constraints.data_quality_mut()?.features {
///     feature.completeness = Some(0.95);
/// }
/// constraints.set_monitoring(false, "customer_id")?;
/// constraints.save().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ModelMonitoringFile<B: Body> {
    session: Session,
    file_s3_uri: S3Uri,
    kms_key: Option<String>,
    /// The document before edits of `body`.
    as_read: Value,
    body: B,
    /// Whether `body` was lent for changes.
    is_edited: bool,
    /// Whether it was changed since it was read or saved.
    is_unsaved: bool,
}

impl<B: Body> ModelMonitoringFile<B> {
    /// A document that is, or is to be, at `file_s3_uri`. Sends nothing; [`Self::save`] does.
    pub fn new(session: &Session, body_dict: Value, file_s3_uri: S3Uri) -> Self {
        Self {
            session: session.clone(),
            file_s3_uri,
            kms_key: None,
            body: B::read(&body_dict),
            as_read: body_dict,
            is_edited: false,
            is_unsaved: false,
        }
    }

    /// The same with the key that [`Self::save`] encrypts with.
    #[must_use]
    pub fn with_kms_key(mut self, kms_key: impl Into<String>) -> Self {
        self.kms_key = Some(kms_key.into());
        self
    }

    /// Where the file is, and where it is saved.
    pub fn file_s3_uri(&self) -> &S3Uri {
        &self.file_s3_uri
    }

    /// The key that the file is encrypted with when it is saved.
    pub fn kms_key(&self) -> Option<&str> {
        self.kms_key.as_deref()
    }

    /// What the file says, typed.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// What the file says, typed, to be changed; [`Self::save`] writes the changes, and with them what the types do not know.
    pub fn body_mut(&mut self) -> &mut B {
        self.is_edited = true;
        self.is_unsaved = true;
        &mut self.body
    }

    /// What the file says, as JSON: all members that were read, with the changes made to the typed value.
    pub fn body_dict(&self) -> Value {
        if !self.is_edited {
            return self.as_read.clone();
        }
        let (before, after) = (B::read(&self.as_read).to_value(), self.body.to_value());
        match (before, after) {
            (Some(before), Some(after)) => documents::merged(&self.as_read, &before, &after),
            (None, Some(after)) => after,
            (_, None) => self.as_read.clone(),
        }
    }

    /// Another document in the place of this one.
    pub fn set_body_dict(&mut self, body_dict: Value) {
        self.body = B::read(&body_dict);
        self.as_read = body_dict;
        self.is_edited = false;
        self.is_unsaved = true;
    }

    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Document { place: self.file_s3_uri.to_string(), reason: reason.into() }
    }
}

/// The typed value as one of its variants, or why it is none.
macro_rules! variants {
    ($body:ident: $($(#[$doc:meta])* $variant:ident($value:ty) as $name:ident, $name_mut:ident, $wanted:literal;)+) => {
        impl ModelMonitoringFile<$body> {
            /// Why the file is not what is asked for.
            fn not_that(&self, wanted: &str) -> Error {
                self.wrong(match &self.body {
                    $body::Other { reason } => reason.clone(),
                    $($body::$variant(_) if $wanted != wanted => format!("is not {wanted} but {}", $wanted),)+
                    _ => format!("is not {wanted}"),
                })
            }
            $(
            $(#[$doc])*
            ///
            /// # Errors
            /// The file is something else, and what is seen of that.
            pub fn $name(&self) -> Result<&$value> {
                match &self.body {
                    $body::$variant(value) => Ok(value),
                    _ => Err(self.not_that($wanted)),
                }
            }

            $(#[$doc])*
            /// To be changed.
            ///
            /// # Errors
            /// The file is something else, and what is seen of that.
            pub fn $name_mut(&mut self) -> Result<&mut $value> {
                // Looked at first: a body that is handed out to be changed counts as changed.
                if !matches!(self.body, $body::$variant(_)) {
                    return Err(self.not_that($wanted));
                }
                match self.body_mut() {
                    $body::$variant(value) => Ok(value),
                    _ => unreachable!("its variant was just looked at"),
                }
            }
            )+
        }
    };
}

variants! { StatisticsBody:
    /// What a dataset looks like, column by column.
    DataQuality(DataQualityStatistics) as data_quality, data_quality_mut, "statistics of data quality";
    /// What a model's predictions are worth.
    ModelQuality(ModelQualityStatistics) as model_quality, model_quality_mut, "statistics of model quality";
}

variants! { ConstraintsBody:
    /// What is expected of each column.
    DataQuality(DataQualityConstraints) as data_quality, data_quality_mut, "constraints of data quality";
    /// A threshold for each metric.
    ModelQuality(ModelQualityConstraints) as model_quality, model_quality_mut, "constraints of model quality";
    /// An `analysis.json` of Clarify.
    Clarify(Analysis) as clarify, clarify_mut, "an analysis of Clarify";
}

variants! { ViolationsBody:
    /// The violations in the order found.
    Violations(Vec<Violation>) as violations, violations_mut, "a list of violations";
}

impl Constraints {
    /// Switches the checks of all features, or of one, on or off, as 2.257.7 of the Python SDK does. Nothing is saved.
    ///
    /// ```no_run
    /// # fn run(mut constraints: watchkeeper::model_monitor::Constraints) -> watchkeeper::Result<()> {
    /// constraints.set_monitoring(true, None)?;
    /// constraints.set_monitoring(false, "customer_id")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The file has no constraints of features, or none of a feature of that name.
    pub fn set_monitoring<'a>(
        &mut self,
        enable_monitoring: bool,
        feature_name: impl Into<Option<&'a str>>,
    ) -> Result<()> {
        let flag = if enable_monitoring { "Enabled" } else { "Disabled" };
        let mut document = self.body_dict();
        match feature_name.into() {
            None => self.set_monitoring_of_all(&mut document, flag)?,
            Some(name) => self.set_monitoring_of_feature(&mut document, flag, name)?,
        }
        self.set_body_dict(document);
        Ok(())
    }
    fn set_monitoring_of_all(&self, document: &mut Value, flag: &str) -> Result<()> {
        let config = document.as_object_mut().and_then(|document| match document.get(CONFIG) {
            Some(Value::Object(_)) => document.get_mut(CONFIG),
            // Every setting has a default, so that a file may lack them.
            _ if matches!(self.body, ConstraintsBody::DataQuality(_)) => {
                document.insert(CONFIG.to_owned(), json!({}));
                document.get_mut(CONFIG)
            }
            _ => None,
        });
        let config = config.ok_or_else(|| self.wrong(format!("has no {CONFIG}")))?;
        config[FLAG] = flag.into();
        Ok(())
    }

    fn set_monitoring_of_feature(&self, document: &mut Value, flag: &str, name: &str) -> Result<()> {
        let features = document.get_mut("features").and_then(Value::as_array_mut);
        let features = features.ok_or_else(|| self.wrong("has no features"))?;
        let mut is_found = false;
        for feature in features.iter_mut().filter(|feature| feature.get("name").is_some_and(|own| own == name)) {
            is_found = true;
            if !feature[OVERRIDES].is_object() {
                feature[OVERRIDES] = json!({});
            }
            feature[OVERRIDES][FLAG] = flag.into();
            // The documented spelling wins over the one that Python writes.
            if let Some(flag_of_documented) = feature.pointer_mut("/monitoringConfigOverrides/evaluate_constraints") {
                *flag_of_documented = flag.into();
            }
        }
        let no_feature = || format!("{} has no feature {name}", self.file_s3_uri);
        if is_found { Ok(()) } else { Err(Error::argument("feature_name", no_feature())) }
    }
}

const CONFIG: &str = "monitoring_config";
const OVERRIDES: &str = "monitoring_config_overrides";
const FLAG: &str = "evaluate_constraints";
