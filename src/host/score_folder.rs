//! The folder in which the logits of a table of scores are made.

use crate::{
    error::Error,
    job::{OutputTarget, Problems},
    score::{self, ScoreOutput},
    sink,
};
use std::path::Path;

/// Checks that no process works in a folder.
///
/// # Errors
/// One does.
pub(super) fn check_idle(folder: &Path) -> Result<(), Error> {
    Ok(sink::check_idle(&logits(folder)?)?)
}

/// Removes what this program keeps in a folder, unless a process works there. What cannot be removed is in nobody's
/// way.
pub(super) fn remove(folder: &Path) {
    let is_link = folder.is_symlink();
    if !is_link && logits(folder).is_ok_and(|target| sink::remove(&target).is_ok()) {
        score::remove_plan(folder);
    }
}

/// The folder of parts with the logits.
pub(super) fn logits(folder: &Path) -> Result<OutputTarget, Problems> {
    OutputTarget::of(&ScoreOutput::logits_in(folder)).map_err(|problem| Problems(vec![problem]))
}
