//! The thread that makes parts durable, so that the writing stage need not wait for the disk, and that puts
//! them together when it has time.

use super::{
    Frontier, HashedFile, SinkError, books::Books, ledger::Ledger, open_part::WrittenPart,
    rescue::Rescue, shared_stitching::SharedStitching, stitching::Stitching,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// A part to be made durable.
pub(super) struct Job {
    /// Its file, and what is in it, or why it is not complete: then what fits of it is made durable. Nothing,
    /// if it has no rows.
    pub(super) part: Option<(WrittenPart, Result<HashedFile, SinkError>)>,
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
    /// Starts the thread.
    pub(super) fn start(
        books: Books,
        rescue: Rescue,
        stitching: SharedStitching,
    ) -> Result<Self, SinkError> {
        // One may wait while a part is copied.
        let (jobs, waiting) = sync_channel(1);
        let n_waiting = Arc::<AtomicUsize>::default();
        let worker = Worker {
            n_waiting: n_waiting.clone(),
            books,
            rescue,
            stitching,
        };
        let bookkeeping = worker.books.place().bookkeeping().to_owned();
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

    /// Hands over a part, and waits until no more than one is before it; of a part that is not complete,
    /// until what fits is durable.
    ///
    /// # Errors
    /// If one before it failed, or it is not complete.
    pub(super) fn commit(&mut self, job: Job) -> Result<(), SinkError> {
        let Some(jobs) = &self.jobs else {
            return Err(SinkError::Uncommitted);
        };
        self.n_waiting.fetch_add(1, Ordering::AcqRel);
        let is_torn = matches!(job.part, Some((_, Err(_))));
        match jobs.send(job) {
            Ok(()) if !is_torn => Ok(()),
            _ => Err(self.failure()),
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
    books: Books,
    rescue: Rescue,
    stitching: SharedStitching,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) -> Result<Committed, SinkError> {
        loop {
            // Parts are put together while nothing is to be committed.
            let next = match self.stitching.is(Stitching::is_behind) {
                true => jobs.try_recv(),
                false => jobs.recv().map_err(TryRecvError::from),
            };
            match next {
                Ok(job) => {
                    self.stitching.step(Stitching::unless_in_the_way);
                    self.commit(job)?;
                    self.n_waiting.fetch_sub(1, Ordering::AcqRel);
                }
                Err(TryRecvError::Empty) => self.stitching.step(Stitching::advance),
                Err(TryRecvError::Disconnected) => {
                    return Ok(Committed {
                        ledger: self.books.ledger,
                        stitching: self.stitching.take(),
                    });
                }
            }
        }
    }

    /// Commits what there is room for. A part without all its rows is an error all the same.
    fn commit(&mut self, job: Job) -> Result<(), SinkError> {
        self.books.check()?;
        let Job { part, from, to } = job;
        let commit = match part {
            None => {
                let secured = self.books.secure(None, &from, &to)?;
                self.books.enter(None, secured)?
            }
            Some((mut part, written)) => {
                let settled = part.settle();
                let is_on_disk = settled.is_ok();
                let secured = written.and_then(|written| {
                    settled?;
                    let file = Some((&part.staged, &written));
                    self.books.secure(file, &from, &to)
                });
                match secured {
                    Ok(secured) => self.books.enter(Some(part.staged), secured)?,
                    Err(error) => {
                        if error.is_for_want_of_room() {
                            // What it takes may be what the parts lack.
                            self.stitching.give_up();
                            self.rescue.run(&mut self.books, part, from, is_on_disk);
                        }
                        return Err(error);
                    }
                }
            }
        };
        self.stitching.step(|stitching| stitching.with(&commit));
        Ok(())
    }
}
