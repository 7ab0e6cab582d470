//! What can be wrong with the shards of an output.

use crate::{hint::Hint, job::Shard};
use std::path::PathBuf;

/// What can be wrong with the shards of an output.
#[derive(Debug, thiserror::Error)]
pub enum ShardsError {
    /// It is to be made as a whole, and shards of it are there.
    #[error(
        "`{}` is made in shards, of which {n_shards} {} in `{}`",
        output.display(),
        if *n_shards == 1 { "lies" } else { "lie" },
        folder.display()
    )]
    Begun {
        /// The output.
        output: PathBuf,
        /// Where they lie.
        folder: PathBuf,
        /// How many have been begun.
        n_shards: usize,
    },
    /// A shard is to be made, and the output is made as a whole.
    #[error(
        "`{}` was begun as a whole, and not in shards: see `{}`",
        output.display(),
        folder.display()
    )]
    Whole {
        /// The output.
        output: PathBuf,
        /// Where its ledger lies.
        folder: PathBuf,
    },
    /// There are shards of another number.
    #[error(
        "this is shard {mine}, and `{}` holds `{}`: they are parts of different divisions",
        folder.display(),
        other.folder_name()
    )]
    Number {
        /// The one that is to be made.
        mine: Shard,
        /// One that is there.
        other: Shard,
        /// Where it lies.
        folder: PathBuf,
    },
    /// There are shards of inputs that had other sizes.
    #[error(
        "the inputs have other sizes than they had when shard {other} was begun in `{}`, so each shard would \
         have other records",
        folder.display()
    )]
    Division {
        /// One that is there.
        other: Shard,
        /// Where it lies.
        folder: PathBuf,
    },
    /// A shard would replace an output.
    #[error("`{}` exists, and a shard of it replaces nothing", .0.display())]
    Replaces(PathBuf),
    /// A shard of an output that is finished, from inputs in another state.
    #[error(
        "`{}` is finished, and its inputs are not the files that they were, so a shard cannot tell whether \
         their records are the same",
        .0.display()
    )]
    Touched(PathBuf),
    /// Not all that a merge needs is there.
    #[error(
        "`{}` cannot be merged:{}",
        output.display(),
        problems.iter().map(|problem| format!("\n  {problem}")).collect::<String>()
    )]
    Unready {
        /// The output.
        output: PathBuf,
        /// What is wrong, a line each.
        problems: Vec<String>,
        /// The shards that are to be run.
        to_run: Vec<Shard>,
        /// How to mend it, if that is not to run them.
        remedy: Option<String>,
    },
    /// There are parts of a shard, and nothing says what they are.
    #[error(
        "the ledger of shard {shard} is gone, empty or damaged, so nobody knows which embeddings lie in `{}`",
        folder.display()
    )]
    NoLedger {
        /// Which one.
        shard: Shard,
        /// Where its parts lie.
        folder: PathBuf,
    },
    /// The output of a merge is there already, and is another one.
    #[error("`{}` exists, and is not what these shards make", .0.display())]
    Exists(PathBuf),
    /// It is not finished, and not made in shards.
    #[error("`{}` is not finished, and not made in shards", .0.display())]
    Unfinished(PathBuf),
    /// The merge was told to end.
    #[error("the merge of `{}` was stopped", .0.display())]
    Ended(PathBuf),
    /// It is one file already.
    #[error("`{}` is one file already", .0.display())]
    IsFile(PathBuf),
}

impl Hint for ShardsError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Begun { output, folder, .. } => format!(
                "when all of them are finished, `runner merge {}` puts them together; or remove `{}` to make \
                 it as a whole",
                output.display(),
                folder.display()
            ),
            Self::Whole { folder, .. } => format!(
                "let it be finished as it was begun, with `runner merge` if it was being merged, else without \
                 shards; or remove `{}`",
                folder.display()
            ),
            Self::Number { other, folder, .. } => format!(
                "go on with {} shards, or remove `{}`: the work in it is lost",
                other.count(),
                folder.display()
            ),
            Self::Division { folder, .. } => format!(
                "go on with the inputs that they were, or remove `{}`: the work in it is lost",
                folder.display()
            ),
            Self::Replaces(_) => "choose another output, or remove it".to_owned(),
            Self::Touched(_) => {
                "run the script as a whole, with `--shard 0/1`: it compares the records".to_owned()
            }
            Self::Unready { to_run, remedy, .. } => return remedy.clone().or_else(|| run(to_run)),
            Self::NoLedger { shard, folder } => format!(
                "put its `ledger.jsonl` back if there is a copy; else remove `{}`, which is this shard alone, and run \
                 it again: `runner exec SCRIPT --shard {shard}`",
                folder.display()
            ),
            Self::Exists(_) => {
                "choose another file, or add `--overwrite` (in scripts `overwrite: true`) to replace it"
                    .to_owned()
            }
            Self::Unfinished(_) => "run the script again: there is nothing to merge".to_owned(),
            Self::Ended(_) => "merge again: nothing is lost".to_owned(),
            Self::IsFile(_) => "copy it".to_owned(),
        })
    }
}

/// How to run these shards.
fn run(shards: &[Shard]) -> Option<String> {
    if shards.is_empty() {
        return None;
    }
    let commands = shards
        .iter()
        .map(|shard| format!("\n  runner exec SCRIPT --shard {shard}"));
    Some(format!(
        "run what is missing, and merge again:{}",
        commands.collect::<String>()
    ))
}
