//! The thread that takes samples of a run.

use super::{
    GpuFacts, Notice,
    gpu::{self, Turns},
    growth,
    host::Host,
    lane_gpu::LaneGpu,
    sampler::Sampler,
    shared::Shared,
    timeline::Timeline,
    verdict::judge_so_far,
};
use crate::{
    event::{Event, EventSender},
    meter::{Metric, Reading, Sample, Severity},
};
use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, atomic::Ordering, mpsc::SyncSender},
    thread,
    time::{Duration, Instant},
};

/// Warnings are about the time of so many samples.
const WINDOW_SAMPLES: u32 = 20;
/// The same stage is warned of this often at most, unless it gets worse.
const WARN_AGAIN: Duration = Duration::from_secs(60);
/// NVML's utilisation is of up to a second before.
pub(super) const UTILIZATION_LAG: f64 = 1.0;

/// The thread that takes samples.
pub(super) struct SamplingThread {
    pub(super) shared: Arc<Shared>,
    pub(super) sampler: Sampler,
    host: Host,
    /// The GPU of each lane; nothing where no lane has one.
    gpus: Vec<LaneGpu>,
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

impl SamplingThread {
    /// A thread that has seen nothing, and looks once a `period`.
    pub(super) fn new(
        shared: &Arc<Shared>,
        period: Duration,
        events: &EventSender,
        notices: SyncSender<Notice>,
    ) -> Self {
        Self {
            sampler: Sampler::new(shared.meters.clone(), shared.facts.clone()),
            host: Host::new(&shared.meters.reader_pids()),
            gpus: Vec::new(),
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

    /// Looks until the run is over.
    pub(super) fn run(mut self) -> Self {
        let facts = self.shared.facts.clone();
        if facts.is_gpu() {
            // It takes a while, and the run begins without it.
            let turns = Turns::of(facts.lanes.len());
            let open = |(gpu, turns): (&GpuFacts, Turns)| gpu::open(&gpu.uuid, turns, &self.events);
            let gpus = facts.lanes.iter().zip(turns);
            // What a GPU does that takes no part is not of the run.
            let gpus = gpus.map(|(lane, turns)| {
                let gpu = lane.gpu.as_ref().filter(|_| !lane.is_absent);
                gpu.zip(Some(turns)).and_then(open)
            });
            self.gpus = gpus.map(LaneGpu::new).collect();
        }
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
        if !self.gpus.is_empty() {
            let gpus: Vec<_> = self.gpus.iter_mut().map(LaneGpu::measure).collect();
            sample.set_gpus(&gpus);
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

    /// What all GPUs took since they were opened, if each of them counts it and was measured since.
    pub(super) fn energy_joules(&self) -> Option<f64> {
        if self.gpus.is_empty() {
            return None;
        }
        self.gpus.iter().map(LaneGpu::energy_joules).sum()
    }

    /// What the GPU of a lane took since it was opened.
    pub(super) fn lane_joules(&self, lane: usize) -> Option<f64> {
        self.gpus.get(lane)?.energy_joules()
    }

    /// NVML's mean utilisation so far, of all GPUs.
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
        let all_batches = reading.counts.batches;
        self.window.push_back((now, reading.clone()));
        let is_whole = |(first, _): &mut (Instant, Reading)| now - *first >= window;
        let Some((_, earlier)) = self.window.pop_front_if(is_whole) else {
            return;
        };
        let span = reading.since(&earlier);
        let facts = &self.shared.facts;
        let samples = self.timeline.last(WINDOW_SAMPLES as usize);
        let Some(bottleneck) = judge_so_far(&span, all_batches, facts, samples) else {
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
        meter::{
            BatchDone, Bottleneck, Measured, Meters, QueueMeters, Stage, StageClock, Throttle,
        },
        monitor::{
            Recorder,
            gpu::GpuSource,
            verdict::{judge, tests::facts},
        },
    };
    use std::sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64},
        mpsc::{Receiver, sync_channel},
    };

    /// A GPU whose utilisation is given, and which heat holds down.
    #[derive(Clone)]
    struct FakeGpu(Vec<f64>);

    impl GpuSource for FakeGpu {
        fn measure(&mut self) -> Measured {
            let mut sample = Measured::default();
            // An exhausted source has no figures any more, as after a fault of the driver.
            sample.set(Metric::GpuUtilization, self.0.pop());
            if self.energy_joules().is_some() {
                sample.set(Metric::GpuPowerWatts, 300.0);
            }
            sample.throttle.add(Throttle::HEAT);
            sample
        }

        /// A joule less for each measurement that is still to come.
        fn energy_joules(&self) -> Option<f64> {
            (self.0.len() < 10).then_some(1e6 - self.0.len() as f64)
        }
    }

    /// A watch over a run on a GPU that never waits by its own clock, began two seconds ago, and has
    /// had a hundred batches since.
    fn watch(gpus: &[FakeGpu]) -> (SamplingThread, Receiver<Notice>) {
        let (events, _) = EventSender::channel();
        let start = Instant::now() - Duration::from_secs(2);
        let clock = |_, _| StageClock::default();
        let meters = Arc::new(Meters::new(start, 1, 1, QueueMeters::default(), clock));
        let began = meters.read();
        let facts = Arc::new(facts());
        let shared = Arc::new(Shared {
            by_batch: Mutex::new(Sampler::new(meters.clone(), facts.clone())),
            recorder: Recorder::default().begin_run(1, "test", &facts, &events),
            facts,
            metrics_every: 10,
            n_batches: AtomicU64::new(0),
            began: OnceLock::from(Reading {
                seconds: 0.0,
                ..began
            }),
            latest: Mutex::new(None),
            is_over: AtomicBool::new(false),
            meters,
        });
        for _ in 0..100 {
            let end = start + Duration::from_millis(20);
            let batch = BatchDone {
                sequences: 10,
                tokens: 1000,
                flops: 0.0,
                idle_seconds: 0.0,
                start,
                end,
            };
            shared.meters.lane(0).note_done(&batch, end);
        }
        let (sender, notices) = sync_channel(100);
        let period = Duration::from_millis(500);
        let mut watch = SamplingThread::new(&shared, period, &events, sender);
        let gpus = gpus.iter().cloned();
        watch.gpus = gpus.map(|gpu| LaneGpu::new(Some(Box::new(gpu)))).collect();
        (watch, notices)
    }

    /// The verdict at the end, after three looks.
    fn verdict(gpus: &[FakeGpu]) -> Option<Bottleneck> {
        let (mut watch, _notices) = watch(gpus);
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(5));
            watch.look();
        }
        let span = watch.shared.meters.read().since(watch.shared.began.get()?);
        let (utilization, timeline) = (watch.mean_utilization(), watch.timeline.samples());
        judge(&span, &watch.shared.facts, utilization, &timeline)
    }

    #[test]
    fn utilization_below_the_thresholds_is_a_verdict() {
        let check = |utilization: &[f64], severity: Severity| {
            let gpus = utilization.iter().map(|share| FakeGpu(vec![*share; 3]));
            let gpus: Vec<_> = gpus.collect();
            let found = verdict(&gpus).expect("enough batches");
            assert_eq!(
                (found.stage, found.severity),
                (Stage::Encoding, severity),
                "{utilization:?}: {found}"
            );
            let has_gaps = found.message.contains("runs kernels only");
            assert_eq!(has_gaps, severity != Severity::Good, "{found}");
        };
        check(&[0.49], Severity::Critical);
        check(&[0.51], Severity::Mild);
        check(&[0.79], Severity::Mild);
        check(&[0.81], Severity::Good);
        // Of several GPUs the mean counts.
        check(&[0.2, 0.7], Severity::Critical);
        check(&[0.72, 0.9], Severity::Good);
        // Without NVML the GPU's own clock decides.
        check(&[], Severity::Good);
    }

    #[test]
    fn energy_is_what_all_gpus_took_meanwhile() {
        let check = |n_measurements: &[usize], n_looks: usize, expect: Option<f64>| {
            let gpus = n_measurements.iter().map(|&n| FakeGpu(vec![0.5; n]));
            let (mut watch, _notices) = watch(&gpus.collect::<Vec<_>>());
            for _ in 0..n_looks {
                watch.look();
            }
            assert_eq!(watch.energy_joules(), expect, "{n_measurements:?}");
        };
        check(&[5], 2, Some(2.0));
        check(&[5, 1], 2, Some(3.0));
        // The sum of some is not the sum.
        check(&[5, 100], 2, None);
        check(&[], 2, None);
        // It was opened when the run was as good as over.
        check(&[5], 0, None);
    }

    #[test]
    fn figures_that_stop_coming_are_not_zero() {
        let (mut watch, notices) = watch(&[FakeGpu(vec![0.9])]);
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
        assert_eq!(samples[1].throttle().to_string(), "heat");
        assert!(samples[0].get(Metric::MemoryBytes).is_some());
        assert_eq!(
            samples[0].get(Metric::EncodingWorking),
            None,
            "no stage began"
        );
    }
}
