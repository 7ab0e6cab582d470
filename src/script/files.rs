//! The files that a script names, looked at before any of them is opened or written.

use super::host::Record;
use crate::{
    error::Error,
    fasta,
    job::{Dataset, EmbedOptions, Problem, Problems, SweepPlan, check_file_name, rejects_beside},
    monitor,
    paths::{Claim, PathError, Register, Role, check_ours, check_target, destination},
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The files of a script. Whatever it asks for is refused here, by `runner exec` and `runner check`
/// alike, if it would destroy something.
pub(super) struct Files {
    register: Register,
    is_rehearsal: bool,
    /// Outputs that runs of a rehearsal would have written, and the size of their vectors.
    rehearsed: HashMap<PathBuf, usize>,
    n_sweeps: usize,
}

impl Files {
    /// No files yet, but for those that standard output and standard error go to.
    pub(super) fn new(is_rehearsal: bool) -> Self {
        let mut files = Self {
            register: Register::default(),
            is_rehearsal,
            rehearsed: HashMap::new(),
            n_sweeps: 0,
        };
        for (descriptor, name) in [(1, "standard output"), (2, "standard error")] {
            let path = PathBuf::from(format!("/proc/self/fd/{descriptor}"));
            if path.metadata().is_ok_and(|found| found.is_file()) {
                let claim = Claim::new(Role::Printed, &path).named(name);
                // Both may go to one file, which is nobody's business.
                let _ = files.register.claim(&[claim]);
            }
        }
        files
    }

    /// Adds a file that is read.
    ///
    /// # Errors
    /// The script has it written.
    pub(super) fn read(&mut self, role: Role, path: &Path) -> Result<(), Problems> {
        self.register.claim(&[Claim::new(role, path)])
    }

    /// Adds files of a model.
    ///
    /// # Errors
    /// The script has one of them written.
    pub(super) fn model(&mut self, files: &[PathBuf]) -> Result<(), Problems> {
        let claim = |path: &PathBuf| Claim::new(Role::ModelFile, path);
        let claims: Vec<_> = files.iter().map(claim).collect();
        self.register.claim(&claims)
    }

    /// Adds the sources of a dataset, as far as they name files by themselves. What patterns match is
    /// found when a run begins.
    ///
    /// # Errors
    /// The script has one of them written.
    pub(super) fn sources(&mut self, sources: &[String]) -> Result<(), Problems> {
        let is_plain = |source: &&String| !source.contains(['*', '?', '[', '{']);
        let claim = |source: &String| match source.as_str() {
            "-" => Claim::new(Role::Input, Path::new("/proc/self/fd/0")).named("-"),
            source => Claim::new(Role::Input, Path::new(source)),
        };
        let claims: Vec<_> = sources.iter().filter(is_plain).map(claim).collect();
        self.register.claim(&claims)
    }

    /// Adds a file that runs write about themselves.
    ///
    /// # Errors
    /// It cannot be written, or must not be.
    pub(super) fn record(&mut self, record: Record, path: &Path) -> Result<(), Error> {
        check_file(path)?;
        if record == Record::Metrics {
            monitor::check_ending(path)?;
        }
        self.written(Claim::new(record.role(), path), record.role(), path)
    }

    /// Adds the files of a run: its inputs, its output, and the list of its rejected records.
    ///
    /// # Errors
    /// An input cannot be found, or a file cannot be written or must not be.
    pub(super) fn run(&mut self, dataset: &Dataset, options: &EmbedOptions) -> Result<(), Error> {
        let inputs = fasta::resolve(&dataset.sources)?;
        let mut claims: Vec<_> = inputs
            .iter()
            .map(|input| Claim::new(Role::Input, &input.path).named(&input.name))
            .collect();
        if let Some(output) = &options.output {
            let rejects = rejects_beside(output);
            claims.push(Claim::new(Role::Output, output).by_option("output"));
            claims.push(Claim::new(Role::Rejects, &rejects).by_option("output"));
            self.register.check(&claims)?;
            self.check_output(output, &rejects, options.overwrite)?;
        }
        Ok(self.register.claim(&claims)?)
    }

    /// Remembers that a run of a rehearsal would have written `output` with such vectors.
    pub(super) fn rehearse(&mut self, output: &Path, hidden_size: usize) {
        self.rehearsed.insert(destination(output), hidden_size);
    }

    /// The size of the vectors of `path`, if a run of this rehearsal would have written it.
    pub(super) fn rehearsed(&self, path: &Path) -> Option<usize> {
        self.rehearsed.get(&destination(path)).copied()
    }

    /// Adds the files in which a sweep keeps its table, and gives the sweep a number.
    ///
    /// # Errors
    /// They cannot be written, or must not be.
    pub(super) fn sweep(&mut self, plan: &SweepPlan) -> Result<usize, Error> {
        self.n_sweeps += 1;
        let sweep = self.n_sweeps;
        for path in plan.files() {
            let claim = Claim::new(Role::SweepTable, &path)
                .of(sweep)
                .by_option("folder");
            self.written(claim, Role::SweepTable, &path)?;
        }
        Ok(sweep)
    }

    /// Adds a file that the sweep of this number writes because the script says so.
    ///
    /// # Errors
    /// It cannot be written, or must not be.
    pub(super) fn table(&mut self, sweep: usize, role: Role, path: &Path) -> Result<(), Error> {
        check_file(path)?;
        self.written(Claim::new(role, path).of(sweep), role, path)
    }

    fn written(&mut self, claim: Claim, role: Role, path: &Path) -> Result<(), Error> {
        check_target(path)?;
        self.register.check(std::slice::from_ref(&claim))?;
        check_ours(role, path)?;
        if [Role::Report, Role::Plot].contains(&role) {
            check_page(path)?;
        }
        Ok(self.register.claim(&[claim])?)
    }

    /// Refuses an output that cannot be written, or that is there and is not to be replaced.
    fn check_output(&self, output: &Path, rejects: &Path, overwrite: bool) -> Result<(), Error> {
        for path in [output, rejects] {
            check_target(path).map_err(|error| match error {
                PathError::Plan(mut problems) => {
                    for problem in &mut problems.0 {
                        problem.option = Some("output".to_owned());
                    }
                    problems.into()
                }
                error @ PathError::File(_) => Error::from(error),
            })?;
        }
        if overwrite {
            return Ok(());
        }
        let is_rehearsed = self.is_rehearsal && self.rehearsed(output).is_some();
        let shown = output.display();
        let message = if is_rehearsed {
            format!("`output` is {shown}, which an earlier run of this script writes")
        } else if output.exists() {
            format!("`output` is {shown}, which exists")
        } else if rejects.exists() {
            format!(
                "`output` is {shown}, and its list {} exists",
                rejects.display()
            )
        } else {
            return Ok(());
        };
        Err(Error::Plan(Problems(vec![Problem {
            message,
            hint: Some("choose another path, or add `overwrite: true`".to_owned()),
            option: Some("output".to_owned()),
        }])))
    }
}

/// As [`check_file_name`], with one problem as all problems.
fn check_file(path: &Path) -> Result<(), Problems> {
    check_file_name(path).map_err(|problem| Problems(vec![problem]))
}

/// Refuses a page whose name says that it is something else.
fn check_page(path: &Path) -> Result<(), Problems> {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    match ending {
        Some(ending) if ending != "html" && ending != "htm" => Err(Problems::one(
            format!("`{}` does not end like a page", path.display()),
            Some(format!(
                "pages are HTML: name it `{}`",
                path.with_extension("html").display()
            )),
        )),
        _ => Ok(()),
    }
}

impl Record {
    /// What a file of this kind is for.
    pub(super) fn role(self) -> Role {
        match self {
            Self::Report => Role::Report,
            Self::Metrics => Role::Metrics,
            Self::Trace => Role::Trace,
            Self::Prometheus => Role::Prometheus,
        }
    }
}
