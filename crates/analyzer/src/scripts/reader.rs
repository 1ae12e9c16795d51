//! A record preprocessor as the readers of captured data see it.

use watchkeeper_data::{Preprocess, Preprocessed, ScriptFailure};

use super::{Preprocessor, ScriptError};
use crate::Error;

/// A user's script between a reader and the rows it makes.
pub(crate) struct Script<'a>(Preprocessor<'a>);

impl<'a> Script<'a> {
    pub(crate) fn new(preprocessor: Preprocessor<'a>) -> Self {
        Self(preprocessor)
    }

    /// See [`Preprocessor::finish`].
    pub(crate) fn finish(self) -> Result<(), ScriptError> {
        self.0.finish()
    }
}

impl Preprocess for Script<'_> {
    fn process(&mut self, lines: &[&str]) -> Result<Vec<Preprocessed>, ScriptFailure> {
        Ok(self.0.process(lines)?)
    }
}

/// A script's failure has gone through the reader; here it is itself again.
pub(crate) fn unwrap_script_error(error: Error) -> Error {
    match error {
        Error::Data(watchkeeper_data::Error::Preprocessor(failure)) => match failure.downcast() {
            Ok(failure) => Error::Script(*failure),
            Err(failure) => Error::Data(watchkeeper_data::Error::Preprocessor(failure)),
        },
        error => error,
    }
}
