//! The files that the measurements of a script's runs go to.

use super::{
    MonitorError,
    metrics::MetricsFile,
    prometheus::PrometheusFile,
    trace::{Trace, Track},
};
use crate::{
    event::EventSender,
    hint::Hint,
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
pub struct Recorder(Arc<Files>);

/// Each has a lock of its own, so that a slow disk under one holds up nobody who writes another.
#[derive(Default)]
struct Files {
    metrics: Mutex<Option<MetricsFile>>,
    trace: Mutex<Option<Trace>>,
    prometheus: Mutex<Option<PrometheusFile>>,
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
        *locked(&self.0.metrics) = Some(MetricsFile::create(path)?);
        Ok(())
    }

    /// Writes what every stage does when to `path`, from now on, in Chrome's trace format. A file of
    /// that name is replaced.
    ///
    /// # Errors
    /// If the file system refuses, also to end an earlier trace.
    pub fn record_trace(&self, path: &Path) -> Result<(), MonitorError> {
        // It may be the same file, into which the end of the earlier trace must not come later.
        self.finish()?;
        *locked(&self.0.trace) = Some(Trace::create(path)?);
        Ok(())
    }

    /// Keeps the latest sample in `path`, from now on, in the text format of Prometheus. A file of
    /// that name is replaced.
    ///
    /// # Errors
    /// If the file system refuses, or the path names something that is not a file.
    pub fn record_prometheus(&self, path: &Path) -> Result<(), MonitorError> {
        *locked(&self.0.prometheus) = Some(PrometheusFile::create(path)?);
        Ok(())
    }

    /// Ends the trace; the other files are complete at any time.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn finish(&self) -> Result<(), MonitorError> {
        let trace = locked(&self.0.trace).take();
        trace.map_or(Ok(()), Trace::finish)
    }

    /// Begins a run, called `name`, with this number among those of the script.
    pub(super) fn begin_run(
        &self,
        run: u64,
        name: &str,
        n_readers: usize,
        events: &EventSender,
    ) -> RunRecorder {
        let recorder = RunRecorder {
            recorder: self.clone(),
            run,
            events: events.clone(),
        };
        recorder.trace(|trace, run| trace.begin_run(run, name, n_readers));
        recorder
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunRecorder {
    /// The clock of a stage, which is traced if anyone asked for a trace.
    pub(super) fn clock(&self, stage: Stage, reader: usize) -> StageClock {
        if locked(&self.recorder.0.trace).is_none() {
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
        self.write(&self.recorder.0.metrics, |file| {
            file.write(self.run, sample)
        });
    }

    /// Records a sample of a moment.
    pub(super) fn sample(&self, sample: &Sample) {
        self.trace(|trace, run| trace.counters(run, sample));
        self.write(&self.recorder.0.prometheus, |file| {
            file.write(self.run, sample)
        });
    }

    /// Records a batch that the device computed.
    pub(super) fn batch(&self, times: (Instant, Instant), tokens: u64, sequences: u64) {
        self.trace(|trace, run| trace.batch(run, times, tokens, sequences));
    }

    fn trace(&self, write: impl FnOnce(&mut Trace, u64) -> Result<(), MonitorError>) {
        self.write(&self.recorder.0.trace, |trace| write(trace, self.run));
    }

    /// Writes to a file, if anyone asked for it. A run must not end because a disk is too full for
    /// its measurements.
    fn write<T>(
        &self,
        file: &Mutex<Option<T>>,
        write: impl FnOnce(&mut T) -> Result<(), MonitorError>,
    ) {
        let mut file = locked(file);
        if let Some(open) = &mut *file
            && let Err(error) = write(open)
        {
            *file = None;
            self.events.warn(format!(
                "{}; the run goes on without this file",
                error.in_full()
            ));
        }
    }
}
