//! Where the files of an output lie while it is made.

use crate::job::{OutputKind, OutputTarget, parts_beside, rejects_beside};
use std::path::{Path, PathBuf};

const LEDGER: &str = "ledger.jsonl";
const LOCK: &str = "lock";
const MANIFEST: &str = "manifest.json";
const PART: &str = "part-";
/// Digits of the number of a part's first record.
const PART_DIGITS: usize = 12;
const REJECTS_ENDING: &str = "rejects.tsv";

/// Where the files of an output lie while it is made.
#[derive(Clone, Debug)]
pub(super) struct Place {
    target: OutputTarget,
    bookkeeping: PathBuf,
}

impl Place {
    pub(super) fn of(target: &OutputTarget) -> Self {
        Self {
            bookkeeping: parts_beside(target),
            target: target.clone(),
        }
    }

    /// The output: a file, or a folder of parts.
    pub(super) fn output(&self) -> &Path {
        &self.target.path
    }

    pub(super) fn target(&self) -> &OutputTarget {
        &self.target
    }

    pub(super) fn is_folder(&self) -> bool {
        self.target.kind == OutputKind::Folder
    }

    /// The list of rejections at the end.
    pub(super) fn rejects(&self) -> PathBuf {
        rejects_beside(&self.target)
    }

    /// The folder of the ledger.
    pub(super) fn bookkeeping(&self) -> &Path {
        &self.bookkeeping
    }

    /// The folder of the parts.
    pub(super) fn parts(&self) -> &Path {
        match self.target.kind {
            OutputKind::File => &self.bookkeeping,
            OutputKind::Folder => &self.target.path,
        }
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.bookkeeping.join(LEDGER)
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.bookkeeping.join(LOCK)
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.bookkeeping.join(MANIFEST)
    }

    /// The name of the part that begins with this record.
    pub(super) fn part_name(&self, record: u64) -> String {
        let ending = self.target.format.ending();
        format!("{PART}{record:0PART_DIGITS$}.{ending}")
    }

    /// The name of the rejections of the part that begins with this record.
    pub(super) fn part_rejects_name(record: u64) -> String {
        format!("{PART}{record:0PART_DIGITS$}.{REJECTS_ENDING}")
    }

    /// Whether a name is that of a part, or of a part's rejections.
    pub(super) fn is_part(&self, name: &str) -> bool {
        let Some((record, ending)) = name
            .strip_prefix(PART)
            .and_then(|rest| rest.split_once('.'))
        else {
            return false;
        };
        record.len() >= PART_DIGITS
            && record.bytes().all(|byte| byte.is_ascii_digit())
            && [self.target.format.ending(), REJECTS_ENDING].contains(&ending)
    }

    /// Whether a name is that of a file that lies in the folder of the ledger.
    pub(super) fn is_bookkeeping(&self, name: &str) -> bool {
        [LEDGER, LOCK, MANIFEST].contains(&name) || self.is_part(name)
    }
}
