//! The list of the records that a rule rejected.

use super::{ScoreError, protein::Rejected};
use crate::file::{Existing, FileError, Keep, Staged};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// The list of rejected records, which is begun with the first one.
pub(super) struct RejectsList<'a> {
    path: &'a Path,
    begun: Option<(Staged, BufWriter<File>)>,
}

impl<'a> RejectsList<'a> {
    /// An empty one, that is to have this name.
    pub(super) fn new(path: &'a Path) -> Self {
        Self { path, begun: None }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn add(&mut self, rejected: &Rejected) -> Result<(), ScoreError> {
        let io = |error| FileError::io("write", self.path, error);
        if self.begun.is_none() {
            // What is there is of an earlier table: others' files are refused before anything begins.
            let staged = Staged::create(self.path, Existing::IsReplaced)?;
            let mut writer = BufWriter::new(staged.writer()?);
            writer.write_all(b"ordinal\tid\treason\n").map_err(io)?;
            self.begun = Some((staged, writer));
        }
        if let Some((_, writer)) = &mut self.begun {
            let Rejected { ordinal, rejection } = rejected;
            // Ids have no blanks.
            writeln!(writer, "{ordinal}\t{}\t{}", rejection.id, rejection.reason).map_err(io)?;
        }
        Ok(())
    }

    /// Gives the list its name, if it has records; else one that is there is removed.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn publish(self) -> Result<Option<PathBuf>, ScoreError> {
        let Some((staged, mut writer)) = self.begun else {
            let _ = fs::remove_file(self.path);
            return Ok(None);
        };
        let flushed = writer.flush();
        flushed.map_err(|error| FileError::io("write", self.path, error))?;
        Ok(Some(staged.publish(Keep::Safely)?))
    }
}
