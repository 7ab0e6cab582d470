//! Why a run failed, and how far it came.

use crate::{error::Error, report::RunSummary};
use std::fmt;

/// Why a run failed, and how far it came.
#[derive(Debug)]
pub struct RunFailure {
    /// What ended the run.
    pub error: Error,
    /// The figures of the run until then, if it had begun.
    pub so_far: Option<Box<RunSummary>>,
}

impl fmt::Display for RunFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for RunFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// A failure before anything had begun. Errors of the stations become one, too.
impl<E: Into<Error>> From<E> for RunFailure {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            so_far: None,
        }
    }
}
