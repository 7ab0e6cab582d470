//! Shows what happens while it happens.
//!
//! *Input*: [`Event`]s. *Output*: bars, lines or JSON lines on standard error, and what scripts
//! print on standard output. *Owns*: the terminal. *Never*: slows a run down, or writes anything
//! but a script's own output to standard output.

mod bars;
mod console;
mod download;
mod echo;
mod json;
mod lanes;
mod lines;
mod tally;

use crate::{
    event::{Event, EventSender, Heard, Kept},
    job::Shard,
    text::{in_number, printable},
};
use indicatif::HumanCount;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tally::Tally;

pub use console::{Console, LogWriter};
pub use echo::leave as leave_terminal;

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
///
/// Dropping it waits until everything that was sent has been shown.
pub struct Progress {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
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
                match events.receive_within(TICK) {
                    Heard::Event(event) => {
                        tally.add(&event);
                        listener.hear(&event, &tally);
                    }
                    Heard::End => break,
                    // A sender that outlives the run must not keep the program from ending.
                    Heard::Nothing if stopped.load(Ordering::Acquire) => break,
                    Heard::Nothing => {}
                }
                if last_tick.elapsed() >= TICK {
                    listener.tick(&tally);
                    last_tick = Instant::now();
                }
            }
        });
        let thread = Some(thread);
        (Self { stop, thread }, sender)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A listener that panicked has said so already, and must not hide the run's own result.
            let _ = thread.join();
        }
    }
}

/// The line for an event that every style shows, if it is one.
fn warning(event: &Event) -> Option<String> {
    let warning = match event {
        Event::Warning { message } => format!("warning: {message}"),
        Event::Bottleneck { bottleneck } => format!("warning: {bottleneck}"),
        Event::ReaderFailed { reader, reason } => {
            format!("warning: reader {reader} is replaced: {reason}")
        }
        _ => return None,
    };
    Some(printable(&warning).into_owned())
}

/// The line for an event that is worth one where progress is shown, if it is one.
fn news(event: &Event) -> Option<String> {
    let news = match event {
        Event::SkippingRecords { input, records } => {
            format!("reading again to record {records} of `{input}`")
        }
        Event::Shard { shard, by } => format!("shard {shard} ({by})"),
        Event::SkippingBytes { input, input_bytes } => format!(
            "reading `{input}` from its beginning, as it cannot be entered at byte {}, where the shard begins",
            HumanCount(*input_bytes)
        ),
        Event::Resumed {
            rows,
            finished: true,
            ..
        } => format!(
            "nothing to compute: all {} {} there already",
            HumanCount(*rows),
            rows_are(*rows)
        ),
        Event::Resumed { records, rows, .. } => format!(
            "going on after record {}: {} {} there already",
            HumanCount(*records),
            HumanCount(*rows),
            rows_are(*rows)
        ),
        Event::RunFinished {
            kept: Some(Kept { rows, folder }),
            ..
        } => format!(
            "{} {} kept in `{}`: run the same command again to go on{}",
            HumanCount(*rows),
            rows_are(*rows),
            folder.display(),
            as_shard(folder)
        ),
        event => download::news(event)?,
    };
    Some(printable(&news).into_owned())
}

/// What is to be said to go on with a shard, by the folder that it is in.
fn as_shard(folder: &Path) -> String {
    let name = folder.file_name().and_then(|name| name.to_str());
    let shard = name.and_then(Shard::of_folder_name);
    shard.map_or_else(String::new, |shard| format!(", with `--shard {shard}`"))
}

fn rows_are(rows: u64) -> &'static str {
    in_number(rows, "row is", "rows are")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_cannot_command_the_terminal() {
        let check = |event: Event, expect: &str| {
            assert_eq!(warning(&event).as_deref(), Some(expect));
        };
        let message = "`e\u{1b}[31mred.fa` holds no records".to_owned();
        let expect = r"warning: `e\u{1b}[31mred.fa` holds no records";
        check(Event::Warning { message }, expect);
        let failed = Event::ReaderFailed {
            reader: 0,
            reason: "its last words: \u{9b}2J".to_owned(),
        };
        let expect = r"warning: reader 0 is replaced: its last words: \u{9b}2J";
        check(failed, expect);
        let again = Event::SkippingRecords {
            input: "e\u{1b}[31m.fa.gz".to_owned(),
            records: 7,
        };
        let expect = r"reading again to record 7 of `e\u{1b}[31m.fa.gz`";
        assert_eq!(news(&again).as_deref(), Some(expect));
        let failed = Event::RunFinished {
            sequences: 0,
            tokens: 0,
            seconds: 1.0,
            output: None,
            error: Some("the disk is full".to_owned()),
            stopped: false,
            kept: Some(Kept {
                rows: 4000,
                folder: "e\u{1b}[31m.parts".into(),
            }),
        };
        let expect =
            r"4,000 rows are kept in `e\u{1b}[31m.parts`: run the same command again to go on";
        assert_eq!(news(&failed).as_deref(), Some(expect));
        let of_shard = as_shard(Path::new("e.parts/shard-00001-of-00004"));
        assert_eq!(of_shard, ", with `--shard 1/4`");
    }

    #[test]
    fn a_run_that_goes_on_says_from_where() {
        let check = |finished, expect: &str| {
            let resumed = Event::Resumed {
                records: 4321,
                rows: 4000,
                finished,
            };
            assert_eq!(news(&resumed).as_deref(), Some(expect));
        };
        check(
            false,
            "going on after record 4,321: 4,000 rows are there already",
        );
        check(true, "nothing to compute: all 4,000 rows are there already");
    }
}
