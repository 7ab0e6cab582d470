//! What is scored, how, and where scores go.

use super::{
    Dataset, EmbedOptions, LongSequences, Mutants, OptionFlag, OptionMap, OptionTable, Problem,
    Problems, check_file_name, row::OptionRow,
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// What is scored, how, and where scores go.
#[derive(Clone, Debug, PartialEq)]
pub struct ScorePlan {
    /// What is scored, and how.
    pub question: ScoreQuestion,
    /// The table to write.
    pub output: PathBuf,
    /// How the model is run.
    pub run: EmbedOptions,
}

/// What is scored, and how.
#[derive(Clone, Debug, PartialEq)]
pub enum ScoreQuestion {
    /// How fit mutants are.
    Mutants(Mutants, ScoreMethod),
    /// How likely proteins are.
    Perplexity(Dataset, PerplexityMethod),
}

/// How mutants are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreMethod {
    /// Of each mutated site, masked in the wild type, the log-probability of the mutant's residue less that of the
    /// wild type's.
    MaskedMarginals,
    /// The same, where nothing is masked.
    WtMarginals,
    /// The pseudo-log-likelihood of the mutant less that of the wild type, with each of their sites masked once.
    PseudoLikelihood,
}

/// How the perplexity of a protein is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerplexityMethod {
    /// Each site is masked once.
    Exact,
    /// Nothing is masked.
    OnePass,
}

impl ScoreMethod {
    const ALL: [Self; 3] = [
        Self::MaskedMarginals,
        Self::WtMarginals,
        Self::PseudoLikelihood,
    ];
    const NAMES: [&str; 3] = ["masked_marginals", "wt_marginals", "pseudo_likelihood"];

    /// What scripts call it.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// What stands at the other mutated sites of a mutant while one of them is looked at.
    pub fn other_sites(self) -> &'static str {
        match self {
            Self::MaskedMarginals | Self::WtMarginals => "wild type",
            Self::PseudoLikelihood => "mutant",
        }
    }
}

impl PerplexityMethod {
    const ALL: [Self; 2] = [Self::Exact, Self::OnePass];
    const NAMES: [&str; 2] = ["exact", "one_pass"];

    /// What scripts call it.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// The options of `score` that are not those of `embed`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreOptions {
    method: ScoreMethod,
    output: Option<PathBuf>,
}

/// The options of `perplexity` that are not those of `embed`.
#[derive(Clone, Debug, PartialEq)]
pub struct PerplexityOptions {
    method: PerplexityMethod,
    output: Option<PathBuf>,
}

type ScoreRow = OptionRow<ScoreOptions>;
type PerplexityRow = OptionRow<PerplexityOptions>;

#[rustfmt::skip]
const SCORE_OPTIONS: &[ScoreRow] = &[
    ScoreRow::choice("method", &ScoreMethod::NAMES,
        |to, name| ScoreMethod::from_name(name).map(|method| to.method = method), |of| of.method.name().into())
        .doc("`\"masked_marginals\"` masks one site at a time in the wild type; `\"wt_marginals\"` masks none; \
              `\"pseudo_likelihood\"` masks every site of every mutant once, which takes as many sequences as \
              there are mutants times residues"),
    ScoreRow::path("output", "a path, such as \"scores.csv\"", check_csv, |to, path| to.output = Some(path),
        |of| of.output.as_deref().into())
        .doc("the CSV file to write, which must be given: the rows and columns of the mutants' table, and a column \
              with the name of the model. `scores.csv.json` beside it says how the scores came about")
        .flag_doc("the CSV file to write: the rows and columns of the mutants' table, and a column with the name of the \
                   model. `scores.csv.json` beside it says how the scores came about"),
];

#[rustfmt::skip]
const PERPLEXITY_OPTIONS: &[PerplexityRow] = &[
    PerplexityRow::choice("method", &PerplexityMethod::NAMES,
        |to, name| PerplexityMethod::from_name(name).map(|method| to.method = method), |of| of.method.name().into())
        .doc("`\"exact\"` masks one site at a time, which takes as many sequences as a protein has residues; \
              `\"one_pass\"` masks none, and says less: its columns are named so"),
    PerplexityRow::path("output", "a path, such as \"perplexity.csv\"", check_csv, |to, path| to.output = Some(path),
        |of| of.output.as_deref().into())
        .doc("the CSV file to write, which must be given: `id`, `length`, `perplexity`, `pseudo_log_likelihood`, `truncated`")
        .flag_doc("the CSV file to write: `id`, `length`, `perplexity`, `pseudo_log_likelihood`, `truncated`"),
];

/// The options of `embed` that say how it runs, and not what it gives: those of everything that runs a model.
pub const RUN_OPTIONS: [&str; 15] = [
    "readers",
    "prefetch",
    "token_budget",
    "overwrite",
    "resume",
    "commit_every",
    "overlap",
    "packing",
    "thresholds",
    "monitor_hz",
    "metrics_every",
    "on_sample",
    "on_bottleneck",
    "reader_timeout",
    "grace",
];

impl ScoreOptions {
    /// The options of `score` that are not those of `embed`.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: SCORE_OPTIONS,
        defaults: || Self {
            method: ScoreMethod::MaskedMarginals,
            output: None,
        },
    };

    /// Every option that `score` takes as a flag of a command line, those of `embed` among them.
    pub fn flags() -> Vec<OptionFlag> {
        with_run_flags(Self::OPTIONS.flags())
    }
}

impl PerplexityOptions {
    /// The options of `perplexity` that are not those of `embed`.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: PERPLEXITY_OPTIONS,
        defaults: || Self {
            method: PerplexityMethod::Exact,
            output: None,
        },
    };

    /// Every option that `perplexity` takes as a flag of a command line, those of `embed` among them.
    pub fn flags() -> Vec<OptionFlag> {
        with_run_flags(Self::OPTIONS.flags())
    }
}

/// Flags, and behind them those that say how a run goes.
fn with_run_flags(mut flags: Vec<OptionFlag>) -> Vec<OptionFlag> {
    let of_runs = EmbedOptions::OPTIONS.flags().into_iter();
    flags.extend(of_runs.filter(|flag| RUN_OPTIONS.contains(&flag.name)));
    flags
}

impl ScorePlan {
    /// The plan to score mutants, with the options that a script gave.
    ///
    /// # Errors
    /// Every option that is unknown, of the wrong type or out of range, and an output that is missing.
    pub fn of_mutants(mutants: Mutants, map: OptionMap) -> Result<Self, Problems> {
        let (own, run) =
            ScoreOptions::OPTIONS.read_with(map, &EmbedOptions::OPTIONS, &RUN_OPTIONS)?;
        if let Mutants::AllSingle(dataset) = &mutants {
            check_windows("score", dataset)?;
            check_whole(dataset)?;
        }
        Ok(Self {
            question: ScoreQuestion::Mutants(mutants, own.method),
            output: own.output.ok_or_else(|| no_output("score", "scores.csv"))?,
            run,
        })
    }

    /// The plan to find the perplexity of proteins, with the options that a script gave.
    ///
    /// # Errors
    /// As [`of_mutants`](Self::of_mutants).
    pub fn of_proteins(dataset: Dataset, map: OptionMap) -> Result<Self, Problems> {
        let (own, run) =
            PerplexityOptions::OPTIONS.read_with(map, &EmbedOptions::OPTIONS, &RUN_OPTIONS)?;
        check_windows("perplexity", &dataset)?;
        let output = own.output;
        Ok(Self {
            question: ScoreQuestion::Perplexity(dataset, own.method),
            output: output.ok_or_else(|| no_output("perplexity", "perplexity.csv"))?,
            run,
        })
    }

    /// The folder of what is kept while the output is made.
    pub fn kept_folder(&self) -> PathBuf {
        self.beside(".parts")
    }

    /// The file that says how the scores came about.
    pub fn note(&self) -> PathBuf {
        self.beside(".json")
    }

    /// The list of records that rules reject.
    pub fn rejects(&self) -> PathBuf {
        self.beside(".rejects.tsv")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = OsString::from(self.output.file_name().unwrap_or_default());
        name.push(ending);
        self.output.with_file_name(name)
    }
}

impl ScoreQuestion {
    /// The method's name.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Mutants(_, method) => method.name(),
            Self::Perplexity(_, method) => method.name(),
        }
    }

    /// What stands at the other mutated sites of a mutant while one of them is looked at, where there are mutants.
    pub fn other_sites(&self) -> Option<&'static str> {
        match self {
            Self::Mutants(_, method) => Some(method.other_sites()),
            Self::Perplexity(..) => None,
        }
    }

    /// What is scored, for people.
    pub fn inputs(&self) -> String {
        match self {
            Self::Mutants(Mutants::Table(table), _) => table.path.display().to_string(),
            Self::Mutants(Mutants::AllSingle(dataset), _) | Self::Perplexity(dataset, _) => {
                dataset.sources.join(", ")
            }
        }
    }

    /// The FASTA sources that are read.
    pub fn sources(&self) -> Vec<String> {
        match self {
            Self::Mutants(Mutants::Table(table), _) => {
                let fasta = table.fasta.iter();
                fasta
                    .map(|path| path.to_string_lossy().into_owned())
                    .collect()
            }
            Self::Mutants(Mutants::AllSingle(dataset), _) | Self::Perplexity(dataset, _) => {
                dataset.sources.clone()
            }
        }
    }
}

/// Checks that nobody asks for other windows than those in which sites are seen.
fn check_windows(call: &str, dataset: &Dataset) -> Result<(), Problems> {
    match dataset.policy.long_sequences {
        LongSequences::Window(window) if !window.is_default() => Err(Problems::one(
            format!(
                "`{call}` sees each site in the {} residues around it, and in no other windows",
                LongSequences::TRAINED_RESIDUES
            ),
            Some("write `.long_sequences(\"window\")`, without a number or an overlap".to_owned()),
        )),
        _ => Ok(()),
    }
}

/// Checks that nobody asks for the mutants of a part of each protein: all sites have some, and each is seen in the
/// residues around it.
fn check_whole(dataset: &Dataset) -> Result<(), Problems> {
    match dataset.policy.long_sequences {
        LongSequences::Truncate(residues) if residues != LongSequences::TRAINED_RESIDUES => {
            Err(Problems::one(
                format!(
                    "all single mutants are those of whole proteins, and `.long_sequences(\"truncate\", {residues})` \
                     would leave some out"
                ),
                Some(
                    "leave that rule out: each site is seen in the residues around it; or give a file with the parts \
                     of proteins that are to be mutated"
                        .to_owned(),
                ),
            ))
        }
        _ => Ok(()),
    }
}

fn no_output(call: &str, example: &str) -> Problems {
    Problems(vec![Problem {
        message: format!("`{call}` has no `output`"),
        hint: Some(format!("say where scores go: `output: \"{example}\"`")),
        option: None,
    }])
}

/// Checks that a path can be that of a table.
fn check_csv(path: &Path) -> Result<(), Problem> {
    check_file_name(path)?;
    let is_csv = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    match is_csv {
        true => Ok(()),
        false => Err(Problem {
            message: format!("`{}` does not end like CSV", path.display()),
            hint: Some(format!(
                "scores are written as CSV: name it `{}`",
                path.with_extension("csv").display()
            )),
            option: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    fn plan(options: &[(&str, super::super::OptionValue)]) -> Result<ScorePlan, String> {
        let mutants = Mutants::AllSingle(Dataset::new(vec!["a.fa".to_owned()]));
        let options = options.iter().cloned();
        let map = options.map(|(name, value)| (name.to_owned(), value));
        ScorePlan::of_mutants(mutants, map.collect()).map_err(|problems| problems.in_full())
    }

    #[test]
    fn options_are_those_of_the_score_and_of_the_run() {
        let found = plan(&[
            ("method", "wt_marginals".into()),
            ("output", "out/a.csv".into()),
            ("readers", 5i64.into()),
        ])
        .unwrap();
        assert_eq!(found.question.method(), "wt_marginals");
        assert_eq!(found.run.readers.get(), 5);
        assert_eq!(found.kept_folder(), Path::new("out/a.csv.parts"));
        assert_eq!(found.note(), Path::new("out/a.csv.json"));
        let check = |options: &[(&str, super::super::OptionValue)], expect: &str| {
            let message = plan(options).unwrap_err();
            assert!(message.contains(expect), "{message}");
        };
        check(&[], "`score` has no `output`");
        check(&[("output", "a.parquet".into())], "name it `a.csv`");
        check(&[("layers", 1i64.into())], "unknown option `layers`");
        check(&[("method", "masked".into())], "\"masked_marginals\"");
        check(&[("redaers", 1i64.into())], "did you mean `readers`?");
    }

    #[test]
    fn windows_are_those_around_sites() {
        let refused = |residues: Option<i64>| {
            let dataset = Dataset::new(vec!["a.fa".to_owned()]);
            let dataset = dataset.long_sequences("window", residues, OptionMap::new());
            let output = [("output".to_owned(), "a.csv".into())].into();
            ScorePlan::of_proteins(dataset.unwrap(), output).err()
        };
        assert!(refused(None).is_none() && refused(Some(1022)).is_none());
        let message = refused(Some(40)).unwrap().in_full();
        assert!(
            message.contains("in the 1022 residues around it"),
            "{message}"
        );
    }

    #[test]
    fn all_single_mutants_are_those_of_whole_proteins() {
        let refused = |rule: &str, residues: Option<i64>| {
            let dataset = Dataset::new(vec!["a.fa".to_owned()]);
            let dataset = dataset.long_sequences(rule, residues, OptionMap::new());
            let output = [("output".to_owned(), "a.csv".into())].into();
            ScorePlan::of_mutants(Mutants::AllSingle(dataset.unwrap()), output).err()
        };
        for (rule, residues) in [
            ("truncate", None),
            ("truncate", Some(1022)),
            ("skip", Some(10)),
            ("error", Some(10)),
            ("window", None),
            ("full", None),
        ] {
            assert!(refused(rule, residues).is_none(), "{rule} {residues:?}");
        }
        let message = refused("truncate", Some(10)).unwrap().in_full();
        assert!(message.contains("(\"truncate\", 10)"), "{message}");
    }

    #[test]
    fn options_of_runs_are_those_of_embed() {
        let names = EmbedOptions::OPTIONS.names();
        for name in RUN_OPTIONS {
            assert!(names.contains(&name), "{name}");
        }
    }
}
