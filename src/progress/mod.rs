//! Shows what happens while it happens.
//!
//! *Input*: [`Event`]s. *Output*: bars, lines or JSON lines on standard error, and what scripts
//! print on standard output. *Owns*: the terminal. *Never*: slows a run down, or writes anything
//! but a script's own output to standard output.

mod bars;
mod console;
mod json;
mod lines;
mod tally;

use crate::event::{Event, EventSender};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tally::Tally;

pub use console::{Console, LogWriter};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bars that are drawn over and over, for terminals.
    Bars,
    /// A line now and then, for log files.
    Lines,
    /// Every event as a line of JSON.
    Json,
    /// Only warnings.
    Quiet,
}

/// One way of showing progress.
trait Listener {
    /// An event happened; `tally` counts it already.
    fn hear(&mut self, event: &Event, tally: &Tally);

    /// Some time has passed.
    fn tick(&mut self, tally: &Tally);
}

/// How long the listener goes without a look at the clock.
const TICK: Duration = Duration::from_millis(100);

/// The thread that shows progress.
pub struct Progress {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Progress {
    /// Starts showing the events that come through the sender.
    pub fn start(style: Style, console: &Console) -> (Self, EventSender) {
        let (sender, events) = EventSender::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let console = console.clone();
        let thread = thread::spawn(move || {
            let mut listener: Box<dyn Listener> = match style {
                Style::Bars => Box::new(bars::Bars::new(console)),
                Style::Lines => Box::new(lines::Lines::new(console)),
                Style::Json => Box::new(json::Json::new(console)),
                Style::Quiet => Box::new(lines::Lines::only_warnings(console)),
            };
            let mut tally = Tally::default();
            let mut last_tick = Instant::now();
            loop {
                match events.recv_timeout(TICK) {
                    Ok(event) => {
                        tally.add(&event);
                        listener.hear(&event, &tally);
                    }
                    // A sender that outlives the run must not keep the program from ending.
                    Err(_) if events.is_disconnected() || stopped.load(Ordering::Acquire) => break,
                    Err(_) => {}
                }
                if last_tick.elapsed() >= TICK {
                    listener.tick(&tally);
                    last_tick = Instant::now();
                }
            }
        });
        (Self { stop, thread }, sender)
    }

    /// Waits until everything that was sent has been shown.
    pub fn finish(self) {
        self.stop.store(true, Ordering::Release);
        // A listener that panicked has said so already, and must not hide the run's own result.
        let _ = self.thread.join();
    }
}

/// The line for an event that every style shows, if it is one.
fn warning(event: &Event) -> Option<String> {
    match event {
        Event::Warning { message } => Some(format!("warning: {message}")),
        Event::Bottleneck { bottleneck } => Some(format!("warning: {bottleneck}")),
        Event::ReaderFailed { reader, reason } => {
            Some(format!("warning: reader {reader} is replaced: {reason}"))
        }
        _ => None,
    }
}
