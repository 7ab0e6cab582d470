//! The thread that takes samples of a run.

use super::{
    Notice,
    batches::Shared,
    gpu::{GpuSource, NvmlGpu},
    growth,
    host::Host,
    sampler::Sampler,
    tiers::judge_so_far,
    timeline::Timeline,
};
use crate::{
    event::{Event, EventSender},
    meter::{Metric, Reading, Sample, Severity},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Once, PoisonError, atomic::Ordering, mpsc::SyncSender},
    thread,
    time::{Duration, Instant},
};

/// Warnings are about the time of so many samples.
const WINDOW_SAMPLES: u32 = 20;
/// The same stage is warned of this often at most, unless it gets worse.
const WARN_AGAIN: Duration = Duration::from_secs(60);
/// NVML's utilisation is of up to a second before.
const UTILIZATION_LAG: f64 = 1.0;

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
pub(super) struct Watch {
    pub(super) shared: Arc<Shared>,
    pub(super) sampler: Sampler,
    host: Host,
    gpu: Option<Box<dyn GpuSource>>,
    events: EventSender,
    notices: SyncSender<Notice>,
    pub(super) timeline: Timeline,
    /// Utilisation times seconds, and seconds.
    utilization: (f64, f64),
    /// Readings of the last while, with the time of each.
    window: VecDeque<(Instant, Reading)>,
    period: Duration,
    /// When each stage was last warned of, and how severe the matter was.
    warned: [Option<(Instant, Severity)>; 5],
    has_warned_of_growth: bool,
}

impl Watch {
    /// A watch that has seen nothing, and looks once a `period`.
    pub(super) fn new(
        shared: &Arc<Shared>,
        period: Duration,
        events: &EventSender,
        notices: SyncSender<Notice>,
    ) -> Self {
        Self {
            sampler: Sampler::new(shared.meters.clone(), shared.facts),
            host: Host::new(&shared.meters.reader_pids()),
            gpu: None,
            shared: shared.clone(),
            events: events.clone(),
            notices,
            timeline: Timeline::new(),
            utilization: (0.0, 0.0),
            window: VecDeque::new(),
            period,
            warned: [None; 5],
            has_warned_of_growth: false,
        }
    }

    /// Looks until the run is over. `uuid` is that of its GPU.
    pub(super) fn run(mut self, uuid: Option<&str>) -> Self {
        // It takes a while, and the run begins without it.
        self.gpu = uuid.and_then(|uuid| open_gpu(uuid, &self.events));
        let mut next = Instant::now() + self.period;
        while !self.shared.is_over.load(Ordering::Acquire) {
            let patience = next.saturating_duration_since(Instant::now());
            if patience.is_zero() {
                self.look();
                // A look that took longer than its period does not make the next ones come at once.
                next = (next + self.period).max(Instant::now());
            } else {
                // Winding down ends this early, and so may the system for no reason.
                thread::park_timeout(patience);
            }
        }
        self
    }

    /// Measures everything.
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
        self.note(sample);
        self.warn();
        self.warn_of_growth();
    }

    /// Measures the rest of the run. A short one is part of the interval before: a batch that ends in
    /// it would look like a great speed.
    pub(super) fn note_rest(&mut self) {
        let rest = self.sampler.take();
        let mut sample = self.shared.with_latest(rest);
        if sample.interval() < self.period.as_secs_f64() / 2.0
            && let Some(before) = self.timeline.pop()
        {
            sample = before.merged(&sample);
        }
        self.note(sample);
    }

    /// Hands a sample to everyone who wants it.
    fn note(&mut self, sample: Sample) {
        self.shared.recorder.sample(&sample);
        self.timeline.push(sample.clone());
        self.events.send(Event::Sample {
            sample: Box::new(sample.clone()),
        });
        // Whoever is too slow to listen gets the next one.
        let _ = self.notices.try_send(Notice::Sample(Box::new(sample)));
    }

    /// NVML's mean utilisation so far.
    pub(super) fn mean_utilization(&self) -> Option<f64> {
        let (sum, seconds) = self.utilization;
        (seconds > 0.0).then(|| sum / seconds)
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
        let window = self.period * WINDOW_SAMPLES;
        let reading = self.shared.meters.read();
        self.window.push_back((now, reading));
        let Some((first, earlier)) = self.window.front().copied() else {
            return;
        };
        if now - first < window {
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
        let warned = &mut self.warned[bottleneck.stage as usize];
        // Whoever waits for the worst must hear of it at once.
        let is_news = warned.is_none_or(|(when, severity)| {
            now - when >= WARN_AGAIN || bottleneck.severity > severity
        });
        if is_news {
            *warned = Some((now, bottleneck.severity));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        meter::{Bottleneck, Meters, QueueMeters, Stage, StageClock, Throttle},
        monitor::{
            Recorder,
            tiers::{judge, tests::facts},
        },
    };
    use std::sync::{
        Mutex, OnceLock,
        atomic::AtomicBool,
        mpsc::{Receiver, sync_channel},
    };

    /// A GPU whose utilisation is given, and which heat holds down.
    struct FakeGpu(Vec<f64>);

    impl GpuSource for FakeGpu {
        fn measure(&mut self, sample: &mut Sample) {
            // An exhausted source has no figures any more, as after a fault of the driver.
            sample.set(Metric::GpuUtilization, self.0.pop());
            sample.set(Metric::GpuPowerWatts, 300.0);
            sample.throttle.add(Throttle::HEAT);
        }
    }

    /// A watch over a run on a GPU that never waits by its own clock, began two seconds ago, and has
    /// had a hundred batches since.
    fn watch(gpu: Option<FakeGpu>) -> (Watch, Receiver<Notice>) {
        let (events, _) = EventSender::channel();
        let start = Instant::now() - Duration::from_secs(2);
        let clock = |_, _| StageClock::default();
        let meters = Arc::new(Meters::new(start, 1, QueueMeters::default(), clock));
        let began = meters.read();
        let shared = Arc::new(Shared {
            by_batch: Mutex::new(Sampler::new(meters.clone(), facts())),
            recorder: Recorder::default().begin_run(1, "test", 1, &events),
            facts: facts(),
            metrics_every: 10,
            began: OnceLock::from(Reading {
                seconds: 0.0,
                ..began
            }),
            latest: Mutex::new(None),
            is_over: AtomicBool::new(false),
            meters,
        });
        shared.meters.count(|counts| {
            counts.batches = 100;
            counts.tokens = 100_000;
            counts.compute_seconds = 2.0;
        });
        let (sender, notices) = sync_channel(100);
        let mut watch = Watch::new(&shared, Duration::from_millis(500), &events, sender);
        watch.gpu = gpu.map(|gpu| Box::new(gpu) as Box<dyn GpuSource>);
        (watch, notices)
    }

    /// The verdict at the end, after three looks.
    fn verdict(gpu: Option<FakeGpu>) -> Option<Bottleneck> {
        let (mut watch, _notices) = watch(gpu);
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(5));
            watch.look();
        }
        let began = watch.shared.began.get().copied();
        let span = watch.shared.meters.read().since(&began?);
        judge(&span, &watch.shared.facts, watch.mean_utilization())
    }

    #[test]
    fn utilization_below_the_thresholds_is_a_verdict() {
        let check = |utilization: Option<f64>, severity: Severity| {
            let gpu = utilization.map(|share| FakeGpu(vec![share; 3]));
            let found = verdict(gpu).expect("enough batches");
            assert_eq!(
                (found.stage, found.severity),
                (Stage::Encoding, severity),
                "{utilization:?}: {found}"
            );
            let has_gaps = found.message.contains("runs kernels only");
            assert_eq!(has_gaps, severity != Severity::Good, "{found}");
        };
        check(Some(0.49), Severity::Critical);
        check(Some(0.51), Severity::Mild);
        check(Some(0.79), Severity::Mild);
        check(Some(0.81), Severity::Good);
        // Without NVML the GPU's own clock decides.
        check(None, Severity::Good);
    }

    #[test]
    fn figures_that_stop_coming_are_not_zero() {
        let (mut watch, notices) = watch(Some(FakeGpu(vec![0.9])));
        watch.look();
        watch.look();
        let mean = watch.mean_utilization().expect("a measurement");
        assert!((mean - 0.9).abs() < 1e-9, "{mean}");
        let samples: Vec<_> = notices
            .try_iter()
            .map(|notice| match notice {
                Notice::Sample(sample) => sample,
                Notice::Bottleneck(found) => panic!("{found}"),
            })
            .collect();
        assert_eq!(samples[0].get(Metric::GpuUtilization), Some(0.9));
        assert_eq!(samples[1].get(Metric::GpuUtilization), None);
        assert_eq!(samples[1].get(Metric::GpuPowerWatts), Some(300.0));
        assert_eq!(samples[1].throttle.to_string(), "heat");
        assert!(samples[0].get(Metric::MemoryBytes).is_some());
        assert_eq!(
            samples[0].get(Metric::EncodingWorking),
            None,
            "no stage began"
        );
    }
}
