//! The files that the measurements of a script's runs go to.

use super::{
    MonitorError,
    metrics::MetricsFile,
    prometheus::PrometheusFile,
    trace::{Trace, Track},
};
use crate::{
    event::EventSender,
    meter::{Sample, Span, Stage, StageClock},
};
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// The files that the measurements of a script's runs go to, as far as anyone asked for them. Clones
/// share them.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Files>>);

#[derive(Default)]
struct Files {
    n_runs: u64,
    metrics: Option<MetricsFile>,
    trace: Option<Trace>,
    prometheus: Option<PrometheusFile>,
}

/// The recorder, for one run.
#[derive(Clone)]
pub(super) struct RunRecorder {
    recorder: Recorder,
    run: u64,
    events: EventSender,
}

impl Recorder {
    /// Writes a line of measurements to `path` every few batches, from now on: CSV or JSON lines, as
    /// its ending says. A file of that name is replaced.
    ///
    /// # Errors
    /// If the ending is another one, or the file system refuses.
    pub fn record_metrics(&self, path: &Path) -> Result<(), MonitorError> {
        self.files().metrics = Some(MetricsFile::create(path)?);
        Ok(())
    }

    /// Writes what every stage does when to `path`, from now on, in Chrome's trace format. A file of
    /// that name is replaced.
    ///
    /// # Errors
    /// If the file system refuses, also to end an earlier trace.
    pub fn record_trace(&self, path: &Path) -> Result<(), MonitorError> {
        let trace = Trace::create(path)?;
        let earlier = self.files().trace.replace(trace);
        earlier.map_or(Ok(()), Trace::finish)
    }

    /// Keeps the latest sample in `path`, from now on, in the text format of Prometheus. A file of
    /// that name is replaced.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn record_prometheus(&self, path: &Path) -> Result<(), MonitorError> {
        self.files().prometheus = Some(PrometheusFile::create(path)?);
        Ok(())
    }

    /// Ends all files.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn finish(&self) -> Result<(), MonitorError> {
        let Files { trace, .. } = std::mem::take(&mut *self.files());
        trace.map_or(Ok(()), Trace::finish)
    }

    /// Begins a run, called `name`.
    pub(super) fn begin_run(
        &self,
        name: &str,
        n_readers: usize,
        events: &EventSender,
    ) -> RunRecorder {
        let run = {
            let mut files = self.files();
            files.n_runs += 1;
            files.n_runs
        };
        let recorder = RunRecorder {
            recorder: self.clone(),
            run,
            events: events.clone(),
        };
        recorder.trace(|trace, run| trace.begin_run(run, name, n_readers));
        recorder
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunRecorder {
    /// The clock of a stage, which is traced if anyone asked for a trace.
    pub(super) fn clock(&self, stage: Stage, reader: usize) -> StageClock {
        if self.recorder.files().trace.is_none() {
            return StageClock::default();
        }
        let track = match stage {
            Stage::Reading => Track::Reader(reader),
            stage => Track::Stage(stage),
        };
        let recorder = self.clone();
        StageClock::with_listener(Box::new(move |span: Span| {
            recorder.trace(|trace, run| trace.span(run, track, &span));
        }))
    }

    /// Records a line of measurements.
    pub(super) fn metrics(&self, sample: &Sample) {
        let mut files = self.recorder.files();
        let written = match &mut files.metrics {
            Some(metrics) => metrics.write(self.run, sample),
            None => Ok(()),
        };
        if let Err(error) = written {
            files.metrics = None;
            self.give_up(&error);
        }
    }

    /// Records a sample of a moment.
    pub(super) fn sample(&self, sample: &Sample) {
        self.trace(|trace, run| trace.counters(run, sample));
        let mut files = self.recorder.files();
        let written = match &files.prometheus {
            Some(prometheus) => prometheus.write(self.run, sample),
            None => Ok(()),
        };
        if let Err(error) = written {
            files.prometheus = None;
            self.give_up(&error);
        }
    }

    /// Records a batch that the device computed.
    pub(super) fn batch(&self, times: (Instant, Instant), tokens: u64, sequences: u64) {
        self.trace(|trace, run| trace.batch(run, times, tokens, sequences));
    }

    fn trace(&self, write: impl FnOnce(&mut Trace, u64) -> Result<(), MonitorError>) {
        let mut files = self.recorder.files();
        let written = match &mut files.trace {
            Some(trace) => write(trace, self.run),
            None => Ok(()),
        };
        if let Err(error) = written {
            files.trace = None;
            self.give_up(&error);
        }
    }

    /// A run must not end because a disk is too full for its measurements.
    fn give_up(&self, error: &MonitorError) {
        self.events
            .warn(format!("{error}; the run goes on without this file"));
    }
}
