//! What is durable of an output, entered into its ledger.

use super::{
    Frontier, HashedFile, RejectsSpool, SinkError,
    ledger::{Commit, Entry, Ledger, PartFile, now},
    place::Place,
};
use crate::{
    fasta::{self, Input},
    file::{Existing, Keep, Staged},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// The ledger of an output, and the files that its lines are about.
pub(super) struct Books {
    place: Place,
    pub(super) ledger: Ledger,
    /// Those of the run.
    inputs: Vec<Input>,
    rejects: RejectsSpool,
    /// Another process has taken the output over.
    is_lost: Arc<AtomicBool>,
    /// When the commit before was made, or the run began.
    since: Instant,
}

/// A commit that there is room for: its files are on the disk, under temporary names.
pub(super) struct Secured {
    commit: Commit,
    rejects: Option<Staged>,
}

impl Books {
    pub(super) fn new(
        place: Place,
        ledger: Ledger,
        inputs: Vec<Input>,
        rejects: RejectsSpool,
        is_lost: Arc<AtomicBool>,
    ) -> Self {
        Self {
            place,
            ledger,
            inputs,
            rejects,
            is_lost,
            since: Instant::now(),
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Checks that the output still belongs to this process.
    ///
    /// # Errors
    /// If it does not.
    pub(super) fn check(&self) -> Result<(), SinkError> {
        if self.is_lost.load(Ordering::Acquire) {
            return Err(SinkError::TakenOver(self.place.output().to_owned()));
        }
        if !self.ledger.is_in_place() {
            return Err(SinkError::LedgerGone(self.place.ledger()));
        }
        Ok(())
    }

    /// Puts the file of a part, if it has rows, and its rejections on the disk, and finds room for the
    /// line that will make them count.
    ///
    /// # Errors
    /// If the file system refuses. It is as if nothing had been tried then.
    pub(super) fn secure(
        &mut self,
        part: Option<(&Staged, &HashedFile)>,
        from: &Frontier,
        to: &Frontier,
    ) -> Result<Secured, SinkError> {
        let (rejects, rejects_file) = self.rejects(from, to)?.unzip();
        let file = match part {
            None => None,
            Some((staged, written)) => {
                sync(staged)?;
                Some(part_file(self.place.part_name(from.record), written))
            }
        };
        self.ledger.make_room()?;
        let inputs = to
            .next
            .as_ref()
            .and_then(|next| fasta::inputs_state(&self.inputs, next.input + 1));
        let (before, after) = (from.tally, to.tally);
        let commit = Commit {
            from: from.record,
            to: to.record,
            rows: after.rows - before.rows,
            rejected: after.rejected - before.rejected,
            truncated: after.truncated - before.truncated,
            residues: after.residues - before.residues,
            tokens: after.tokens - before.tokens,
            before: from.hash.to_hex(),
            hash: to.hash.to_hex(),
            first: from
                .next
                .clone()
                .filter(|_| self.place.is_shard() && from.record == 0),
            file,
            rejects: rejects_file,
            next: to.next.clone(),
            inputs,
            at: now(),
            seconds: self.since.elapsed().as_secs_f64(),
        };
        Ok(Secured { commit, rejects })
    }

    /// Gives the files their names, and enters them. `part` is the file of the part.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn enter(
        &mut self,
        part: Option<Staged>,
        secured: Secured,
    ) -> Result<Commit, SinkError> {
        let Secured { commit, rejects } = secured;
        for staged in part.into_iter().chain(rejects) {
            staged.publish(Keep::Safely)?;
        }
        self.ledger.append(&Entry::Commit(commit.clone()))?;
        self.since = Instant::now();
        Ok(commit)
    }

    /// The rejections between two frontiers, if there are any.
    fn rejects(
        &self,
        from: &Frontier,
        to: &Frontier,
    ) -> Result<Option<(Staged, PartFile)>, SinkError> {
        let range = from.tally.rejects_bytes..to.tally.rejects_bytes;
        if range.is_empty() {
            return Ok(None);
        }
        let name = Place::part_rejects_name(from.record);
        let path = self.place.bookkeeping().join(&name);
        let staged = Staged::create_like(self.place.output(), &path, Existing::IsReplaced)?;
        let mut written = HashedFile::new(staged.writer()?);
        let copied = self.rejects.copy(range, &mut written);
        copied.map_err(|error| SinkError::io("write", &path, error))?;
        sync(&staged)?;
        Ok(Some((staged, part_file(name, &written))))
    }
}

fn part_file(name: String, written: &HashedFile) -> PartFile {
    PartFile {
        name,
        bytes: written.n_bytes(),
        blake3: written.hash(),
    }
}

/// Has a file on the disk.
///
/// # Errors
/// If the file system refuses.
pub(super) fn sync(staged: &Staged) -> Result<(), SinkError> {
    let synced = staged.writer()?.sync_all();
    synced.map_err(|error| SinkError::io("write", staged.target(), error))
}
