//! What can be wrong with the shards of an output.

use super::difference::Difference;
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
        /// How many there are to be.
        count: u32,
    },
    /// A shard is to be made, and the output is made as a whole.
    #[error(
        "`{}` was begun as a whole, and not in shards: see `{}`",
        output.display(),
        folder.display()
    )]
    Whole {
        /// The one that is to be made.
        mine: Shard,
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
    /// There are shards of other inputs.
    #[error(
        "the inputs are not those with which shard {other} was begun in `{}`: their sizes, what they hold or \
         their order are others, so each shard would have other records",
        folder.display()
    )]
    Division {
        /// One that is there.
        other: Shard,
        /// Where it lies.
        folder: PathBuf,
    },
    /// There are shards of another output.
    #[error(
        "shard {mine} would be a shard of another output than shard {other} in `{}`:{}",
        folder.display(),
        differences.iter().map(|difference| format!("\n  {difference}")).collect::<String>()
    )]
    Different {
        /// The one that is to be made.
        mine: Shard,
        /// One that is there.
        other: Shard,
        /// Where it lies.
        folder: PathBuf,
        /// What is not the same.
        differences: Vec<Difference>,
        /// Whether somebody works on the one that is there.
        is_being_made: bool,
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
    /// It was finished, and is not whole any more.
    #[error(
        "`{}` was finished, and is not whole any more:{}",
        output.display(),
        problems.iter().map(|problem| format!("\n  {problem}")).collect::<String>()
    )]
    Incomplete {
        /// The output.
        output: PathBuf,
        /// What is missing, a line each.
        problems: Vec<String>,
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
    /// A merge would replace an output that was begun as a whole.
    #[error(
        "`{}` was begun as a whole, and is not what these shards make: see `{}`",
        output.display(),
        folder.display()
    )]
    ExistsAsWhole {
        /// The output.
        output: PathBuf,
        /// Where its ledger lies.
        folder: PathBuf,
    },
    /// It is not finished, and not made in shards.
    #[error("`{}` is not finished, and not made in shards", .0.display())]
    Unfinished(PathBuf),
    /// The merge was told to end.
    #[error("the merge of `{}` was stopped", .0.display())]
    Ended(PathBuf),
    /// The file that a merge is to make is the output itself.
    #[error("`{}` is the output itself", .0.display())]
    IsOutput(PathBuf),
    /// The file that a merge is to make is another output, which is not finished.
    #[error("`{}` is an output of its own, which is not finished: see `{}`", output.display(), folder.display())]
    OfAnother {
        /// The file.
        output: PathBuf,
        /// Where its parts lie.
        folder: PathBuf,
    },
    /// It is one file already.
    #[error("`{}` is one file already", .0.display())]
    IsFile(PathBuf),
}

impl Hint for ShardsError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Begun { output, count, .. } => format!(
                "to make one of them, say which: `--shard i/{count}` or `RUNNER_SHARD=i/{count}` (a Slurm array of \
                 one task is no shard); when all of them are finished, `runner merge {}` puts them together; to \
                 make it as a whole, choose another output",
                output.display()
            ),
            Self::Whole { mine, .. } => format!(
                "this process is shard {mine}; let the output be finished as it was begun: with `runner merge` if \
                 it was being merged, else without shards, with `--shard 0/1` or `RUNNER_SHARD=0/1`; or choose \
                 another output"
            ),
            Self::Number { other, folder, .. } => format!(
                "go on with {count} shards: `--shard i/{count}` or `RUNNER_SHARD=i/{count}`; or choose another \
                 output, or, when nobody works in `{}`, remove it: the work in it is lost",
                folder.display(),
                count = other.count()
            ),
            Self::Division { folder, .. } => format!(
                "go on with the inputs that they were, choose another output, or, when nobody works in `{}`, \
                 remove it: the work in it is lost",
                folder.display()
            ),
            Self::Different {
                other,
                folder,
                is_being_made,
                ..
            } => format!(
                "make this shard as that one was made: with the same script, model and kind of device; or, if that \
                 one is wrong, {}remove `{}`, and run it again with `--shard {other}`{}",
                if *is_being_made { "end it, " } else { "" },
                folder.display(),
                if *is_being_made { "" } else { "; to make all of them anew, set `overwrite: true`" }
            ),
            Self::Replaces(_) => {
                "choose another output, leave `overwrite: true` out, or make it as a whole, with `--shard 0/1` or \
                 `RUNNER_SHARD=0/1`"
                    .to_owned()
            }
            Self::Touched(_) => {
                "run the script as a whole, with `--shard 0/1` or `RUNNER_SHARD=0/1`: it compares the records"
                    .to_owned()
            }
            Self::Incomplete { .. } => {
                "run the script as a whole, with `--shard 0/1` or `RUNNER_SHARD=0/1`: what is missing is computed \
                 again"
                    .to_owned()
            }
            Self::Unready { to_run, remedy, .. } => {
                let steps: Vec<String> = remedy.iter().cloned().chain(run(to_run)).collect();
                return (!steps.is_empty()).then(|| steps.join("; "));
            }
            Self::NoLedger { shard, folder } => format!(
                "put its `ledger.jsonl` back if there is a copy; else remove `{}`, which is this shard alone, and run \
                 it again: `runner exec SCRIPT --shard {shard}`",
                folder.display()
            ),
            Self::Exists(_) | Self::ExistsAsWhole { .. } => {
                "choose another file, or add `--overwrite` (in scripts `overwrite: true`) to replace it"
                    .to_owned()
            }
            Self::Unfinished(_) => "run the script again: there is nothing to merge".to_owned(),
            Self::Ended(_) => "merge again: nothing is lost".to_owned(),
            Self::IsOutput(_) => {
                "leave it out: without a file, the shards become the output".to_owned()
            }
            Self::OfAnother { .. } => "choose another file".to_owned(),
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
        .map(|shard| format!("\n  runner exec SCRIPT --shard {shard} -- ARGS"));
    Some(format!(
        "run what is missing, with the script and the arguments that the others had, and merge again:{}",
        commands.collect::<String>()
    ))
}
