//! `fasta(...)` and the rules that records go through.

use super::value::option_map;
use crate::{
    job::{Dataset, LongSequences, OptionMap, Problems, Window},
    script::{
        failure::{RhaiResultOf, raise_error},
        session::Session,
    },
};
use rhai::{Array, INT, Map, plugin::*};

fn checked(dataset: Result<Dataset, Problems>) -> RhaiResultOf<Dataset> {
    dataset.map_err(|problems| raise_error(problems.into()))
}

fn from_sources(context: &NativeCallContext, sources: Vec<String>) -> RhaiResultOf<Dataset> {
    if sources.is_empty() || sources.iter().any(|source| source.trim().is_empty()) {
        let hint = "give a path, a glob pattern such as \"data/*.fa.gz\", or \"-\"";
        let problems = Problems::one("the dataset names no file", Some(hint.to_owned()));
        return Err(raise_error(problems.into()));
    }
    let known = Session::of(context).files().sources(&sources);
    known.map_err(|problems| raise_error(problems.into()))?;
    Ok(Dataset::new(sources))
}

/// The rules of a dataset, as the calls that make it.
fn as_script(dataset: &Dataset) -> String {
    let sources: Vec<_> = dataset.sources.iter().map(|s| format!("{s:?}")).collect();
    let mut text = match sources.as_slice() {
        [source] => format!("fasta({source})"),
        sources => format!("fasta([{}])", sources.join(", ")),
    };
    let policy = &dataset.policy;
    if let Some(residues) = policy.min_length {
        text += &format!(".min_length({residues})");
    }
    if let Some(residues) = policy.max_length {
        text += &format!(".max_length({residues})");
    }
    let long = policy.long_sequences;
    text += &match long {
        LongSequences::Full(_) => format!(".long_sequences({:?})", long.name()),
        LongSequences::Window(Window {
            residues, overlap, ..
        }) => {
            let name = long.name();
            format!(".long_sequences({name:?}, {residues}, #{{ overlap: {overlap} }})")
        }
        _ => format!(".long_sequences({:?}, {})", long.name(), long.limit()),
    };
    text += &format!(".unknown_residues({:?})", policy.residues.name());
    if let Some(records) = dataset.take {
        text += &format!(".take({records})");
    }
    text
}

#[export_module]
pub(super) mod dataset_api {
    use super::*;

    pub type Dataset = crate::job::Dataset;

    /// Returns the records of FASTA files. `source` is a path, a glob pattern such as `data/*.fa.gz`
    /// (`*`, `?`, `[ab]`, `**`, `{a,b}`, `{01..12}`), or `"-"` for standard input; a path that begins
    /// with `~/` starts at the home folder, and one that exists is no pattern; gzip, bgzip, zstd, bzip2 and xz are recognised
    /// by their content. Relative paths start at the working directory; `script_dir` is the
    /// script's own folder. Nothing is read before `embed`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let proteins = fasta("uniref/*.fa.gz").min_length(10);
    /// ```
    #[rhai_fn(name = "fasta", volatile, return_raw)]
    pub fn fasta(context: NativeCallContext, source: &str) -> RhaiResultOf<Dataset> {
        from_sources(&context, vec![source.to_owned()])
    }

    /// Returns the records of several FASTA files, one after the other.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let proteins = fasta(["human.fa", "mouse.fa.gz"]);
    /// ```
    #[rhai_fn(name = "fasta", volatile, return_raw)]
    pub fn fasta_list(context: NativeCallContext, sources: Array) -> RhaiResultOf<Dataset> {
        let mut paths = Vec::with_capacity(sources.len());
        for (n, source) in sources.into_iter().enumerate() {
            let path = source.into_string().map_err(|_| {
                let message = format!("source {} of the dataset is no string", n + 1);
                let problems = Problems::one(message, Some("give paths as strings".to_owned()));
                raise_error(problems.into())
            })?;
            paths.push(path);
        }
        from_sources(&context, paths)
    }

    /// Returns the dataset without sequences of fewer than `residues` residues. They count as
    /// rejected.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let proteins = fasta("proteins.fa").min_length(10);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn min_length(dataset: Dataset, residues: INT) -> RhaiResultOf<Dataset> {
        checked(dataset.min_length(residues))
    }

    /// Returns the dataset without sequences of more than `residues` residues. They count as
    /// rejected. To keep their beginning instead, see `long_sequences`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let proteins = fasta("proteins.fa").max_length(2000);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn max_length(dataset: Dataset, residues: INT) -> RhaiResultOf<Dataset> {
        checked(dataset.max_length(residues))
    }

    /// Returns the first `records` records of the dataset, the rejected ones included.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let sample = fasta("proteins.fa").take(1000);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn take(dataset: Dataset, records: INT) -> RhaiResultOf<Dataset> {
        checked(dataset.take(records))
    }

    /// Returns the dataset with a rule for sequences of more than `residues` residues:
    /// `"truncate"` embeds their first `residues` residues, `"skip"` rejects them, `"error"` stops
    /// the run, `"window"` embeds windows of `residues` residues and joins what the model says of
    /// them. Without a rule, sequences are truncated to the 1,022 residues that ESM-2 was
    /// trained on.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let proteins = fasta("proteins.fa").long_sequences("skip", 2000);
    /// ```
    #[rhai_fn(name = "long_sequences", return_raw)]
    pub fn long_sequences(dataset: Dataset, policy: &str, residues: INT) -> RhaiResultOf<Dataset> {
        checked(dataset.long_sequences(policy, Some(residues), OptionMap::new()))
    }

    /// Returns the dataset with a rule for sequences of more than `residues` residues: `"window"`
    /// with the option `overlap`, the residues that windows which follow each other share at least.
    /// It is a quarter of a window, and half of one at most.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let proteins = fasta("proteins.fa").long_sequences("window", 1022, #{ overlap: 256 });
    /// ```
    #[rhai_fn(name = "long_sequences", return_raw)]
    pub fn long_sequences_with(
        context: NativeCallContext,
        dataset: Dataset,
        policy: &str,
        residues: INT,
        options: Map,
    ) -> RhaiResultOf<Dataset> {
        let options = option_map(&context, options);
        checked(dataset.long_sequences(policy, Some(residues), options))
    }

    /// Returns the dataset with a rule for sequences of more than 1,022 residues, and an option of
    /// the rule.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let proteins = fasta("proteins.fa").long_sequences("window", #{ overlap: 300 });
    /// ```
    #[rhai_fn(name = "long_sequences", return_raw)]
    pub fn long_sequences_trained_with(
        context: NativeCallContext,
        dataset: Dataset,
        policy: &str,
        options: Map,
    ) -> RhaiResultOf<Dataset> {
        let options = option_map(&context, options);
        checked(dataset.long_sequences(policy, None, options))
    }

    /// Returns the dataset with a rule for sequences of more than 1,022 residues: `"truncate"`,
    /// `"skip"`, `"error"` or `"window"`; or `"full"`, which embeds whole sequences and rejects
    /// those that do not fit into a batch: of more than 65,534 residues, or two fewer than the
    /// `token_budget` that `embed` is given.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let proteins = fasta("proteins.fa").long_sequences("error");
    /// ```
    #[rhai_fn(name = "long_sequences", return_raw)]
    pub fn long_sequences_trained(dataset: Dataset, policy: &str) -> RhaiResultOf<Dataset> {
        checked(dataset.long_sequences(policy, None, OptionMap::new()))
    }

    /// Returns the dataset with a rule for characters outside the model's alphabet: `"unk"` embeds
    /// them as unknown residues, `"strip"` removes them, `"error"` stops the run. Without a rule,
    /// they are unknown residues.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let proteins = fasta("proteins.fa").unknown_residues("error");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unknown_residues(dataset: Dataset, policy: &str) -> RhaiResultOf<Dataset> {
        checked(dataset.unknown_residues(policy))
    }

    /// Returns the sources as the script wrote them.
    ///
    /// # Example
    ///
    /// ```rhai
    /// print(fasta("proteins.fa").sources);
    /// ```
    #[rhai_fn(get = "sources", pure)]
    pub fn sources(dataset: &mut Dataset) -> Array {
        dataset.sources.iter().map(|s| s.clone().into()).collect()
    }

    /// Returns the dataset as the calls that make it.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(dataset: &mut Dataset) -> String {
        as_script(dataset)
    }

    /// Returns whether two datasets have the same sources and rules.
    #[rhai_fn(name = "==", pure)]
    pub fn equals(a: &mut Dataset, b: Dataset) -> bool {
        *a == b
    }

    /// Returns whether two datasets differ in a source or a rule.
    #[rhai_fn(name = "!=", pure)]
    pub fn differs(a: &mut Dataset, b: Dataset) -> bool {
        *a != b
    }
}
