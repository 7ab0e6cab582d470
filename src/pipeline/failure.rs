//! A run that failed, and how far it came.

use crate::{error::Error, event::Kept, report::RunSummary};
use std::fmt;

/// Why a run failed, and how far it came.
#[derive(Debug)]
pub struct RunFailure {
    /// What ended it.
    pub error: Error,
    /// Its figures until then, if it had begun.
    pub so_far: Option<Box<RunSummary>>,
    /// What is kept of its output.
    pub kept: Option<Box<Kept>>,
}

impl<E: Into<Error>> From<E> for RunFailure {
    /// The failure of a run that had not begun.
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            so_far: None,
            kept: None,
        }
    }
}

impl fmt::Display for RunFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}
