//! What every stage did when, for Perfetto and Chrome's `about:tracing`.

use super::MonitorError;
use crate::meter::{Activity, Metric, Sample, Span, Stage};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Shorter spans are left out: nobody could see them, and they would be most of the file.
const LEAST_SPAN: Duration = Duration::from_micros(10);

/// A line of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    /// A stage that is one thread.
    Stage(Stage),
    /// A reader, by number.
    Reader(usize),
    /// What the device computes.
    Device,
}

/// A file of trace events in Chrome's JSON array format. A run is a process in it, a stage a thread.
#[derive(Debug)]
pub(super) struct Trace {
    path: PathBuf,
    file: BufWriter<File>,
    start: Instant,
    is_empty: bool,
}

impl Trace {
    /// Begins a file, which replaces one of that name.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn create(path: &Path) -> Result<Self, MonitorError> {
        let mut file = BufWriter::new(super::create(path)?);
        file.write_all(b"[")
            .map_err(|error| MonitorError::io(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            start: Instant::now(),
            is_empty: true,
        })
    }

    /// Names a run and its tracks.
    ///
    /// # Errors
    /// If the file system refuses, as for all that follow.
    pub(super) fn begin_run(
        &mut self,
        run: u64,
        name: &str,
        n_readers: usize,
    ) -> Result<(), MonitorError> {
        self.event(&json!({
            "ph": "M", "name": "process_name", "pid": run, "args": { "name": format!("{run}: {name}") },
        }))?;
        let readers = (0..n_readers).map(Track::Reader);
        let stages = Stage::ALL.into_iter().skip(1).map(Track::Stage);
        for track in readers.chain(stages).chain([Track::Device]) {
            let (id, name) = (track.id(), track.name());
            self.event(&json!({
                "ph": "M", "name": "thread_name", "pid": run, "tid": id, "args": { "name": name },
            }))?;
            self.event(&json!({
                "ph": "M", "name": "thread_sort_index", "pid": run, "tid": id,
                "args": { "sort_index": id },
            }))?;
        }
        Ok(())
    }

    /// Adds a span of a stage.
    pub(super) fn span(&mut self, run: u64, track: Track, span: &Span) -> Result<(), MonitorError> {
        if span.end - span.start < LEAST_SPAN {
            return Ok(());
        }
        let name = match span.activity {
            Activity::Working => "working",
            Activity::Starved => "waiting for input",
            Activity::Blocked => "waiting for room",
        };
        self.slice(run, track, name, (span.start, span.end), json!({}))
    }

    /// Adds a batch that the device computed.
    pub(super) fn batch(
        &mut self,
        run: u64,
        (start, end): (Instant, Instant),
        tokens: u64,
        sequences: u64,
    ) -> Result<(), MonitorError> {
        let args = json!({ "tokens": tokens, "sequences": sequences });
        self.slice(run, Track::Device, "batch", (start, end), args)
    }

    /// Adds the figures of a moment as counters.
    pub(super) fn counters(&mut self, run: u64, sample: &Sample) -> Result<(), MonitorError> {
        let now = self.microseconds(Instant::now());
        for (name, metrics) in [
            (
                "queues",
                &[
                    Metric::BatchesQueued,
                    Metric::BatchesInFlight,
                    Metric::RowsQueued,
                ][..],
            ),
            ("tokens/s", &[Metric::TokensPerSec]),
            ("GPU utilization", &[Metric::GpuUtilization]),
            ("GPU power", &[Metric::GpuPowerWatts]),
        ] {
            let args: serde_json::Map<String, Value> = metrics
                .iter()
                .filter_map(|metric| Some((metric.name().to_owned(), sample.get(*metric)?.into())))
                .collect();
            if !args.is_empty() {
                let event = json!({ "ph": "C", "name": name, "pid": run, "ts": now, "args": args });
                self.event(&event)?;
            }
        }
        Ok(())
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> Result<(), MonitorError> {
        let ended = self
            .file
            .write_all(b"\n]\n")
            .and_then(|()| self.file.flush());
        ended.map_err(|error| MonitorError::io(&self.path, error))
    }

    fn slice(
        &mut self,
        run: u64,
        track: Track,
        name: &str,
        (start, end): (Instant, Instant),
        args: Value,
    ) -> Result<(), MonitorError> {
        let event = json!({
            "ph": "X", "name": name, "pid": run, "tid": track.id(),
            "ts": self.microseconds(start), "dur": (end - start).as_nanos() as f64 / 1e3,
            "args": args,
        });
        self.event(&event)
    }

    fn event(&mut self, event: &Value) -> Result<(), MonitorError> {
        let separator = if self.is_empty { "\n" } else { ",\n" };
        self.is_empty = false;
        write!(self.file, "{separator}{event}").map_err(|error| MonitorError::io(&self.path, error))
    }

    fn microseconds(&self, time: Instant) -> f64 {
        time.saturating_duration_since(self.start).as_nanos() as f64 / 1e3
    }
}

impl Track {
    /// Its number, by which tracks are sorted.
    fn id(self) -> usize {
        match self {
            Self::Stage(stage) => 1000 + stage as usize,
            Self::Reader(reader) => 1 + reader,
            Self::Device => 1000 + Stage::Encoding as usize * 10,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Stage(stage) => stage.name().to_owned(),
            Self::Reader(reader) => format!("reader {reader}"),
            Self::Device => "device".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_json_with_a_slice_a_span() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        let mut trace = Trace::create(&path).unwrap();
        trace.begin_run(1, "a \"quoted\" input", 2).unwrap();
        let start = Instant::now();
        let mut span = Span {
            activity: Activity::Starved,
            start,
            end: start + Duration::from_millis(2),
        };
        trace.span(1, Track::Stage(Stage::Packing), &span).unwrap();
        span.end = start + Duration::from_nanos(10);
        trace.span(1, Track::Reader(1), &span).unwrap();
        let times = (start, start + Duration::from_millis(3));
        trace.batch(1, times, 4096, 12).unwrap();
        let mut sample = Sample::new(1.0);
        sample.set(Metric::BatchesQueued, 3.0);
        trace.counters(1, &sample).unwrap();
        trace.finish().unwrap();

        let text = std::fs::read_to_string(&path).unwrap();
        let events: Vec<Value> = serde_json::from_str(&text).unwrap();
        let of = |phase: &'static str| events.iter().filter(move |event| event["ph"] == phase);
        let slices: Vec<_> = of("X").collect();
        assert_eq!(slices.len(), 2, "the short one is left out");
        assert_eq!(slices[0]["name"], "waiting for input");
        assert_eq!(slices[0]["dur"], 2000.0);
        assert_eq!(slices[1]["args"]["tokens"], 4096);
        let counters: Vec<_> = of("C").collect();
        assert_eq!(counters.len(), 1);
        assert_eq!(counters[0]["args"]["batches_queued"], 3.0);
        // Every slice is on a track that has a name.
        for slice in slices {
            assert!(of("M").any(|m| m["name"] == "thread_name" && m["tid"] == slice["tid"]));
        }
    }

    #[test]
    fn a_trace_without_events_is_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        Trace::create(&path).unwrap().finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Value>>(&text).unwrap().len(), 0);
    }
}
