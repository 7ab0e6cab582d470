//! The watch over one run.

use super::{
    Recorder, RunFacts, RunShape,
    gpu::{GpuSource, NvmlGpu},
    growth,
    host::Host,
    peak::peak_flops,
    recorder::RunRecorder,
    sampler::Sampler,
    tiers::{fill_remark, judge, judge_so_far},
    timeline::Timeline,
};
use crate::{
    event::{Event, EventSender},
    job::Dtype,
    meter::{Bottleneck, Meters, Metric, QueueMeters, Reading, Sample, Severity},
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, Once, OnceLock, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What to watch, and how.
pub struct MonitorPlan {
    /// The run, for people.
    pub name: String,
    /// What the verdict needs to know.
    pub facts: RunFacts,
    /// The GPU's name and UUID, if the device is a GPU.
    pub gpu: Option<(String, String)>,
    /// The number format of weights and activations.
    pub dtype: Dtype,
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
    /// Ends the thread, which takes samples, when it is dropped.
    thread: Option<(Sender<()>, JoinHandle<Watched>)>,
}

/// What the stages and the sampling thread share.
struct Shared {
    meters: Arc<Meters>,
    recorder: RunRecorder,
    facts: RunFacts,
    shape: RunShape,
    metrics_every: u64,
    /// All meters when the first batch was there: what came before is not the pipeline's fault.
    began: OnceLock<Reading>,
    /// Takes the samples for lines of measurements.
    by_batch: Mutex<Sampler>,
    /// The latest figures of GPU and host.
    latest: Mutex<Option<Sample>>,
}

/// What the thread leaves.
struct Watched {
    timeline: Timeline,
    utilization: Option<f64>,
}

/// Warnings are about the time of so many samples.
const WINDOW_SAMPLES: u32 = 20;
/// The same stage is warned of this often at most.
const WARN_AGAIN: Duration = Duration::from_secs(60);
/// Notices that wait for somebody who is slow to listen; later ones are lost.
const MOST_NOTICES: usize = 256;
/// NVML's utilisation is of up to a second before.
const UTILIZATION_LAG: f64 = 1.0;

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
        let recorder = recorder.begin_run(&plan.name, facts.n_readers, events);
        let clock = |stage, reader| recorder.clock(stage, reader);
        let meters = Arc::new(Meters::new(start, facts.n_readers, queues, clock));
        let peak = plan.gpu.as_ref();
        let shape = RunShape {
            token_budget: facts.token_budget,
            peak_flops: peak.and_then(|(name, _)| peak_flops(name, plan.dtype)),
            is_gpu: facts.is_gpu,
        };
        let shared = Arc::new(Shared {
            by_batch: Mutex::new(Sampler::new(meters.clone(), shape)),
            meters,
            recorder,
            facts,
            shape,
            metrics_every: plan.metrics_every.max(1),
            began: OnceLock::new(),
            latest: Mutex::new(None),
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
        let (stop, stopped) = mpsc::channel();
        let watch = Watch {
            sampler: Sampler::new(shared.meters.clone(), shape),
            host: Host::new(&shared.meters.reader_pids()),
            gpu: plan.gpu.and_then(|(_, uuid)| open_gpu(&uuid, events)),
            shared: shared.clone(),
            events: events.clone(),
            notices: notice_sender,
            timeline: Timeline::new(),
            utilization: (0.0, 0.0),
            window: VecDeque::new(),
            window_time: period * WINDOW_SAMPLES,
            last_warning: None,
            has_warned_of_growth: false,
        };
        let thread = thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || watch.run(period, &stopped));
        let thread = match thread {
            Ok(thread) => Some((stop, thread)),
            Err(error) => {
                events.warn(format!("the run is not monitored: {error}"));
                None
            }
        };
        Self {
            shared,
            notices: Some(notices),
            thread,
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

    /// Ends the thread, and gives what it leaves, if it is there and did not end before.
    fn end(&mut self) -> Option<Watched> {
        let (stop, thread) = self.thread.take()?;
        drop(stop);
        // A monitor that panicked has said so, and must not cost anyone a run.
        thread.join().ok()
    }

    /// Ends the watch when all stages have ended.
    pub fn finish(mut self) -> Findings {
        let reading = self.shared.meters.read();
        let watched = self.end();
        let Shared {
            facts,
            shape,
            began,
            ..
        } = &*self.shared;
        let utilization = watched.as_ref().and_then(|watched| watched.utilization);
        let counts = reading.counts;
        let fill = counts.tokens as f64 / (counts.batches * facts.token_budget as u64) as f64;
        let timeline = watched.map_or_else(Vec::new, |watched| watched.timeline.samples());
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
            mfu: shape
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

/// What the stages tell the monitor as batches pass.
#[derive(Clone)]
pub struct BatchWatch(Arc<Shared>);

impl BatchWatch {
    /// The encoding stage has a batch. The first call counts.
    pub fn arrived(&self) {
        self.0.began.get_or_init(|| self.0.meters.read());
    }

    /// A batch came back that the device computed from `start` to `end`; the meters count it already.
    pub fn came_back(&self, (start, end): (Instant, Instant), tokens: u64, sequences: u64) {
        let shared = &self.0;
        shared.recorder.batch((start, end), tokens, sequences);
        let batches = shared.meters.read().counts.batches;
        if !batches.is_multiple_of(shared.metrics_every) {
            return;
        }
        let lock = shared.by_batch.lock();
        let mut sample = lock.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(latest) = &*shared.latest.lock().unwrap_or_else(PoisonError::into_inner) {
            sample.adopt_machine(latest);
        }
        tracing::info!(target: "runner::metrics", "{}", line(&sample));
        shared.recorder.metrics(&sample);
    }
}

/// A line of measurements for the log.
fn line(sample: &Sample) -> String {
    let count = |metric: Metric| sample.get(metric).unwrap_or(0.0);
    let mut line = format!(
        "batch {:.0}: {:.0} sequences, {:.0} tokens/s, {:.1}% filled, queues {:.0} {:.0} {:.0}",
        count(Metric::Batches),
        count(Metric::Sequences),
        count(Metric::TokensPerSec),
        100.0 * count(Metric::PackingFill),
        count(Metric::BatchesQueued),
        count(Metric::BatchesInFlight),
        count(Metric::RowsQueued),
    );
    for (metric, scale, what, unit) in [
        (Metric::EncoderIdle, 100.0, "encoder idle", "%"),
        (Metric::WaitMs, 1.0, "waited", " ms a batch"),
        (Metric::Mfu, 100.0, "MFU", "%"),
        (Metric::GpuUtilization, 100.0, "GPU", "%"),
        (Metric::GpuPowerWatts, 1.0, "power", " W"),
    ] {
        if let Some(value) = sample.get(metric) {
            line += &format!(", {what} {:.1}{unit}", value * scale);
        }
    }
    line
}

/// The GPU's figures, or a word on why there are none. It is said once.
fn open_gpu(uuid: &str, events: &EventSender) -> Option<Box<dyn GpuSource>> {
    static SAID: Once = Once::new();
    match NvmlGpu::find(uuid) {
        Ok(gpu) => Some(Box::new(gpu)),
        Err(reason) => {
            SAID.call_once(|| {
                events.warn(format!(
                    "NVML gives no figures of the GPU, and the run goes on without: {reason}"
                ));
            });
            None
        }
    }
}

/// The thread that takes samples.
struct Watch {
    shared: Arc<Shared>,
    sampler: Sampler,
    host: Host,
    gpu: Option<Box<dyn GpuSource>>,
    events: EventSender,
    notices: SyncSender<Notice>,
    timeline: Timeline,
    /// Utilisation times seconds, and seconds.
    utilization: (f64, f64),
    /// Readings of the last while, with the time of each.
    window: VecDeque<(Instant, Reading)>,
    window_time: Duration,
    last_warning: Option<(Instant, Bottleneck)>,
    has_warned_of_growth: bool,
}

impl Watch {
    fn run(mut self, period: Duration, stopped: &Receiver<()>) -> Watched {
        let mut next = Instant::now() + period;
        loop {
            let patience = next.saturating_duration_since(Instant::now());
            match stopped.recv_timeout(patience) {
                Err(RecvTimeoutError::Timeout) => {}
                // The rest of the run is an interval, too.
                _ => break,
            }
            self.look();
            // A look that took longer than its period does not make the next ones come at once.
            next = (next + period).max(Instant::now());
        }
        self.look();
        let (sum, seconds) = self.utilization;
        Watched {
            timeline: self.timeline,
            utilization: (seconds > 0.0).then(|| sum / seconds),
        }
    }

    fn look(&mut self) {
        let mut sample = self.sampler.take();
        self.host
            .measure(&self.shared.meters.reader_pids(), &mut sample);
        if let Some(gpu) = &mut self.gpu {
            gpu.measure(&mut sample);
        }
        self.note_utilization(&sample);
        *self
            .shared
            .latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(sample.clone());
        self.shared.recorder.sample(&sample);
        self.timeline.push(sample.clone());
        self.events.send(Event::Sample {
            sample: Box::new(sample.clone()),
        });
        // Whoever is too slow to listen gets the next one.
        let _ = self.notices.try_send(Notice::Sample(Box::new(sample)));
        self.warn();
        self.warn_of_growth();
    }

    fn note_utilization(&mut self, sample: &Sample) {
        let began = self.shared.began.get().map(|began| began.seconds);
        let (Some(began), Some(now), Some(utilization)) = (
            began,
            sample.get(Metric::Seconds),
            sample.get(Metric::GpuUtilization),
        ) else {
            return;
        };
        if now - began > UTILIZATION_LAG {
            self.utilization.0 += utilization * sample.interval();
            self.utilization.1 += sample.interval();
        }
    }

    /// Warns of a bottleneck, but not all the time.
    fn warn(&mut self) {
        if self.shared.began.get().is_none() {
            return;
        }
        let now = Instant::now();
        let reading = self.shared.meters.read();
        self.window.push_back((now, reading));
        let Some((first, earlier)) = self.window.front().copied() else {
            return;
        };
        if now - first < self.window_time {
            return;
        }
        self.window.pop_front();
        let span = reading.since(&earlier);
        let facts = &self.shared.facts;
        let Some(bottleneck) = judge_so_far(&span, reading.counts.batches, facts) else {
            return;
        };
        if bottleneck.severity == Severity::Good {
            return;
        }
        let is_new = self.last_warning.as_ref().is_none_or(|(when, last)| {
            now - *when >= WARN_AGAIN
                || (last.stage != bottleneck.stage && now - *when >= self.window_time)
        });
        if is_new {
            self.last_warning = Some((now, bottleneck.clone()));
            self.events.send(Event::Bottleneck {
                bottleneck: bottleneck.clone(),
            });
            let _ = self.notices.try_send(Notice::Bottleneck(bottleneck));
        }
    }

    fn warn_of_growth(&mut self) {
        if !self.has_warned_of_growth
            && let Some(remark) = growth::remark(self.timeline.complete())
        {
            self.has_warned_of_growth = true;
            self.events.warn(remark);
        }
    }
}
