//! What can be wrong with a ledger.

use super::VERSION;
use crate::hint::Hint;
use std::path::PathBuf;

/// What can be wrong with a ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A newer program wrote it.
    #[error(
        "`{}` was written by a newer version of this program: its form is {version}, and forms up to \
         {VERSION} are known",
        path.display()
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// The version of its form.
        version: u32,
    },
    /// It has commits, and nothing says of what.
    #[error(
        "the first line of `{}` is damaged, so nobody knows which embeddings its {n_commits} commits \
         hold",
        path.display()
    )]
    Headless {
        /// The ledger.
        path: PathBuf,
        /// Commits that can be read.
        n_commits: usize,
    },
}

impl Hint for LedgerError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Newer { .. } => {
                "go on with the program that began the output, or set `overwrite: true` to compute \
                 it anew"
            }
            Self::Headless { .. } => {
                "set `overwrite: true` to compute it anew, or choose another output"
            }
        }
        .to_owned())
    }
}
