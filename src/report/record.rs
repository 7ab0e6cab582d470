//! The page of a script's runs, kept on disk.

use super::{Failure, PageRun, ReportError, RunSummary, page};
use crate::file::{self, Keep};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Runs of which details are kept: as many as a page shows in full.
const MOST_DETAILED: usize = 20;

/// The runs of a script, and the page that is written whenever one ends.
#[derive(Debug)]
pub struct RunReport {
    script: String,
    runs: Vec<PageRun>,
    path: Option<PathBuf>,
}

impl RunReport {
    /// The report of the script of this name, still without runs and without a file.
    pub fn new(script: &str) -> Self {
        Self {
            script: script.to_owned(),
            runs: Vec::new(),
            path: None,
        }
    }

    /// Keeps the page in `path` from now on. A file of that name is replaced.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_to(&mut self, path: &Path) -> Result<(), ReportError> {
        self.path = Some(path.to_owned());
        self.write()
    }

    /// Adds a run that ended, and writes the page if it has a file.
    ///
    /// # Errors
    /// If the page cannot be written.
    pub fn add(
        &mut self,
        title: String,
        outcome: Result<RunSummary, Failure>,
    ) -> Result<(), ReportError> {
        self.runs.push(PageRun { title, outcome });
        // Memory must not grow with the number of runs.
        let n_older = self.runs.len().saturating_sub(MOST_DETAILED);
        if let Some(n) = n_older.checked_sub(1) {
            match &mut self.runs[n].outcome {
                Ok(summary) => summary.details = Arc::default(),
                Err(failure) => failure.so_far = None,
            }
        }
        self.write()
    }

    fn write(&self) -> Result<(), ReportError> {
        match &self.path {
            Some(path) => {
                let page = page(&self.script, &self.runs);
                Ok(file::replace(path, page.as_bytes(), Keep::Safely)?)
            }
            None => Ok(()),
        }
    }
}
