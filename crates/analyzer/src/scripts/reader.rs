//! A record preprocessor as the readers of captured data see it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use watchkeeper_data::{Preprocess, Preprocessed, ScriptFailure};

use super::{Preprocessor, ScriptError};
use crate::{Error, Level, Observer};

/// A user's script between a reader and the rows it makes.
pub(crate) struct Script<'a>(Preprocessor<'a>);

impl<'a> Script<'a> {
    /// Starts the script, if there is one and it applies: it sees captured data alone.
    pub(crate) fn start(
        script: Option<&Path>,
        is_captured: bool,
        (variables, time_limit): (&BTreeMap<String, String>, Duration),
        observer: &'a dyn Observer,
    ) -> Result<Option<Self>, Error> {
        let Some(script) = script else { return Ok(None) };
        if !is_captured {
            observer.log(Level::Warning, "the record preprocessor script is ignored: it applies to captured data only");
            return Ok(None);
        }
        Ok(Some(Self(Preprocessor::start(script, variables, time_limit, observer)?)))
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
