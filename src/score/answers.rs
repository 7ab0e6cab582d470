//! The logits of planned copies, in the order of the plan.

use super::{copy::Copy, error::ScoreError, probabilities::LogProbabilities};
use crate::{alphabet::VOCABULARY_SIZE, cancel::CancelToken, embeddings::LogitRows};
use std::path::Path;

/// Reads the logits of planned copies, one after the other.
pub(super) struct Answers {
    rows: Option<LogitRows>,
    /// Those of the copy at hand: of its masked site, or of all of its residues.
    logits: Vec<f32>,
    cancel: CancelToken,
}

impl Answers {
    /// Those in a folder of parts, until somebody tells to stop.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn open(folder: &Path, cancel: &CancelToken) -> Result<Self, ScoreError> {
        Ok(Self {
            rows: Some(LogitRows::open(folder)?),
            cancel: cancel.clone(),
            ..Self::none()
        })
    }

    /// Those of nothing.
    pub(super) fn none() -> Self {
        Self {
            rows: None,
            logits: Vec::new(),
            cancel: CancelToken::default(),
        }
    }

    /// Goes on to the next row, and gives its id.
    fn next_id(&mut self) -> Result<Option<String>, ScoreError> {
        let Some(rows) = &mut self.rows else {
            return Ok(None);
        };
        Ok(rows.next(&mut self.logits)?)
    }

    /// Goes on to the next copy, which must be this one.
    ///
    /// # Errors
    /// It is not, cannot be read, or somebody tells to stop.
    pub(super) fn next(&mut self, protein: u64, copy: &Copy<'_>) -> Result<(), ScoreError> {
        ScoreError::unless_stopped(&self.cancel)?;
        let id = copy.id(protein);
        let n_sites = match copy.is_masked {
            true => 1,
            false => copy.window.len(),
        };
        match self.next_id()? {
            Some(found) if found != id => Err(ScoreError::Conservation(format!(
                "the logits of `{found}` stand where those of `{id}` should be"
            ))),
            Some(_) if self.logits.len() != n_sites * VOCABULARY_SIZE => {
                Err(ScoreError::Conservation(format!(
                    "`{id}` has {} logits instead of {n_sites} times {VOCABULARY_SIZE}",
                    self.logits.len()
                )))
            }
            Some(_) => Ok(()),
            None => Err(ScoreError::Conservation(format!(
                "there are no logits of `{id}`"
            ))),
        }
    }

    /// The log-probabilities at a site of the copy at hand.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn at(&self, copy: &Copy<'_>, site: usize) -> Result<LogProbabilities, ScoreError> {
        let row = match copy.is_masked {
            true => 0,
            false => site.saturating_sub(copy.window.start),
        };
        let logits = self.logits.chunks_exact(VOCABULARY_SIZE).nth(row);
        let found = logits.and_then(LogProbabilities::of);
        found.ok_or_else(|| {
            ScoreError::Conservation(format!("there are no logits of site {}", site + 1))
        })
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// There are more logits than copies.
    pub(super) fn finish(mut self) -> Result<(), ScoreError> {
        match self.next_id()? {
            Some(id) => Err(ScoreError::Conservation(format!(
                "the logits of `{id}` are one too many"
            ))),
            None => Ok(()),
        }
    }
}
