//! Where the time of a stage goes.

use serde::Serialize;
use std::{
    ops::{Add, Sub},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What a stage does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Its own work.
    Working,
    /// It waits for something to work on.
    Starved,
    /// It waits for room to put its work.
    Blocked,
}

/// Seconds of a stage by what it did. They add up to the time from its start to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StageTime {
    /// Seconds of its own work.
    pub working: f64,
    /// Seconds that it waited for something to work on.
    pub starved: f64,
    /// Seconds that it waited for room to put its work.
    pub blocked: f64,
}

/// A stretch of time during which a stage did one thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// What it did.
    pub activity: Activity,
    /// When it began to.
    pub start: Instant,
    /// When it did something else.
    pub end: Instant,
}

/// Is told of each span as it ends, on the thread of the stage.
pub type SpanListener = Box<dyn Fn(Span) + Send + Sync>;

/// Follows what a stage does. Waits are measured over their whole length, however the stage waits.
/// Clones are the same clock, so that others can read it at any moment.
#[derive(Clone, Default)]
pub struct StageClock(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    listener: Option<SpanListener>,
}

#[derive(Default)]
struct State {
    /// What it does, and since when. `None` before its start and after its end.
    now: Option<(Activity, Instant)>,
    past: [Duration; 3],
}

impl StageClock {
    /// A clock that tells `listener` of every span.
    pub fn with_listener(listener: SpanListener) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            listener: Some(listener),
        }))
    }

    /// The stage does something else from now on. The first call starts the clock.
    pub fn switch(&self, activity: Activity) {
        self.change(Some(activity));
    }

    /// The stage has ended. Its next switch goes on where this left off.
    pub fn stop(&self) {
        self.change(None);
    }

    /// Does `work` while the stage counts as doing `activity`, and returns to what it did before.
    pub fn during<T>(&self, activity: Activity, work: impl FnOnce() -> T) -> T {
        let before = self.change(Some(activity));
        let result = work();
        self.change(before);
        result
    }

    /// The seconds so far, up to this moment.
    pub fn time(&self) -> StageTime {
        let state = self.state();
        let mut seconds = state.past;
        if let Some((activity, since)) = state.now {
            seconds[activity as usize] += since.elapsed();
        }
        let [working, starved, blocked] = seconds.map(|time| time.as_secs_f64());
        StageTime {
            working,
            starved,
            blocked,
        }
    }

    /// Ends what the stage does, begins `next`, and returns what it did.
    fn change(&self, next: Option<Activity>) -> Option<Activity> {
        let (before, span) = self.state().change(next);
        // Without the lock: others may read the clock while the listener takes its time.
        if let (Some(span), Some(listener)) = (span, &self.0.listener) {
            listener(span);
        }
        before
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends what the stage does and begins `next`. Returns what it did, and the span that ended with it.
    fn change(&mut self, next: Option<Activity>) -> (Option<Activity>, Option<Span>) {
        let before = self.now;
        if before.map(|(activity, _)| activity) == next {
            return (next, None);
        }
        let end = Instant::now();
        self.now = next.map(|activity| (activity, end));
        let span = before.map(|(activity, start)| {
            self.past[activity as usize] += end - start;
            Span {
                activity,
                start,
                end,
            }
        });
        (span.map(|span| span.activity), span)
    }
}

impl StageTime {
    /// All of it.
    pub fn total(self) -> f64 {
        self.working + self.starved + self.blocked
    }
}

impl Add for StageTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            working: self.working + other.working,
            starved: self.starved + other.starved,
            blocked: self.blocked + other.blocked,
        }
    }
}

impl Sub for StageTime {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            working: self.working - other.working,
            starved: self.starved - other.starved,
            blocked: self.blocked - other.blocked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn spans_add_up_to_the_whole_time() {
        let clock = StageClock::default();
        assert_eq!(clock.time(), StageTime::default());
        let outside = Instant::now();
        clock.switch(Activity::Working);
        let inside = Instant::now();
        sleep(Duration::from_millis(20));
        clock.during(Activity::Starved, || sleep(Duration::from_millis(40)));
        clock.during(Activity::Blocked, || {
            sleep(Duration::from_millis(10));
            // A gap that has not ended yet counts up to now.
            assert!(clock.time().blocked >= 0.01);
        });
        let least = inside.elapsed().as_secs_f64();
        clock.stop();
        let most = outside.elapsed().as_secs_f64();
        let time = clock.time();
        assert!(time.working >= 0.02 && time.starved >= 0.04 && time.blocked >= 0.01);
        let total = time.total();
        assert!(least <= total && total <= most, "{least} {time:?} {most}");
        assert_eq!(clock.time(), time, "it has stopped");
    }

    #[test]
    fn a_listener_hears_every_span() {
        let (sender, spans) = std::sync::mpsc::channel();
        let clock = StageClock::with_listener(Box::new(move |span| {
            let _ = sender.send(span);
        }));
        clock.switch(Activity::Working);
        // The same again is no other span.
        clock.switch(Activity::Working);
        clock.during(Activity::Starved, || ());
        clock.stop();
        let spans: Vec<Span> = spans.try_iter().collect();
        let activities: Vec<_> = spans.iter().map(|span| span.activity).collect();
        assert_eq!(
            activities,
            [Activity::Working, Activity::Starved, Activity::Working]
        );
        assert!(spans.windows(2).all(|pair| pair[0].end == pair[1].start));
    }
}
