//! The files of an export, looked at before any of them is opened or written.

use super::{Files, output_claims, sidecars};
use crate::{
    error::Error,
    job::{ExportPlan, Problems},
    paths::{Role, check_ours, check_output_place, check_writable},
};

impl Files {
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
}
