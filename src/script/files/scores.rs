//! The files of scores, looked at before any of them is opened or written.

use super::Files;
use crate::{
    error::Error,
    fasta,
    job::{Mutants, Problem, Problems, ScorePlan, ScoreQuestion},
    paths::{Claim, Role, check_ours, check_writable},
};

impl Files {
    /// Adds the files of scores: what they are made of, the table, and what lies beside it.
    ///
    /// # Errors
    /// An input cannot be found, or a file cannot be written or must not be.
    pub(in crate::script) fn scores(&mut self, plan: &ScorePlan) -> Result<(), Error> {
        let mut claims = Vec::new();
        if let ScoreQuestion::Mutants(Mutants::Table(table), _) = &plan.question {
            claims.push(Claim::new(Role::Input, &table.path));
        }
        let sources = plan.question.sources();
        if !sources.is_empty() {
            let inputs = fasta::resolve(&sources)?;
            let claim =
                |input: &fasta::Input| Claim::new(Role::Input, &input.path).named(&input.name);
            claims.extend(inputs.iter().map(claim));
        }
        let (note, rejects) = (plan.note(), plan.rejects());
        let written = [
            (Role::Output, plan.output.as_path()),
            (Role::ScoreNote, &note),
            (Role::Rejects, &rejects),
        ];
        for (role, path) in written {
            check_writable(path)?;
            claims.push(Claim::new(role, path).by_option("output"));
        }
        let kept = Claim::new(Role::Parts, &plan.kept_folder());
        claims.push(kept.with_contents().by_option("output"));
        self.check(&claims)?;
        check_ours(Role::ScoreNote, &note)?;
        check_ours(Role::Rejects, &rejects)?;
        // What this program wrote may be what is asked for. That shows when the model is known.
        let may_stay = plan.run.resume && note.exists();
        if plan.output.exists() && !plan.run.overwrite && !may_stay {
            return Err(Error::Plan(Problems(vec![Problem {
                message: format!("`output` is {}, which exists", plan.output.display()),
                hint: Some("choose another path, or add `overwrite: true`".to_owned()),
                option: Some("output".to_owned()),
            }])));
        }
        Ok(self.claim(&claims)?)
    }
}
