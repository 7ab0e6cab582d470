//! What can be wrong with a ledger.

use super::{Living, VERSION};
use crate::{file::host_name, hint::Hint};
use std::path::{Path, PathBuf};

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
    /// Another process writes the output.
    #[error("`{}` is being written by {}", output(lock), by(living.as_deref()))]
    Owned {
        /// The lock that it holds.
        lock: PathBuf,
        /// Which one, if it has said so.
        living: Option<Box<Living>>,
    },
    /// Another process has taken this one for dead.
    #[error("`{}` has been taken over by {}", output(lock), by(Some(&**living)))]
    TakenOver {
        /// The lock that it holds.
        lock: PathBuf,
        /// Which one.
        living: Box<Living>,
    },
}

/// The output that a lock is of: that lies in a folder with the output's name and an ending.
fn output(lock: &Path) -> String {
    let folder = lock.parent().unwrap_or(lock).display().to_string();
    let of = [".parts", ".ledger"]
        .iter()
        .find_map(|ending| folder.strip_suffix(ending));
    of.unwrap_or(&folder).to_owned()
}

fn by(living: Option<&Living>) -> String {
    match living {
        Some(Living {
            host, pid, since, ..
        }) => format!("process {pid} on {host} since {since}"),
        None => "another process".to_owned(),
    }
}

impl Hint for LedgerError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Newer { .. } => {
                "go on with the program that began the output, or set `overwrite: true` to compute \
                 it anew"
            }
            Self::Headless { .. } => {
                "set `overwrite: true` to compute it anew, or choose another output"
            }
            Self::Owned {
                living: Some(living),
                ..
            } => {
                let Living { host, pid, .. } = &**living;
                let there = match host == host_name() {
                    true => String::new(),
                    false => format!(" on {host}"),
                };
                return Some(format!("wait for it, or stop it with `kill {pid}`{there}"));
            }
            Self::Owned { living: None, .. } => "wait for it, or stop it",
            Self::TakenOver { .. } => {
                "it stood still for so long that it was taken for dead; let the other one go on"
            }
        };
        Some(hint.to_owned())
    }
}
