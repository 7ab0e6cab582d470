//! The thread that makes parts durable, so that the writing stage need not wait for the disk, and that puts
//! them together when it has time.

use super::{
    Frontier, HashedFile, RejectsSpool, SinkError,
    ledger::{Commit, Entry, Ledger, PartFile, now},
    place::Place,
    stitching::Stitching,
};
use crate::{
    fasta::{self, Input},
    file::{Existing, Keep, Staged},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

/// A part that is complete, to be made durable.
pub(super) struct Job {
    /// Its file, under a temporary name. Nothing, if it has no rows.
    pub(super) file: Option<(Staged, HashedFile)>,
    /// Where it begins.
    pub(super) from: Frontier,
    /// Where it ends.
    pub(super) to: Frontier,
}

/// The thread that makes parts durable, one after the other.
pub(super) struct Committer {
    jobs: Option<SyncSender<Job>>,
    /// Parts that were handed over and are not durable.
    n_waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Result<Committed, SinkError>>>,
}

/// What is left when all is durable.
pub(super) struct Committed {
    pub(super) ledger: Ledger,
    /// The output as far as parts are put together, if they are.
    pub(super) stitching: Option<Stitching>,
}

impl Committer {
    /// Starts the thread. `inputs` are those of the run.
    pub(super) fn start(
        place: Place,
        ledger: Ledger,
        inputs: Vec<Input>,
        rejects: RejectsSpool,
        is_lost: Arc<AtomicBool>,
        stitching: Option<Stitching>,
    ) -> Result<Self, SinkError> {
        // One may wait while a part is copied.
        let (jobs, waiting) = sync_channel(1);
        let n_waiting = Arc::<AtomicUsize>::default();
        let worker = Worker {
            n_waiting: n_waiting.clone(),
            is_lost,
            since: Instant::now(),
            place,
            left: Committed { ledger, stitching },
            inputs,
            rejects,
        };
        let bookkeeping = worker.place.bookkeeping().to_owned();
        let thread = thread::Builder::new()
            .name("committing".to_owned())
            .spawn(move || worker.run(&waiting))
            .map_err(|error| SinkError::io("commit to", &bookkeeping, error))?;
        Ok(Self {
            jobs: Some(jobs),
            n_waiting,
            thread: Some(thread),
        })
    }

    /// Whether what was handed over is durable.
    ///
    /// # Errors
    /// If it could not be written.
    pub(super) fn is_free(&mut self) -> Result<bool, SinkError> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(self.failure());
        }
        Ok(self.n_waiting.load(Ordering::Acquire) == 0)
    }

    /// Hands over a part, and waits until no more than one is before it.
    ///
    /// # Errors
    /// If one before it failed.
    pub(super) fn commit(&mut self, job: Job) -> Result<(), SinkError> {
        let Some(jobs) = &self.jobs else {
            return Err(SinkError::Uncommitted);
        };
        self.n_waiting.fetch_add(1, Ordering::AcqRel);
        match jobs.send(job) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure()),
        }
    }

    /// Waits until all is durable.
    ///
    /// # Errors
    /// If something could not be written.
    pub(super) fn finish(mut self) -> Result<Committed, SinkError> {
        self.join()
    }

    fn failure(&mut self) -> SinkError {
        self.join().err().unwrap_or(SinkError::Uncommitted)
    }

    fn join(&mut self) -> Result<Committed, SinkError> {
        self.jobs = None;
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(result)) => result,
            // Its failure has been told already, or it panicked.
            None | Some(Err(_)) => Err(SinkError::Uncommitted),
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // An abandoned run: what it was given it still makes durable.
            let _ = self.join();
        }
    }
}

struct Worker {
    n_waiting: Arc<AtomicUsize>,
    /// Another process has taken the output over.
    is_lost: Arc<AtomicBool>,
    /// When the commit before was made, or the run began.
    since: Instant,
    place: Place,
    left: Committed,
    inputs: Vec<Input>,
    rejects: RejectsSpool,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) -> Result<Committed, SinkError> {
        loop {
            // Parts are put together while nothing is to be committed.
            let stitching = self.left.stitching.as_ref();
            let next = match stitching.is_some_and(Stitching::is_behind) {
                true => jobs.try_recv(),
                false => jobs.recv().map_err(TryRecvError::from),
            };
            match next {
                Ok(job) => {
                    self.stitch(Stitching::unless_in_the_way);
                    self.commit(job)?;
                    self.n_waiting.fetch_sub(1, Ordering::AcqRel);
                }
                Err(TryRecvError::Empty) => self.stitch(Stitching::advance),
                Err(TryRecvError::Disconnected) => return Ok(self.left),
            }
        }
    }

    /// Goes on with putting parts together, or gives it up.
    fn stitch(&mut self, step: impl FnOnce(Stitching) -> Option<Stitching>) {
        self.left.stitching = self.left.stitching.take().and_then(step);
    }

    /// The part's file, then its rejections, then the line that makes both count.
    fn commit(&mut self, job: Job) -> Result<(), SinkError> {
        if self.is_lost.load(Ordering::Acquire) {
            return Err(SinkError::TakenOver(self.place.output().to_owned()));
        }
        if !self.left.ledger.is_in_place() {
            return Err(SinkError::LedgerGone(self.place.ledger()));
        }
        let Job { file, from, to } = job;
        let file = match file {
            None => None,
            Some((staged, written)) => {
                let part = PartFile {
                    name: self.place.part_name(from.record),
                    bytes: written.n_bytes(),
                    blake3: written.hash(),
                };
                staged.publish(Keep::Safely)?;
                Some(part)
            }
        };
        let rejects = self.commit_rejects(&from, &to)?;
        let inputs = to
            .next
            .as_ref()
            .and_then(|next| fasta::inputs_state(&self.inputs, next.input + 1));
        let seconds = self.since.elapsed().as_secs_f64();
        self.since = Instant::now();
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
                .filter(|_| self.place.is_shard() && from.record == 0),
            file,
            rejects,
            next: to.next,
            inputs,
            at: now(),
            seconds,
        };
        self.stitch(|stitching| stitching.with(&commit));
        self.left.ledger.append(&Entry::Commit(commit))
    }

    fn commit_rejects(
        &self,
        from: &Frontier,
        to: &Frontier,
    ) -> Result<Option<PartFile>, SinkError> {
        let range = from.tally.rejects_bytes..to.tally.rejects_bytes;
        if range.is_empty() {
            return Ok(None);
        }
        let name = Place::part_rejects_name(from.record);
        let path = self.place.bookkeeping().join(&name);
        let staged = Staged::create(&path, Existing::IsReplaced)?;
        let mut written = HashedFile::new(staged.writer()?);
        let copied = self.rejects.copy(range, &mut written);
        copied.map_err(|error| SinkError::io("write", &path, error))?;
        let part = PartFile {
            name,
            bytes: written.n_bytes(),
            blake3: written.hash(),
        };
        staged.publish(Keep::Safely)?;
        Ok(Some(part))
    }
}
