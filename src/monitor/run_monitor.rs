//! The watch over one run.

use super::{
    Recorder, RunFacts,
    batches::{BatchWatch, Shared},
    growth,
    look::Watch,
    sampler::Sampler,
    tiers::{fill_remark, judge},
};
use crate::{
    event::EventSender,
    meter::{Bottleneck, Meters, QueueMeters, Reading, Sample},
};
use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
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
    /// What the verdict needs to know.
    pub facts: RunFacts,
    /// The UUID of the GPU, if the device is one.
    pub gpu_uuid: Option<String>,
    /// Samples per second; none at 0.
    pub hz: f64,
    /// Batches between two lines of measurements.
    pub metrics_every: u64,
}

/// What whoever follows a run is told.
#[derive(Clone, Debug)]
pub enum Notice {
    /// What happened since the last sample.
    Sample(Box<Sample>),
    /// Something holds the run back.
    Bottleneck(Bottleneck),
}

/// What is known at the end of a run.
#[derive(Debug)]
pub struct Findings {
    /// What held the run back, if there were enough batches to tell.
    pub bottleneck: Option<Bottleneck>,
    /// All meters when the last stage had ended.
    pub reading: Reading,
    /// What was measured, in intervals of equal length but for the last.
    pub timeline: Vec<Sample>,
    /// NVML's mean utilisation while batches were computed, from 0 to 1.
    pub gpu_utilization: Option<f64>,
    /// Useful FLOP over what the device's peak would have done while it computed, from 0 to 1.
    pub mfu: Option<f64>,
    /// What else is worth knowing; one sentence each, without a final dot.
    pub remarks: Vec<String>,
}

/// The watch over one run. Dropping it ends the watch.
pub struct Monitor {
    shared: Arc<Shared>,
    notices: Option<Receiver<Notice>>,
    /// The thread that takes samples.
    thread: Option<JoinHandle<Watch>>,
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
        let MonitorPlan { facts, hz, .. } = plan;
        let recorder = recorder.begin_run(plan.run, &plan.name, facts.n_readers, events);
        let clock = |stage, reader| recorder.clock(stage, reader);
        let meters = Arc::new(Meters::new(start, facts.n_readers, queues, clock));
        let shared = Arc::new(Shared {
            by_batch: Mutex::new(Sampler::new(meters.clone(), facts)),
            meters,
            recorder,
            facts,
            metrics_every: plan.metrics_every.max(1),
            began: OnceLock::new(),
            latest: Mutex::new(None),
            is_over: AtomicBool::new(false),
        });
        if hz <= 0.0 {
            return Self {
                shared,
                notices: None,
                thread: None,
            };
        }
        let period = Duration::from_secs_f64(1.0 / hz);
        let (notice_sender, notices) = sync_channel(MOST_NOTICES);
        let watch = Watch::new(&shared, period, events, notice_sender);
        let uuid = plan.gpu_uuid;
        let thread = thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || watch.run(uuid.as_deref()));
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

    /// What the stages tell as batches pass.
    pub fn batches(&self) -> BatchWatch {
        BatchWatch(self.shared.clone())
    }

    /// The next thing to tell whoever follows the run, if there is any.
    pub fn notice(&self) -> Option<Notice> {
        self.notices.as_ref()?.try_recv().ok()
    }

    /// The last batch was given to the model. The thread may be in the middle of a measurement, so it
    /// is told early that the run will not wait for the next one.
    pub fn wind_down(&self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Ends the thread, and gives what it leaves, if it is there and did not end before.
    fn end(&mut self) -> Option<Watch> {
        self.wind_down();
        // A monitor that panicked has said so, and must not cost anyone a run.
        self.thread.take()?.join().ok()
    }

    /// Ends the watch when all stages have ended.
    pub fn finish(mut self) -> Findings {
        let reading = self.shared.meters.read();
        let watch = self.end().map(|mut watch| {
            watch.note_rest();
            watch
        });
        let Shared { facts, began, .. } = &*self.shared;
        let utilization = watch.as_ref().and_then(Watch::mean_utilization);
        let counts = reading.counts;
        let fill = counts.tokens as f64 / (counts.batches * facts.token_budget as u64) as f64;
        let timeline = watch.map_or_else(Vec::new, |watch| watch.timeline.samples());
        let span = began.get().map(|began| reading.since(began));
        let flops_per_sec = counts.flops / counts.compute_seconds;
        Findings {
            bottleneck: span.and_then(|span| judge(&span, facts, utilization)),
            remarks: [
                fill_remark(fill, counts.batches, facts),
                growth::remark(&timeline),
            ]
            .into_iter()
            .flatten()
            .collect(),
            mfu: facts
                .peak_flops
                .map(|peak| flops_per_sec / peak)
                .filter(|mfu| mfu.is_finite()),
            reading,
            timeline,
            gpu_utilization: utilization,
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.end();
    }
}
