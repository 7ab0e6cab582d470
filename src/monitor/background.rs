//! A file that a thread of its own writes.

use super::MonitorError;
use crate::{event::EventSender, hint::Hint};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Writes that may wait for the disk. With one more, whoever sends it waits: nothing is left out.
const MOST_WAITING: usize = 4096;

/// How long anyone waits for the disk. One that is merely slow makes room within milliseconds; one that
/// does not in this time has stalled, and a run must not hang because its measurements cannot be written.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Time between two looks whether there is room. A channel of the standard library has no `send_timeout`.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Writes something, or says that it could not.
type Write<T> = Box<dyn FnOnce(&mut T) -> Result<(), Failed> + Send>;

/// Nothing more can be written to the file.
struct Failed;

enum Request<T> {
    Write(Write<T>),
    End,
}

/// What the thread of a file and those who send to it know of the file.
struct State {
    path: PathBuf,
    /// How long anyone waits for the disk.
    longest_wait: Duration,
    /// The disk has stalled: nobody waits for it any more, and nothing more is written.
    given_up: AtomicBool,
}

impl State {
    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// Gives the file up, and gives the reason to whoever is the first to do so.
    fn give_up(&self) -> Option<MonitorError> {
        if self.given_up.swap(true, Ordering::AcqRel) {
            return None;
        }
        let reason = format!("the disk has stalled for {:?}", self.longest_wait);
        Some(MonitorError::io(
            &self.path,
            io::Error::new(io::ErrorKind::TimedOut, reason),
        ))
    }
}

/// Nobody waits any longer for the disk.
struct Stalled;

/// A file that a thread of its own writes, in the order of what it is sent. Dropping this waits until all
/// of it is written, unless the disk stalls: then the thread is left to itself.
pub(super) struct Background<T> {
    writer: Writer<T>,
    /// The thread gives the file back, unless it had to give it up.
    thread: Option<JoinHandle<Option<T>>>,
}

/// Where the writes of a file are sent. Clones send to the same file.
pub(super) struct Writer<T> {
    requests: SyncSender<Request<T>>,
    state: Arc<State>,
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self {
            requests: self.requests.clone(),
            state: self.state.clone(),
        }
    }
}

impl<T: Send + 'static> Background<T> {
    /// Begins the thread of a file, which is at `path`.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub(super) fn begin(file: T, path: &Path) -> Result<Self, MonitorError> {
        Self::begin_with(file, path, LONGEST_WAIT)
    }

    fn begin_with(file: T, path: &Path, longest_wait: Duration) -> Result<Self, MonitorError> {
        let (sender, requests) = sync_channel(MOST_WAITING);
        let state = Arc::new(State {
            path: path.to_owned(),
            longest_wait,
            given_up: AtomicBool::new(false),
        });
        let thread = thread::Builder::new()
            .name("recorder".to_owned())
            .spawn({
                let state = state.clone();
                move || write_all(file, &requests, &state)
            })
            .map_err(|error| MonitorError::io(path, error))?;
        Ok(Self {
            writer: Writer {
                requests: sender,
                state,
            },
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
        let state = &self.writer.state;
        let deadline = Instant::now() + state.longest_wait;
        if self.writer.send(Request::End).is_err() {
            state.give_up();
        }
        while !thread.is_finished() {
            if state.is_given_up() {
                // It may never end. Without its handle it is on its own.
                return None;
            }
            if Instant::now() >= deadline {
                state.give_up();
            }
            thread::sleep(LOOK_EVERY);
        }
        // A thread that panicked has said so, and has no file any more.
        thread.join().ok()?
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<T> Writer<T> {
    /// Sends a request when there is room, unless the disk makes none in the time it has.
    fn send(&self, mut request: Request<T>) -> Result<(), Stalled> {
        let deadline = Instant::now() + self.state.longest_wait;
        loop {
            match self.requests.try_send(request) {
                // Without its thread the file has ended.
                Ok(()) | Err(TrySendError::Disconnected(_)) => return Ok(()),
                Err(TrySendError::Full(back)) => request = back,
            }
            if self.state.is_given_up() || Instant::now() >= deadline {
                return Err(Stalled);
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl<T: 'static> Writer<T> {
    /// Has something written. The first failure is a warning, and the end of the file: a run must not
    /// end because a disk is too full for its measurements. A disk that stalls is such a failure too.
    pub(super) fn write(
        &self,
        events: &EventSender,
        write: impl FnOnce(&mut T) -> Result<(), MonitorError> + Send + 'static,
    ) {
        if self.state.is_given_up() {
            return;
        }
        let (thread_events, state) = (events.clone(), self.state.clone());
        let write: Write<T> = Box::new(move |file| {
            write(file).map_err(|error| {
                // Of a file that was given up there was a warning already.
                if !state.is_given_up() {
                    warn(&thread_events, &error);
                }
                Failed
            })
        });
        if self.send(Request::Write(write)).is_err() {
            self.give_up(events);
        }
    }

    /// Waits until all that was sent before is written, or the disk has stalled, which is a warning.
    pub(super) fn wait(&self, events: &EventSender) {
        if self.state.is_given_up() {
            return;
        }
        let (done, is_done) = mpsc::channel::<()>();
        let write: Write<T> = Box::new(move |_| {
            drop(done);
            Ok(())
        });
        // Nothing is ever sent: that the other end is gone tells it, also where the file is.
        if self.send(Request::Write(write)).is_err()
            || is_done.recv_timeout(self.state.longest_wait) == Err(RecvTimeoutError::Timeout)
        {
            self.give_up(events);
        }
    }

    fn give_up(&self, events: &EventSender) {
        if let Some(error) = self.state.give_up() {
            warn(events, &error);
        }
    }
}

fn warn(events: &EventSender, error: &MonitorError) {
    events.warn(format!(
        "{}; the run goes on without this file",
        error.in_full()
    ));
}

/// Writes what is sent until the end, or until nobody waits for it any more.
fn write_all<T>(file: T, requests: &Receiver<Request<T>>, state: &State) -> Option<T> {
    let mut file = Some(file);
    while let Ok(Request::Write(write)) = requests.recv() {
        if state.is_given_up() {
            return None;
        }
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
    use std::sync::mpsc::channel;

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
        writer.wait(&events);
        let numbers = background.end().unwrap();
        assert!(numbers.iter().copied().eq(0..n_writes));
        // What comes later has nowhere to go, and is no hindrance.
        writer.write(&events, |_| Ok(()));
        writer.wait(&events);
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
        writer.wait(&events);
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

    #[test]
    fn a_disk_that_stalls_is_one_warning_and_holds_nobody_up() {
        let longest_wait = Duration::from_millis(100);
        let background = Background::begin_with((), Path::new("t.json"), longest_wait).unwrap();
        let (events, received) = EventSender::channel();
        let writer = background.writer();
        let (go, wait) = channel::<()>();
        writer.write(&events, move |()| {
            let _ = wait.recv();
            Err(full())
        });
        let start = Instant::now();
        for _ in 0..2 * MOST_WAITING {
            writer.write(&events, |()| Ok(()));
        }
        writer.wait(&events);
        assert!(background.end().is_none());
        assert!(start.elapsed() >= longest_wait);
        assert!(start.elapsed() < Duration::from_secs(5), "it waits once");
        // The write that stalled fails later, and that is no second warning.
        drop(go);
        drop(writer);
        thread::sleep(Duration::from_millis(50));
        assert_stalled(received.try_iter());
    }

    #[test]
    fn the_end_of_a_run_waits_no_longer_than_it_may() {
        let longest_wait = Duration::from_millis(100);
        let background = Background::begin_with((), Path::new("t.json"), longest_wait).unwrap();
        let (events, received) = EventSender::channel();
        let writer = background.writer();
        // Kept to the end of the test.
        let (_go, wait) = channel::<()>();
        writer.write(&events, move |()| {
            let _ = wait.recv();
            Ok(())
        });
        let start = Instant::now();
        writer.wait(&events);
        writer.wait(&events);
        drop(background);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_stalled(received.try_iter());
    }

    fn assert_stalled(events: impl Iterator<Item = Event>) {
        let warnings: Vec<_> = events
            .map(|event| match event {
                Event::Warning { message } => message,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].ends_with("the run goes on without this file"));
        assert!(warnings[0].contains("`t.json`"), "{warnings:?}");
        assert!(warnings[0].contains("stalled"), "{warnings:?}");
    }
}
