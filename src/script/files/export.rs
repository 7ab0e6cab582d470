//! The files of an export, looked at before any of them is opened or written.

use super::{ANY_HIDDEN_SIZE, Files, Held, output_claims, sidecars};
use crate::{
    error::Error,
    file::destination,
    host::check_export_of,
    job::{EmbedPlan, ExportPlan, OutputTarget, Problems},
    paths::{Role, check_ours, check_output_place, check_writable},
};
use std::path::Path;

impl Files {
    /// Remembers which columns a run of a rehearsal would have written.
    pub(in crate::script) fn hold(&mut self, output: &Path, plan: &EmbedPlan) {
        let held = Held {
            question: plan.question().clone(),
            has_sequences: plan.options().sequences && keeps_sequences(output),
        };
        self.held.insert(destination(output), held);
    }

    /// Remembers that an output would have been made of another one, with some of its columns.
    pub(super) fn hold_again(&mut self, from: &Path, to: &Path, has: impl Fn(&str) -> bool) {
        let Some(mut held) = self.held.get(&destination(from)).cloned() else {
            return;
        };
        held.question.columns.retain(|column| has(&column.name));
        held.has_sequences &= keeps_sequences(to);
        self.held.insert(destination(to), held);
    }

    /// Checks that the columns which a run of this rehearsal would have written can be exported so.
    ///
    /// # Errors
    /// There is none of that name, or the format has no room for them.
    pub(in crate::script) fn check_columns(&self, plan: &ExportPlan) -> Result<(), Error> {
        match self.held.get(&destination(&plan.from)) {
            Some(held) => check_export_of(plan, &held.question, held.has_sequences),
            None => Ok(()),
        }
    }

    /// Adds the files of an export: the output that it reads, and the file that it writes.
    ///
    /// # Errors
    /// There is no output, or the file cannot be written, or must not be.
    pub(in crate::script) fn export(&mut self, plan: &ExportPlan) -> Result<(), Error> {
        self.check_merged(&plan.from)?;
        self.read(Role::Embeddings, &plan.from)?;
        if self.rehearsed(&plan.from).is_none() && !plan.from.exists() {
            let shown = plan.from.display();
            return Err(Problems::one(
                format!("`{shown}` is not there"),
                Some("check the path, and whether `embed` has written it".to_owned()),
            )
            .into());
        }
        check_output_place(&plan.to)?;
        for path in sidecars(&plan.to) {
            check_writable(&path)?;
        }
        let claims = output_claims(&plan.to);
        self.check(&claims)?;
        let to = plan.to.path.as_path();
        if !plan.options.overwrite && to.exists() && check_ours(Role::Output, to).is_err() {
            return Err(Problems::one(
                format!("`{}` exists", to.display()),
                Some("choose another path, or add `overwrite: true`".to_owned()),
            )
            .into());
        }
        Ok(self.claim(&claims)?)
    }

    /// Remembers that an export of a rehearsal would have written a file.
    pub(in crate::script) fn rehearse_export(&mut self, plan: &ExportPlan) {
        let hidden_size = self.rehearsed(&plan.from).unwrap_or(ANY_HIDDEN_SIZE);
        self.rehearse(&plan.to.path, hidden_size);
        let names = &plan.options.columns;
        self.hold_again(&plan.from, &plan.to.path, |name| {
            names.is_empty() || names.iter().any(|chosen| chosen == name)
        });
    }
}

/// Whether an output of that name has the residues where they are asked for.
fn keeps_sequences(output: &Path) -> bool {
    OutputTarget::of(output).is_ok_and(|target| target.format.has_sequences())
}
