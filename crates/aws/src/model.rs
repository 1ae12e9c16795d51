//! What the service models say, as data: which operations a service has, how their inputs and outputs are built, and
//! within which limits. Validation and the protocols that need types (query, CBOR) walk these; `generated` fills them.

use std::sync::OnceLock;

use regex::Regex;

/// One service.
#[derive(Debug)]
pub struct ServiceModel {
    /// The name of its trait: `SageMaker`, `Logs`, ...
    pub name: &'static str,
    /// The version of the interface, a date; the query protocol asks for it.
    pub version: &'static str,
    /// The service in the scope of a signature.
    pub signing_name: &'static str,
    /// What stands before the operation in `X-Amz-Target`; empty where there is no such header.
    pub target_prefix: &'static str,
    /// The namespace of XML answers; empty where there are none.
    pub xml_namespace: &'static str,
    /// The code of the error that answers a request outside the limits.
    pub validation_code: &'static str,
    /// Its operations.
    pub operations: &'static [Operation],
    /// Its modelled errors.
    pub errors: &'static [ErrorModel],
}

impl ServiceModel {
    /// The operation of that name.
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// The modelled error that has this code, as the shape's name or else as the query protocol's, which several may share.
    pub fn error(&self, code: &str) -> Option<&'static ErrorModel> {
        let by_shape = self.errors.iter().find(|error| error.shape == code);
        by_shape.or_else(|| self.errors.iter().find(|error| error.code == code))
    }
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// Its input; none where it takes nothing.
    pub input: Option<&'static Shape>,
    /// Its output; none where the answer is empty.
    pub output: Option<&'static Shape>,
}

/// An error that the model of a service names.
#[derive(Debug)]
pub struct ErrorModel {
    /// The shape's name, which JSON and CBOR send as the code.
    pub shape: &'static str,
    /// The code of the query protocol: the shape's name where the model has no other.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
}

/// How a value is built. A limit that the model does not set is `None`.
#[derive(Debug)]
pub enum Shape {
    /// Named members.
    Structure {
        /// The shape's name.
        name: &'static str,
        /// In the model's order.
        members: &'static [Member],
    },
    /// A list.
    List {
        /// What it holds.
        member: &'static Shape,
        /// How many of them.
        size: Limits,
    },
    /// A map from texts.
    Map {
        /// The shape of its keys.
        key: &'static Shape,
        /// The shape of its values.
        value: &'static Shape,
        /// How many entries.
        size: Limits,
    },
    /// A text.
    Text {
        /// How many characters.
        length: Limits,
        /// What it has to match.
        pattern: Option<&'static Pattern>,
        /// What it may be; empty where it is free.
        values: &'static [&'static str],
    },
    /// A 32-bit whole number.
    Integer(Limits),
    /// A 64-bit whole number.
    Long(Limits),
    /// A double.
    Double(Limits),
    /// True or false.
    Boolean,
    /// A moment.
    Time,
    /// Bytes, and how many.
    Blob(Limits),
    /// Whatever came: no rule of ours.
    Opaque,
}

/// A lower and an upper limit, both inclusive.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// At least.
    pub minimum: Option<i64>,
    /// At most.
    pub maximum: Option<i64>,
}

impl Limits {
    /// No limit.
    pub const NONE: Self = Self { minimum: None, maximum: None };
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether it has to be there.
    pub required: bool,
    /// How it is built.
    pub shape: &'static Shape,
    /// Where REST requests and answers have it.
    pub location: Location,
}

/// Where a member is in HTTP. All but REST have everything in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the body.
    Body,
    /// A header of that name.
    Header(&'static str),
    /// A label of the path.
    Path,
    /// The status of the answer.
    Status,
}

/// A pattern of a model, compiled when it is first needed.
#[derive(Debug)]
pub struct Pattern {
    /// As the model has it, and as messages show it.
    pub text: &'static str,
    /// What has to match: the same in the notation of the `regex` crate.
    expression: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// A pattern and its expression, anchored where the service anchors it.
    pub const fn new(text: &'static str, expression: &'static str) -> Self {
        Self { text, expression, compiled: OnceLock::new() }
    }

    /// Whether the text fits. A pattern that does not compile refuses nothing; a test compiles them all.
    pub fn matches(&self, text: &str) -> bool {
        self.regex().is_none_or(|regex| regex.is_match(text))
    }

    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(self.expression).ok()).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use crate::generated::{cloudwatch, ecr, iam, kms, logs, runtime, sagemaker, sts};

    #[test]
    fn every_pattern_compiles() {
        let all = [
            cloudwatch::PATTERNS,
            ecr::PATTERNS,
            iam::PATTERNS,
            kms::PATTERNS,
            logs::PATTERNS,
            runtime::PATTERNS,
            sagemaker::PATTERNS,
            sts::PATTERNS,
        ];
        let broken = all.into_iter().flatten().filter(|pattern| pattern.regex().is_none());
        let broken: Vec<_> = broken.map(|pattern| (pattern.text, pattern.expression)).collect();
        assert!(broken.is_empty(), "{broken:#?}");
    }
}
