//! The files of contacts and of attention.

use super::{Files, check_file};
use crate::{
    error::Error,
    job::{AttentionPlan, Problems},
    paths::{Claim, Role, check_writable},
};
use std::path::Path;

impl Files {
    /// Adds the file of attention maps.
    ///
    /// # Errors
    /// It cannot be written, or is there and is not to be replaced.
    pub(in crate::script) fn attention(&mut self, plan: &AttentionPlan) -> Result<(), Error> {
        let Some(output) = plan.output.as_deref() else {
            return Ok(());
        };
        if !plan.overwrite && output.exists() {
            let message = format!("`output` is {}, which exists", output.display());
            let hint = "choose another path, or add `overwrite: true`".to_owned();
            return Err(Problems::one(message, Some(hint)).into());
        }
        let claim = Claim::new(Role::AttentionMaps, output);
        self.written(claim, Role::AttentionMaps, output)
    }

    /// Adds a table of contacts. One that is there looks like anybody's, so nothing but `overwrite` has it replaced.
    ///
    /// # Errors
    /// As [`made_of_output`](Self::made_of_output), or it is there and is not to be replaced.
    pub(in crate::script) fn contact_table(
        &mut self,
        from: &Path,
        to: &Path,
        overwrite: bool,
    ) -> Result<bool, Error> {
        let is_rehearsed = self.read_output(from, Role::ContactTable, to)?;
        if !overwrite && to.exists() {
            let message = format!("`{}` exists", to.display());
            let hint = "choose another path, or add `#{ overwrite: true }`".to_owned();
            return Err(Problems::one(message, Some(hint)).into());
        }
        check_writable(to)?;
        self.claim(&[Claim::new(Role::ContactTable, to)])?;
        Ok(is_rehearsed)
    }

    /// Adds an output that is read, and a file that is made of it. Says whether the output is one that a run of this
    /// rehearsal would have written.
    ///
    /// # Errors
    /// The one is not whole, or the other cannot be written, or must not be.
    pub(in crate::script) fn made_of_output(
        &mut self,
        from: &Path,
        role: Role,
        to: &Path,
    ) -> Result<bool, Error> {
        let is_rehearsed = self.read_output(from, role, to)?;
        self.written(Claim::new(role, to), role, to)?;
        Ok(is_rehearsed)
    }

    fn read_output(&mut self, from: &Path, role: Role, to: &Path) -> Result<bool, Error> {
        self.check_whole(from)?;
        self.read(Role::Embeddings, from)?;
        self.certain(check_file(to).and_then(|()| check_ending(role, to)))?;
        Ok(self.rehearsed(from).is_some())
    }
}

/// Checks that a file has the ending of what is written to it.
fn check_ending(role: Role, path: &Path) -> Result<(), Problems> {
    let (ending, format) = match role {
        Role::ContactMap => ("svg", "pictures of contacts are written as SVG"),
        _ => ("csv", "tables of contacts are written as CSV"),
    };
    match path.extension() {
        Some(found) if found.eq_ignore_ascii_case(ending) => Ok(()),
        _ => Err(Problems::one(
            format!("`{}` does not end with `.{ending}`", path.display()),
            Some(format!(
                "{format}: name it `{}`",
                path.with_extension(ending).display()
            )),
        )),
    }
}
