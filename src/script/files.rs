//! The files that a script names, looked at before any of them is opened or written.

mod contacts;
mod export;
mod rehearsed;
mod scores;

use super::{
    output_files::{output_claims, sidecars},
    rehearsed::Rehearsed,
    unmerged,
};
use crate::{
    error::Error,
    fasta,
    file::{Card, destination},
    host::{Recording, check_read},
    job::{
        Dataset, EmbedOptions, MergePlan, OutputTarget, Problem, Problems, Shard, SweepPlan,
        check_file_name, parts_beside, rejects_beside,
    },
    monitor,
    paths::{
        Claim, PathError, Register, Role, check_in_place, check_ours, check_output_place,
        check_writable,
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
};

/// The files of a script. Whatever it asks for is refused here, by `runner exec` and `runner check`
/// alike, if it would destroy something.
pub(super) struct Files {
    register: Register,
    /// Outputs that a rehearsal would have written.
    rehearsed: HashMap<PathBuf, Rehearsed>,
    /// Those of them of which nobody knows what would be in them.
    seen: BTreeSet<PathBuf>,
    /// Those of which they would have made a shard.
    unmerged: HashMap<PathBuf, Shard>,
    n_sweeps: usize,
    /// Whether this is a look ahead, before anything is done.
    is_foresight: bool,
    /// What is wrong whatever the script's runs give.
    faults: Vec<Problems>,
    /// Sources that are patterns. What they match may not be there yet.
    patterns: BTreeSet<String>,
    /// Where the files are that the script has written, and what they are for.
    written: Vec<(PathBuf, Claim)>,
}

impl Files {
    /// No files yet, but for those that standard output and standard error go to.
    pub(super) fn new() -> Self {
        let mut files = Self {
            register: Register::default(),
            rehearsed: HashMap::new(),
            seen: BTreeSet::new(),
            unmerged: HashMap::new(),
            n_sweeps: 0,
            is_foresight: false,
            faults: Vec::new(),
            patterns: BTreeSet::new(),
            written: Vec::new(),
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

    /// As [`new`](Self::new), for a look ahead.
    pub(super) fn of_foresight() -> Self {
        Self {
            is_foresight: true,
            ..Self::new()
        }
    }

    /// Whether an error is one that the script has whatever its runs give: it is about the names of files,
    /// or about two files that are one.
    pub(super) fn is_certain(&self, problems: &Problems) -> bool {
        self.faults.contains(problems)
    }

    /// Remembers what is wrong whatever the script's runs give.
    fn certain<T>(&mut self, result: Result<T, Problems>) -> Result<T, Problems> {
        if let Err(problems) = &result {
            self.add_fault(problems);
        }
        result
    }

    /// Remembers what is wrong with a script, whatever its runs give.
    pub(super) fn add_fault(&mut self, problems: &Problems) {
        if !self.faults.contains(problems) {
            self.faults.push(problems.clone());
        }
    }

    /// Remembers what is wrong with an option that names a file, if nothing else is wrong: other options
    /// may come from what a run gave.
    pub(super) fn certain_option<T>(
        &mut self,
        option: &str,
        result: Result<T, Problems>,
    ) -> Result<T, Problems> {
        let is_other = |problem: &Problem| problem.option.as_deref() != Some(option);
        match &result {
            Err(problems) if problems.0.iter().any(is_other) => result,
            _ => self.certain(result),
        }
    }

    /// Gives each of `claims` its role.
    fn claim(&mut self, claims: &[Claim]) -> Result<(), Problems> {
        self.check(claims)?;
        let claimed = self.register.claim(claims);
        self.certain(claimed)?;
        for claim in claims.iter().filter(|claim| claim.is_written()) {
            let place = claim.place();
            if !self.written.iter().any(|(written, _)| *written == place) {
                self.written.push((place, claim.clone()));
            }
        }
        Ok(())
    }

    /// Checks that each of `claims` can have its role, and that no input's pattern matches what would be
    /// written: the next run would read it.
    fn check(&mut self, claims: &[Claim]) -> Result<(), Problems> {
        let checked = self.register.check(claims).and_then(|()| {
            let written = claims.iter().filter(|claim| claim.is_written());
            let clashes = written.filter_map(|claim| {
                let place = claim.place();
                let mut patterns = self.patterns.iter();
                let pattern = patterns.find(|pattern| fasta::could_match(pattern, &place))?;
                Some(claim.is_matched_by(pattern))
            });
            Problems(clashes.collect()).none_or(())
        });
        self.certain(checked)
    }

    /// Adds a file that is read.
    ///
    /// # Errors
    /// The script has it written.
    pub(super) fn read(&mut self, role: Role, path: &Path) -> Result<(), Problems> {
        self.claim(&[Claim::new(role, path)])
    }

    /// Adds files of a model.
    ///
    /// # Errors
    /// The script has one of them written.
    pub(super) fn model(&mut self, files: &[PathBuf]) -> Result<(), Problems> {
        let claim = |path: &PathBuf| Claim::new(Role::ModelFile, path);
        let claims: Vec<_> = files.iter().map(claim).collect();
        self.claim(&claims)
    }

    /// Adds the sources of a dataset: files that are named, and patterns. What patterns match is found
    /// when a run begins.
    ///
    /// # Errors
    /// The script has one of them written, or a file that a pattern matches.
    pub(super) fn sources(&mut self, sources: &[String]) -> Result<(), Problems> {
        let is_plain = |source: &&String| !source.contains(['*', '?', '[', '{']);
        let patterns: Vec<_> = sources.iter().filter(|source| !is_plain(source)).collect();
        let matched = patterns.iter().filter_map(|pattern| {
            let mut written = self.written.iter();
            let (_, claim) = written.find(|(place, _)| fasta::could_match(pattern, place))?;
            Some(Problem {
                option: None,
                ..claim.is_matched_by(pattern)
            })
        });
        let matched = Problems(matched.collect()).none_or(());
        self.certain(matched)?;
        self.patterns.extend(patterns.into_iter().cloned());
        let claim = |source: &String| match source.as_str() {
            "-" => Claim::new(Role::Input, Path::new("/proc/self/fd/0")).named("-"),
            source => Claim::new(Role::Input, Path::new(source)),
        };
        let claims: Vec<_> = sources.iter().filter(is_plain).map(claim).collect();
        self.claim(&claims)
    }

    /// Adds a file that runs write about themselves.
    ///
    /// # Errors
    /// It cannot be written, or must not be.
    pub(super) fn record(&mut self, recording: Recording, path: &Path) -> Result<(), Error> {
        self.certain(check_file(path))?;
        if recording == Recording::Metrics {
            monitor::check_ending(path)?;
        }
        if [Recording::Metrics, Recording::Trace].contains(&recording) {
            check_in_place(path)?;
        }
        self.written(Claim::new(recording.role(), path), recording.role(), path)
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
            let output = OutputTarget::of(output).map_err(|problem| Problems(vec![problem]))?;
            let files = output_claims(&output).into_iter();
            claims.extend(files.map(|claim| claim.by_option("output")));
            self.check(&claims)?;
            self.check_output(&output, options)?;
        }
        Ok(self.claim(&claims)?)
    }

    /// Adds the files of a merge: the output that it makes of shards, or the one that it reads, and the
    /// file that it writes instead.
    ///
    /// # Errors
    /// A file cannot be written, or must not be.
    pub(super) fn merge(&mut self, plan: &MergePlan) -> Result<(), Error> {
        let mut claims = Vec::new();
        for (path, option) in [
            (Some(&plan.output), None),
            (plan.file.as_ref(), Some("file")),
        ] {
            let Some(path) = path else {
                continue;
            };
            let target = OutputTarget::of(path).map_err(|problem| Problems(vec![problem]))?;
            if option.is_some() || plan.file.is_none() {
                check_output_place(&target)?;
            }
            let of_output = output_claims(&target).into_iter();
            claims.extend(of_output.map(|claim| match option {
                Some(option) => claim.by_option(option),
                None => claim,
            }));
        }
        Ok(self.claim(&claims)?)
    }

    /// Remembers that a run of a rehearsal would have made a shard of `output`, if that is not merged.
    pub(super) fn rehearse_shard(&mut self, output: &Path, shard: Shard) {
        if !output.exists() {
            self.unmerged.insert(destination(output), shard);
        }
    }

    /// Checks that the embeddings of `path` are those of a whole output.
    ///
    /// # Errors
    /// It is a shard, or only shards of it are there.
    pub(super) fn check_merged(&mut self, path: &Path) -> Result<(), Problems> {
        let place = destination(path);
        if let Some(shard) = self.unmerged.get(&place).copied() {
            return self.certain(Err(unmerged::own(path, shard)));
        }
        match self.rehearsed.contains_key(&place) || self.seen.contains(&place) {
            true => Ok(()),
            false => unmerged::check_merged(path),
        }
    }

    /// Checks that whoever reads `path` reads all of an output, and nothing else.
    ///
    /// # Errors
    /// It is a shard, or only shards of it are there, or parts of it are missing or of others.
    pub(super) fn check_whole(&mut self, path: &Path) -> Result<(), Error> {
        self.check_merged(path)?;
        match self.rehearsed(path) {
            Some(_) => Ok(()),
            None => check_read(path),
        }
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
        self.certain(check_file(path))?;
        self.written(Claim::new(role, path).of(sweep), role, path)
    }

    fn written(&mut self, claim: Claim, role: Role, path: &Path) -> Result<(), Error> {
        check_writable(path)?;
        self.check(std::slice::from_ref(&claim))?;
        check_ours(role, path)?;
        if [Role::Report, Role::Plot].contains(&role) {
            self.certain(check_page(path))?;
        }
        Ok(self.claim(&[claim])?)
    }

    /// Refuses an output that cannot be written, or that is there and is not to be replaced.
    fn check_output(&self, output: &OutputTarget, options: &EmbedOptions) -> Result<(), Error> {
        let mut beside = sidecars(output);
        beside.insert(0, rejects_beside(output));
        let places = beside.iter().map(|path| check_writable(path));
        for checked in [check_output_place(output)].into_iter().chain(places) {
            checked.map_err(|error| match error {
                PathError::Plan(mut problems) => {
                    for problem in &mut problems.0 {
                        problem.option = Some("output".to_owned());
                    }
                    problems.into()
                }
                error @ PathError::File(_) => Error::from(error),
            })?;
        }
        if options.overwrite {
            return Ok(());
        }
        // What this program wrote may be what is asked for. That shows when the model is known.
        let may_stay = |output: &Path| {
            let is_ours = || check_ours(Role::Output, output).is_ok();
            options.resume && (output.is_dir() || is_ours())
        };
        let has_parts = parts_beside(output).exists();
        let output = output.path.as_path();
        let place = destination(output);
        let is_rehearsed = self.rehearsed.contains_key(&place) || self.seen.contains(&place);
        let shown = output.display();
        let is_list = |path: &Path| path.extension().is_some_and(|ending| ending == "tsv");
        let message = if is_rehearsed {
            format!("`output` is {shown}, which an earlier run of this script writes")
        } else if output.exists() && !may_stay(output) {
            format!("`output` is {shown}, which exists")
        } else if let Some(path) = beside.iter().find(|path| path.exists())
            && !output.exists()
            && !has_parts
            // Of what this program wrote, only the file itself may be gone. That shows when the model is known.
            && (!options.resume || is_list(path) || Card::of(output).is_none())
        {
            match is_list(path) {
                true => format!(
                    "`output` is {shown}, and its list {} exists",
                    path.display()
                ),
                false => format!(
                    "`output` is {shown}, and {}, which would lie beside it, exists",
                    path.display()
                ),
            }
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
