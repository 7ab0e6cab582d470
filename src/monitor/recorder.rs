//! The files that the measurements of a script's runs go to.

use super::{
    MonitorError, RunFacts,
    background::{Background, Writer},
    metrics::MetricsFile,
    prometheus::PrometheusFile,
    trace::Trace,
    track::Track,
};
use crate::{
    event::EventSender,
    meter::{BatchDone, Sample, Span, Stage, StageClock},
};
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// The files that the measurements of a script's runs go to, as far as anyone asked for them. Clones
/// share them.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Files>);

/// Each has a thread of its own, so that a slow disk under one holds up nobody who writes another.
#[derive(Default)]
struct Files {
    metrics: File<MetricsFile>,
    trace: File<Trace>,
    prometheus: File<PrometheusFile>,
}

type File<T> = Mutex<Option<Background<T>>>;

impl Drop for Files {
    fn drop(&mut self) {
        let trace = locked(&self.trace).take();
        // Nobody is left to hear of a failure; whoever wants to calls `finish`.
        let _ = trace.and_then(Background::end).map(Trace::finish);
    }
}

/// The recorder, for one run. Its stages hand over what is to be written, and wait only where a disk is so
/// slow that thousands of writes wait for it, and not for long where it has stalled.
#[derive(Clone)]
pub(super) struct RunRecorder {
    metrics: Option<Writer<MetricsFile>>,
    trace: Option<Writer<Trace>>,
    prometheus: Option<Writer<PrometheusFile>>,
    run: u64,
    facts: Arc<RunFacts>,
    events: EventSender,
}

impl Recorder {
    /// Writes a line of measurements to `path` every few batches, from the next run on: CSV or JSON lines,
    /// as its ending says. A file of that name is replaced.
    ///
    /// # Errors
    /// If the ending is another one, or the file system refuses.
    pub fn record_metrics(&self, path: &Path) -> Result<(), MonitorError> {
        begin(&self.0.metrics, path, MetricsFile::create)
    }

    /// Writes what every stage does when to `path`, from the next run on, in Chrome's trace format. A file
    /// of that name is replaced.
    ///
    /// # Errors
    /// If the file system refuses, also to end an earlier trace.
    pub fn record_trace(&self, path: &Path) -> Result<(), MonitorError> {
        self.finish()?;
        begin(&self.0.trace, path, Trace::create)
    }

    /// Keeps the latest sample in `path`, from the next run on, in the text format of Prometheus. A file of
    /// that name is replaced.
    ///
    /// # Errors
    /// If the file system refuses, or the path names something that is not a file.
    pub fn record_prometheus(&self, path: &Path) -> Result<(), MonitorError> {
        begin(&self.0.prometheus, path, PrometheusFile::create)
    }

    /// Ends the trace; the other files are complete when a run has ended.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn finish(&self) -> Result<(), MonitorError> {
        let trace = locked(&self.0.trace).take();
        trace
            .and_then(Background::end)
            .map_or(Ok(()), Trace::finish)
    }

    /// Begins a run, called `name`, with this number among those of the script.
    pub(super) fn begin_run(
        &self,
        run: u64,
        name: &str,
        facts: &Arc<RunFacts>,
        events: &EventSender,
    ) -> RunRecorder {
        let recorder = RunRecorder {
            metrics: writer(&self.0.metrics),
            trace: writer(&self.0.trace),
            prometheus: writer(&self.0.prometheus),
            run,
            facts: facts.clone(),
            events: events.clone(),
        };
        let name = name.to_owned();
        let (n_readers, n_lanes) = (facts.n_readers, facts.lanes.len());
        recorder.trace(move |trace, run| trace.begin_run(run, &name, n_readers, n_lanes));
        recorder
    }
}

/// Creates a file, in place of an earlier one.
fn begin<T: Send + 'static>(
    file: &File<T>,
    path: &Path,
    create: fn(&Path) -> Result<T, MonitorError>,
) -> Result<(), MonitorError> {
    let mut file = locked(file);
    // It may be the same file, into which nothing of the earlier one must come later.
    *file = None;
    *file = Some(Background::begin(create(path)?, path)?);
    Ok(())
}

fn writer<T: Send + 'static>(file: &File<T>) -> Option<Writer<T>> {
    locked(file).as_ref().map(Background::writer)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunRecorder {
    /// The clock of a stage, which is traced if anyone asked for a trace. Readers and lanes have numbers.
    pub(super) fn clock(&self, stage: Stage, number: usize) -> StageClock {
        if self.trace.is_none() {
            return StageClock::default();
        }
        let recorder = self.clone();
        StageClock::with_listener(Box::new(move |span: Span| {
            if Trace::shows(&span) {
                recorder.trace(move |trace, run| trace.span(run, Track::of(stage, number), &span));
            }
        }))
    }

    /// Records a line of measurements.
    pub(super) fn metrics(&self, sample: Sample) {
        if let Some(file) = &self.metrics {
            let run = self.run;
            file.write(&self.events, move |file| file.write(run, &sample));
        }
    }

    /// Records a sample of a moment.
    pub(super) fn sample(&self, sample: &Sample) {
        if self.trace.is_some() {
            let (sample, now) = (sample.clone(), Instant::now());
            self.trace(move |trace, run| trace.counters(run, now, &sample));
        }
        if let Some(file) = &self.prometheus {
            let (sample, run, facts) = (sample.clone(), self.run, self.facts.clone());
            file.write(&self.events, move |file| file.write(run, &facts, &sample));
        }
    }

    /// Records a batch that the device of a lane computed.
    pub(super) fn batch(&self, lane: usize, batch: &BatchDone) {
        let batch = *batch;
        self.trace(move |trace, run| trace.batch(run, lane, &batch));
    }

    /// Waits until all of the run is written, except into files whose disk has stalled.
    pub(super) fn end_run(&self) {
        self.trace(|trace, _| trace.flush());
        if let Some(file) = &self.trace {
            file.wait(&self.events);
        }
        if let Some(file) = &self.metrics {
            file.wait(&self.events);
        }
        if let Some(file) = &self.prometheus {
            file.wait(&self.events);
        }
    }

    fn trace(
        &self,
        write: impl FnOnce(&mut Trace, u64) -> Result<(), MonitorError> + Send + 'static,
    ) {
        if let Some(file) = &self.trace {
            let run = self.run;
            file.write(&self.events, move |trace| write(trace, run));
        }
    }
}
