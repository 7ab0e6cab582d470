//! A file that a thread of its own writes.

use super::MonitorError;
use crate::{event::EventSender, hint::Hint};
use std::{
    path::Path,
    sync::mpsc::{self, Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

/// Writes that may wait for the disk. With one more, whoever sends it waits: nothing is left out.
const MOST_WAITING: usize = 4096;

/// Writes something, or says that it could not.
type Write<T> = Box<dyn FnOnce(&mut T) -> Result<(), Failed> + Send>;

/// Nothing more can be written to the file.
struct Failed;

enum Request<T> {
    Write(Write<T>),
    End,
}

/// A file that a thread of its own writes, in the order of what it is sent. Dropping this waits until all
/// of it is written.
pub(super) struct Background<T> {
    writer: Writer<T>,
    /// The thread gives the file back, unless it had to give it up.
    thread: Option<JoinHandle<Option<T>>>,
}

/// Where the writes of a file are sent. Clones send to the same file.
pub(super) struct Writer<T>(SyncSender<Request<T>>);

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> Background<T> {
    /// Begins the thread of a file, which is at `path`.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub(super) fn begin(file: T, path: &Path) -> Result<Self, MonitorError> {
        let (sender, requests) = sync_channel(MOST_WAITING);
        let thread = thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || write_all(file, &requests))
            .map_err(|error| MonitorError::io(path, error))?;
        Ok(Self {
            writer: Writer(sender),
            thread: Some(thread),
        })
    }

    /// Where writes are sent.
    pub(super) fn writer(&self) -> Writer<T> {
        self.writer.clone()
    }

    /// Ends the thread when all is written, and gives the file back, unless it had to be given up.
    pub(super) fn end(mut self) -> Option<T> {
        self.stop()
    }
}

impl<T> Background<T> {
    fn stop(&mut self) -> Option<T> {
        let thread = self.thread.take()?;
        // A thread that panicked has said so, and has no file any more.
        let _ = self.writer.0.send(Request::End);
        thread.join().ok()?
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<T: 'static> Writer<T> {
    /// Has something written. The first failure is a warning, and the end of the file: a run must not
    /// end because a disk is too full for its measurements.
    pub(super) fn write(
        &self,
        events: &EventSender,
        write: impl FnOnce(&mut T) -> Result<(), MonitorError> + Send + 'static,
    ) {
        let events = events.clone();
        self.send(Box::new(move |file| {
            write(file).map_err(|error| {
                events.warn(format!(
                    "{}; the run goes on without this file",
                    error.in_full()
                ));
                Failed
            })
        }));
    }

    /// Waits until all that was sent before is written.
    pub(super) fn wait(&self) {
        let (done, is_done) = mpsc::channel::<()>();
        self.send(Box::new(move |_| {
            drop(done);
            Ok(())
        }));
        // Nothing is ever sent: that the other end is gone tells it, also where the file is.
        let _ = is_done.recv();
    }

    fn send(&self, write: Write<T>) {
        // Without its thread the file has ended.
        let _ = self.0.send(Request::Write(write));
    }
}

/// Writes what is sent until the end.
fn write_all<T>(file: T, requests: &Receiver<Request<T>>) -> Option<T> {
    let mut file = Some(file);
    while let Ok(Request::Write(write)) = requests.recv() {
        if let Some(open) = &mut file
            && write(open).is_err()
        {
            file = None;
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use std::{io, sync::mpsc::channel, time::Duration};

    fn full() -> MonitorError {
        MonitorError::io(Path::new("m.csv"), io::ErrorKind::StorageFull.into())
    }

    #[test]
    fn nothing_is_left_out_where_writing_is_slow() {
        let background = Background::begin(Vec::new(), Path::new("v")).unwrap();
        let (events, _) = EventSender::channel();
        let writer = background.writer();
        let (go, wait) = channel::<()>();
        writer.write(&events, move |_: &mut Vec<usize>| {
            let _ = wait.recv();
            Ok(())
        });
        let n_writes = MOST_WAITING + 100;
        let sending = thread::spawn({
            let (writer, events) = (writer.clone(), events.clone());
            move || {
                for n in 0..n_writes {
                    writer.write(&events, move |numbers| {
                        numbers.push(n);
                        Ok(())
                    });
                }
            }
        });
        thread::sleep(Duration::from_millis(50));
        assert!(!sending.is_finished(), "there is no room for all of them");
        drop(go);
        sending.join().unwrap();
        writer.wait();
        let numbers = background.end().unwrap();
        assert!(numbers.iter().copied().eq(0..n_writes));
        // What comes later has nowhere to go, and is no hindrance.
        writer.write(&events, |_| Ok(()));
        writer.wait();
    }

    #[test]
    fn a_full_disk_is_one_warning() {
        let background = Background::begin(0, Path::new("v")).unwrap();
        let (events, received) = EventSender::channel();
        let writer = background.writer();
        for n in 0..5 {
            writer.write(&events, move |n_writes: &mut i32| {
                *n_writes += 1;
                match n {
                    0 => Ok(()),
                    _ => Err(full()),
                }
            });
        }
        writer.wait();
        assert_eq!(background.end(), None);
        let warnings: Vec<_> = received
            .try_iter()
            .map(|event| match event {
                Event::Warning { message } => message,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].ends_with("the run goes on without this file"));
        assert!(warnings[0].contains("`m.csv`"), "{warnings:?}");
    }
}
