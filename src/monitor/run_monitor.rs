//! The watch over one run.

use super::{
    Findings, LaneWatch, Notice, Recorder, RunFacts, sampler::Sampler,
    sampling_thread::SamplingThread, shared::Shared,
};
use crate::{
    event::EventSender,
    meter::{Meters, QueueMeters},
};
use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Notices that wait for somebody who is slow to listen; later ones are lost.
const MOST_NOTICES: usize = 256;

/// What to watch, and how.
pub struct MonitorPlan {
    /// The run's number among those of the script, from 1.
    pub run: u64,
    /// The run, for people.
    pub name: String,
    /// What samples and the verdict need to know.
    pub facts: RunFacts,
    /// Samples per second; none at 0.
    pub hz: f64,
    /// Batches between two lines of measurements.
    pub metrics_every: u64,
}

/// The watch over one run. Dropping it ends the watch.
pub struct Monitor {
    shared: Arc<Shared>,
    notices: Option<Receiver<Notice>>,
    /// The thread that takes samples.
    thread: Option<JoinHandle<SamplingThread>>,
}

impl Monitor {
    /// Begins to watch a run that began at `start`, with these queues.
    pub fn start(
        plan: MonitorPlan,
        start: Instant,
        queues: QueueMeters,
        recorder: &Recorder,
        events: &EventSender,
    ) -> Self {
        let facts = Arc::new(plan.facts);
        let (n_readers, n_lanes) = (facts.n_readers, facts.lanes.len());
        let recorder = recorder.begin_run(plan.run, &plan.name, &facts, events);
        let clock = |stage, number| recorder.clock(stage, number);
        let meters = Arc::new(Meters::new(start, n_readers, n_lanes, queues, clock));
        for (lane, facts) in facts.lanes.iter().enumerate() {
            if facts.is_absent {
                meters.lane(lane).note_failed();
            }
        }
        let shared = Arc::new(Shared {
            by_batch: Mutex::new(Sampler::new(meters.clone(), facts.clone())),
            meters,
            recorder,
            facts,
            n_batches: AtomicU64::new(0),
            metrics_every: plan.metrics_every.max(1),
            began: OnceLock::new(),
            latest: Mutex::new(None),
            is_over: AtomicBool::new(false),
        });
        if plan.hz <= 0.0 {
            return Self {
                shared,
                notices: None,
                thread: None,
            };
        }
        let period = Duration::from_secs_f64(1.0 / plan.hz);
        let (notice_sender, notices) = sync_channel(MOST_NOTICES);
        let sampling = SamplingThread::new(&shared, period, events, notice_sender);
        let thread = thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || sampling.run());
        if let Err(error) = &thread {
            events.warn(format!("the run is not monitored: {error}"));
        }
        Self {
            shared,
            notices: Some(notices),
            thread: thread.ok(),
        }
    }

    /// The meters that the stages turn.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.shared.meters
    }

    /// What the stages of the lane with this number tell as batches pass, on whichever threads they are.
    pub fn lane(&self, lane: usize) -> LaneWatch {
        LaneWatch {
            shared: self.shared.clone(),
            lane,
        }
    }

    /// The next thing to tell whoever follows the run, if there is any.
    pub fn notice(&self) -> Option<Notice> {
        self.notices.as_ref()?.try_recv().ok()
    }

    /// Every lane has given its last batch to the model. The thread may be in the middle of a measurement,
    /// so it is told early that the run will not wait for the next one.
    pub fn wind_down(&self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Ends the watch when all stages have ended.
    pub fn finish(mut self) -> Findings {
        let reading = self.shared.meters.read();
        let sampling = self.end().map(|mut sampling| {
            sampling.note_rest();
            sampling
        });
        Findings::new(&self.shared, reading, sampling)
    }

    /// Ends the thread, and gives what it leaves, if it is there and did not end before.
    fn end(&mut self) -> Option<SamplingThread> {
        self.wind_down();
        // A monitor that panicked has said so, and must not cost anyone a run.
        self.thread.take()?.join().ok()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.end();
        self.shared.recorder.end_run();
    }
}
