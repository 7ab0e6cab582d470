//! What commands are given that stand for a call of a script.

use super::{
    call::{ALL_SINGLE_MUTANTS, Flags, OfCall, Score},
    flags::FlagsOf,
    work_args::Work,
};
use crate::{
    error::exit_code,
    script::{Diagnostic, Proteins, Subject},
};
use clap::{ArgGroup, Args, ValueHint};
use std::path::PathBuf;

/// What is run, and how.
#[derive(Debug, Args)]
pub(super) struct CallArgs<C: OfCall> {
    // Which one it is changes every number, so none is taken by itself.
    /// The model, as scripts name it: a folder, or a name on the Hugging Face Hub
    #[arg(short, long, value_hint = ValueHint::AnyPath)]
    pub(super) model: String,
    #[command(flatten)]
    pub(super) flags: FlagsOf<C>,
    /// Keep the script in this file, too
    #[arg(long, value_name = "FILE.rhai")]
    pub(super) script: Option<PathBuf>,
    /// Print the script and do nothing else
    #[arg(long, conflicts_with = "script")]
    pub(super) print_script: bool,
    #[command(flatten)]
    pub(super) work: Work,
}

/// Proteins, and what is asked of them.
#[derive(Debug, Args)]
pub(super) struct ProteinArgs<C: OfCall> {
    /// FASTA files, in input order; `-` is standard input, which is a file where it is read more than once
    #[arg(required = true, value_name = "IN.fa", value_hint = ValueHint::FilePath)]
    inputs: Vec<String>,
    #[command(flatten)]
    run: CallArgs<C>,
}

/// Mutants, and how they are scored.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("wild_type").args(["sequence", "fasta", ALL_SINGLE_MUTANTS]).required(true))]
pub(super) struct ScoreArgs {
    /// A table of mutants, CSV or TSV; with `--all-single-mutants` FASTA files in its place
    #[arg(required = true, value_name = "MUTANTS.csv", value_hint = ValueHint::FilePath)]
    inputs: Vec<String>,
    /// Score all mutants of proteins in which one residue is another amino acid, 19 a site
    #[arg(long)]
    all_single_mutants: bool,
    #[command(flatten)]
    run: CallArgs<Score>,
}

/// The arguments of a command that stands for a call.
pub(super) trait Subjected<C: OfCall> {
    /// The files that are named first.
    fn inputs(&self) -> &[String];

    /// The other arguments.
    fn run(&self) -> &CallArgs<C>;

    /// What the call is about.
    ///
    /// # Errors
    /// If it is about nothing.
    fn subject(&self) -> Result<Subject, Diagnostic>;

    /// The proteins of the inputs.
    fn proteins(&self) -> Proteins {
        let Flags { rules, .. } = &self.run().flags.given;
        Proteins {
            sources: self.inputs().to_vec(),
            rules: rules.clone(),
        }
    }
}

impl<C: OfCall> Subjected<C> for ProteinArgs<C> {
    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn run(&self) -> &CallArgs<C> {
        &self.run
    }

    fn subject(&self) -> Result<Subject, Diagnostic> {
        Ok(Subject::Proteins(self.proteins()))
    }
}

impl Subjected<Score> for ScoreArgs {
    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn run(&self) -> &CallArgs<Score> {
        &self.run
    }

    fn subject(&self) -> Result<Subject, Diagnostic> {
        if self.all_single_mutants {
            return Ok(Subject::SingleMutants(self.proteins()));
        }
        let Flags { mutants, .. } = &self.run.flags.given;
        match self.inputs.as_slice() {
            [table] => Ok(Subject::Mutants(table.clone(), mutants.clone())),
            tables => Err(Diagnostic::of_the_program(
                format!(
                    "a table of mutants is one file, and these are {}",
                    tables.len()
                ),
                Some("score each by itself; FASTA files go with `--all-single-mutants`".to_owned()),
                exit_code::USAGE,
            )),
        }
    }
}
