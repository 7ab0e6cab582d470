//! The thread that puts rows into the one file of many parts while they are written into a part, so that nobody has to
//! read them again.

use super::{shared_stitching::SharedStitching, stitching::Stitching};
use arrow_array::RecordBatch;
use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

/// Rows that wait, some MiB each.
const WAITING: usize = 8;

/// Puts rows into the one file of many parts, which counts them when their part is there. It gives that file up as soon as
/// a part does not follow the one before.
pub(super) struct Ahead {
    stitching: SharedStitching,
    /// Where the next part has to begin.
    next: u64,
    work: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
}

/// What is to be done.
enum Work {
    /// A part begins with this record.
    Begin(u64),
    Rows(RecordBatch),
    /// The part ends before this record.
    End(u64),
}

impl Ahead {
    /// Starts the thread, if rows can come ahead of their parts.
    ///
    /// # Errors
    /// If the system has no room for a thread.
    pub(super) fn start(stitching: &SharedStitching) -> io::Result<Option<Self>> {
        if !stitching.is(Stitching::can_go_ahead) {
            return Ok(None);
        }
        let (work, to_do) = sync_channel(WAITING);
        let shared = stitching.clone();
        let thread = thread::Builder::new()
            .name("writing output".to_owned())
            .spawn(move || run(&shared, &to_do))?;
        stitching.step(|stitching| Some(stitching.ahead()));
        Ok(Some(Self {
            stitching: stitching.clone(),
            next: 0,
            work: Some(work),
            thread: Some(thread),
        }))
    }

    /// A part begins with this record.
    pub(super) fn begin(&mut self, from: u64) {
        if from == self.next {
            self.send(Work::Begin(from));
        } else {
            self.stitching.give_up();
            self.work = None;
        }
    }

    /// Takes rows of the part. It waits if the thread is behind.
    pub(super) fn take(&self, rows: RecordBatch) {
        self.send(Work::Rows(rows));
    }

    /// The part, or a stretch of records without rows, ends before this record.
    pub(super) fn end(&mut self, to: u64, has_rows: bool) {
        self.next = to;
        if has_rows {
            self.send(Work::End(to));
        }
    }

    /// Waits until all that was taken is in the file, or it was given up.
    pub(super) fn finish(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.stitching.give_up();
        }
    }

    fn send(&self, work: Work) {
        if let Some(sender) = &self.work {
            // If the thread is gone, so is the file.
            let _ = sender.send(work);
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.finish();
    }
}

fn run(stitching: &SharedStitching, work: &Receiver<Work>) {
    for work in work {
        stitching.step(|stitching| match work {
            Work::Begin(from) => stitching.begin_ahead(from),
            Work::Rows(rows) => stitching.take(&rows),
            Work::End(to) => stitching.end_ahead(to),
        });
    }
}
