//! The way of events to whoever shows them: bounded, and never in the way of a run.

use super::Event;
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Events that wait as they are. When a terminal stands still there are soon more, and from then on
/// counts are added up and samples replaced.
const MOST_EVENTS: usize = 1024;
/// Warnings, and what readers do, that wait beside them; of more only the number is told.
const MOST_LATE_WARNINGS: usize = 64;
/// Bytes of a warning or of a reason. Ids and last words of readers can be long.
const MOST_TEXT_BYTES: usize = 8 << 10;
/// Bytes of the names of a run's inputs.
const MOST_INPUTS_BYTES: usize = 64 << 10;

/// Where stations send their events. Clones share one consumer.
#[derive(Clone)]
pub struct EventSender(Arc<Entrance>);

/// Where the consumer of events gets them from.
pub struct EventReceiver(Arc<Channel>);

/// What came of waiting for an event.
#[derive(Debug)]
pub enum Heard {
    /// The next event.
    Event(Event),
    /// Nothing so far.
    Nothing,
    /// Every sender is gone, and all was heard.
    End,
}

/// The entrance, which closes when its last sender is dropped.
struct Entrance(Arc<Channel>);

#[derive(Default)]
struct Channel {
    state: Mutex<State>,
    news: Condvar,
    /// Told when the consumer has dealt with all that it got.
    quiet: Condvar,
}

#[derive(Default)]
struct State {
    /// Events as they were sent.
    events: VecDeque<Event>,
    /// What was sent when there were too many of them, added up between the ends of runs.
    late: Vec<Event>,
    n_late_warnings: usize,
    n_left_out: usize,
    /// Whether the consumer is busy with an event that it got.
    is_at_work: bool,
    has_no_sender: bool,
    has_no_receiver: bool,
}

impl EventSender {
    /// A sender and the receiver that its consumer reads.
    ///
    /// Sending never waits: a slow terminal must not hold the pipeline up. What a run tells of itself
    /// while nobody listens takes bounded memory all the same: no count is lost, but many events become
    /// one; of samples the last one stays, of warnings the first and the number of the others. That runs
    /// began and ended is never lost.
    pub fn channel() -> (Self, EventReceiver) {
        let channel = Arc::new(Channel::default());
        let entrance = Arc::new(Entrance(channel.clone()));
        (Self(entrance), EventReceiver(channel))
    }

    /// Sends an event. Without a consumer it is dropped.
    pub fn send(&self, event: Event) {
        let channel = &self.0.0;
        let mut state = channel.lock();
        // No consumer means that nobody wants to see events, as in most tests.
        if !state.has_no_receiver {
            state.add(shortened(event));
            channel.news.notify_one();
        }
    }

    /// Waits until the consumer has dealt with all events, so that what is written after this stands below them; but
    /// no longer than `patience`, as a terminal may stand still.
    pub fn settle_within(&self, patience: Duration) {
        let channel = &self.0.0;
        let is_busy = |state: &mut State| {
            !state.has_no_receiver && (state.is_at_work || state.holds_events())
        };
        // It is as good when it takes too long.
        drop(
            channel
                .quiet
                .wait_timeout_while(channel.lock(), patience, is_busy),
        );
    }

    /// Sends [`Event::Warning`].
    pub fn warn(&self, message: impl Into<String>) {
        self.send(Event::Warning {
            message: message.into(),
        });
    }
}

impl EventReceiver {
    /// The next event. Waits no longer than `patience`.
    pub fn receive_within(&self, patience: Duration) -> Heard {
        let start = Instant::now();
        let mut state = self.0.lock();
        state.is_at_work = false;
        if !state.holds_events() {
            self.0.quiet.notify_all();
        }
        loop {
            if let Some(event) = state.next() {
                state.is_at_work = true;
                return Heard::Event(event);
            }
            let left = patience.saturating_sub(start.elapsed());
            if state.has_no_sender {
                return Heard::End;
            }
            if left.is_zero() {
                return Heard::Nothing;
            }
            let waited = self.0.news.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All events, until every sender is gone.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        std::iter::from_fn(|| {
            loop {
                match self.receive_within(Duration::from_secs(1)) {
                    Heard::Event(event) => return Some(event),
                    Heard::Nothing => {}
                    Heard::End => return None,
                }
            }
        })
    }

    /// The events that are there.
    pub fn try_iter(&self) -> impl Iterator<Item = Event> + '_ {
        std::iter::from_fn(|| self.0.lock().next())
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.0.lock().has_no_sender = true;
        self.0.news.notify_one();
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        *self.0.lock() = State {
            has_no_receiver: true,
            ..State::default()
        };
        self.0.quiet.notify_all();
    }
}

impl Channel {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn holds_events(&self) -> bool {
        !self.events.is_empty() || !self.late.is_empty() || self.n_left_out > 0
    }

    fn next(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            self.events.extend(self.late.drain(..));
            if self.n_left_out > 0 {
                self.events.push_back(Event::Warning {
                    message: format!(
                        "{} more warnings were left out, because nobody read them in time",
                        self.n_left_out
                    ),
                });
            }
            (self.n_late_warnings, self.n_left_out) = (0, 0);
        }
        self.events.pop_front()
    }

    fn add(&mut self, event: Event) {
        // In the order in which they were sent: once something is late, what follows is so, too.
        if self.late.is_empty() && self.n_left_out == 0 && self.events.len() < MOST_EVENTS {
            self.events.push_back(event);
            return;
        }
        if is_warning(&event) {
            if self.n_late_warnings == MOST_LATE_WARNINGS {
                self.n_left_out += 1;
                return;
            }
            self.n_late_warnings += 1;
        } else if self.late_of_this_run().any(|late| merge(late, &event)) {
            return;
        }
        self.late.push(event);
    }

    /// What is late and was sent since a run last began or ended.
    fn late_of_this_run(&mut self) -> impl Iterator<Item = &mut Event> {
        let is_of_this_run = |event: &&mut Event| {
            !matches!(event, Event::RunStarted { .. } | Event::RunFinished { .. })
        };
        self.late.iter_mut().rev().take_while(is_of_this_run)
    }
}

/// Whether an event is for reading, and neither counts nor replaces anything.
fn is_warning(event: &Event) -> bool {
    matches!(
        event,
        Event::Warning { .. }
            | Event::LaneFailed { .. }
            | Event::ReaderFailed { .. }
            | Event::ReaderStarted { .. }
            | Event::SkippingRecords { .. }
            | Event::SkippingBytes { .. }
            | Event::Shard { .. }
            | Event::Resumed { .. }
            | Event::DownloadWaiting { .. }
    )
}

/// Makes one event of two of the same kind, if that says all that they say.
fn merge(earlier: &mut Event, later: &Event) -> bool {
    match (earlier, later) {
        (
            Event::RecordsRead {
                records,
                residues,
                rejected,
                truncated,
            },
            Event::RecordsRead {
                records: more_records,
                residues: more_residues,
                rejected: more_rejected,
                truncated: more_truncated,
            },
        ) => {
            *records += more_records;
            *residues += more_residues;
            *rejected += more_rejected;
            *truncated += more_truncated;
        }
        (Event::UnitRead { input_bytes }, Event::UnitRead { input_bytes: more }) => {
            *input_bytes += more;
        }
        (Event::InputSkipped { input_bytes }, Event::InputSkipped { input_bytes: more }) => {
            *input_bytes += more;
        }
        (
            Event::BatchPacked {
                sequences,
                tokens,
                queued,
            },
            Event::BatchPacked {
                sequences: more_sequences,
                tokens: more_tokens,
                queued: now_queued,
            },
        ) => {
            *sequences += more_sequences;
            *tokens += more_tokens;
            *queued = *now_queued;
        }
        (
            Event::BatchEncoded {
                sequences,
                tokens,
                seconds,
                waited_seconds,
            },
            Event::BatchEncoded {
                sequences: more_sequences,
                tokens: more_tokens,
                seconds: more_seconds,
                waited_seconds: more_waited,
            },
        ) => {
            *sequences += more_sequences;
            *tokens += more_tokens;
            *seconds += more_seconds;
            *waited_seconds += more_waited;
        }
        (
            Event::Download {
                model,
                file,
                file_bytes,
                file_of,
                bytes,
                of,
            },
            Event::Download {
                model: same,
                file: now_file,
                file_bytes: now_file_bytes,
                file_of: now_file_of,
                bytes: now_bytes,
                of: now_of,
            },
        ) if model == same => {
            file.clone_from(now_file);
            (*file_bytes, *file_of) = (*now_file_bytes, *now_file_of);
            (*bytes, *of) = (*now_bytes, *now_of);
        }
        (
            Event::Comparing {
                model, sequences, ..
            },
            Event::Comparing {
                model: same,
                sequences: now_sequences,
                ..
            },
        ) if model == same => *sequences = *now_sequences,
        (Event::RowsWritten { rows }, Event::RowsWritten { rows: more }) => *rows += more,
        (Event::Sample { sample }, Event::Sample { sample: latest }) => {
            sample.clone_from(latest);
        }
        (Event::Bottleneck { bottleneck }, Event::Bottleneck { bottleneck: latest })
            if bottleneck.stage == latest.stage =>
        {
            bottleneck.clone_from(latest);
        }
        _ => return false,
    }
    true
}

/// The event with texts of bounded length.
fn shortened(mut event: Event) -> Event {
    match &mut event {
        Event::Warning { message } => shorten(message, MOST_TEXT_BYTES),
        Event::ReaderFailed { reason, .. }
        | Event::LaneFailed { reason, .. }
        | Event::DownloadWaiting { reason, .. } => {
            shorten(reason, MOST_TEXT_BYTES);
        }
        Event::RunFinished {
            error: Some(error), ..
        }
        | Event::DownloadFinished {
            error: Some(error), ..
        } => shorten(error, MOST_TEXT_BYTES),
        Event::SkippingRecords { input, .. } | Event::SkippingBytes { input, .. } => {
            shorten(input, MOST_TEXT_BYTES);
        }
        Event::RunStarted { inputs, .. } => shorten(inputs, MOST_INPUTS_BYTES),
        _ => {}
    }
    event
}

fn shorten(text: &mut String, most_bytes: usize) {
    if text.len() > most_bytes {
        text.truncate(text.floor_char_boundary(most_bytes));
        text.push('…');
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests;
