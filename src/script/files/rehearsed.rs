//! What a rehearsal would have written, remembered, and looked at instead of files.

use super::Files;
use crate::{
    embeddings::check_columns,
    file::destination,
    hint::Hint,
    host::Outline,
    job::{ExportPlan, MergePlan, Problems},
    script::rehearsed::Rehearsed,
};
use std::{fmt::Display, path::Path};

/// The size of vectors that nobody has looked at.
const ANY_HIDDEN_SIZE: usize = 64;

impl Files {
    /// Remembers that a run of a rehearsal would have written `output`.
    pub(in crate::script) fn rehearse(&mut self, output: &Path, rehearsed: Rehearsed) {
        self.rehearsed.insert(destination(output), rehearsed);
    }

    /// Remembers that an export of a rehearsal would have written a file. Nothing is known of what is exported from a file
    /// that was there before.
    ///
    /// # Errors
    /// What would be in the output cannot be in that file.
    pub(in crate::script) fn rehearse_export(&mut self, plan: &ExportPlan) -> Result<(), Problems> {
        self.rehearse_made(&plan.from, &plan.to.path, |from| from.exported(plan))
    }

    /// Remembers that a merge of a rehearsal would have made an output of another.
    ///
    /// # Errors
    /// What would be in the other cannot be in that file.
    pub(in crate::script) fn rehearse_merge(&mut self, plan: &MergePlan) -> Result<(), Problems> {
        let made = plan.file.as_ref().unwrap_or(&plan.output);
        self.unmerged.remove(&destination(made));
        self.rehearse_made(&plan.output, made, |from| from.merged(plan))
    }

    fn rehearse_made<E: Display + Hint>(
        &mut self,
        from: &Path,
        to: &Path,
        made: impl FnOnce(&Outline) -> Result<Outline, E>,
    ) -> Result<(), Problems> {
        let Some(from) = self.rehearsed.get(&destination(from)).cloned() else {
            self.seen.insert(destination(to));
            return Ok(());
        };
        let outline = self.certain_of(made(&from.outline))?;
        self.rehearse(to, Rehearsed { outline, ..from });
        Ok(())
    }

    /// Checks that one column of vectors can be read of an output that this rehearsal would have written.
    ///
    /// # Errors
    /// It has no such column, or nobody says which of several.
    pub(in crate::script) fn check_columns(
        &mut self,
        path: &Path,
        column: Option<&str>,
    ) -> Result<(), Problems> {
        let Some(Rehearsed { outline, .. }) = self.rehearsed.get(&destination(path)).cloned()
        else {
            return Ok(());
        };
        let shown = path.display().to_string();
        self.certain_of(check_columns(outline.columns(), column, &shown))
    }

    /// The size of the vectors of `path`, if a call of this rehearsal would have written it.
    /// A look ahead reads no embeddings.
    pub(in crate::script) fn rehearsed(&self, path: &Path) -> Option<usize> {
        let place = destination(path);
        let rehearsed = self.rehearsed.get(&place).map(|of| of.hidden_size);
        let is_unknown = self.is_foresight || self.seen.contains(&place);
        rehearsed.or_else(|| is_unknown.then_some(ANY_HIDDEN_SIZE))
    }

    /// Remembers an error that the script has whatever its runs give.
    fn certain_of<T, E: Display + Hint>(&mut self, result: Result<T, E>) -> Result<T, Problems> {
        self.certain(result.map_err(|error| Problems::one(error.to_string(), error.hint())))
    }
}
