//! What every stage did when, for Perfetto and Chrome's `about:tracing`.

use super::{MonitorError, track::Track};
use crate::meter::{Activity, BatchDone, Metric, Sample, Span, Stage};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Shorter spans are left out: nobody could see them, and they would be most of the file.
const LEAST_SPAN: Duration = Duration::from_micros(10);

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
        n_lanes: usize,
    ) -> Result<(), MonitorError> {
        self.event(&json!({
            "ph": "M", "name": "process_name", "pid": run, "args": { "name": format!("{run}: {name}") },
        }))?;
        let tracks = Stage::ALL.into_iter().flat_map(|stage| {
            let n_tracks = match stage {
                Stage::Reading => n_readers,
                Stage::Encoding | Stage::Collecting => n_lanes,
                Stage::Packing | Stage::Writing => 1,
            };
            (0..n_tracks).map(move |number| Track::of(stage, number))
        });
        for track in tracks.chain((0..n_lanes).map(Track::Device)) {
            let (id, name) = (track.id(), track.name(n_lanes));
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

    /// Whether a span is long enough to be seen.
    pub(super) fn shows(span: &Span) -> bool {
        span.end - span.start >= LEAST_SPAN
    }

    /// Adds a span of a stage.
    pub(super) fn span(&mut self, run: u64, track: Track, span: &Span) -> Result<(), MonitorError> {
        let name = match span.activity {
            Activity::Working => "working",
            Activity::Starved => "waiting for input",
            Activity::Blocked => "waiting for room",
        };
        self.slice(run, track, name, (span.start, span.end), json!({}))
    }

    /// Adds a batch that the device of a lane computed.
    pub(super) fn batch(
        &mut self,
        run: u64,
        lane: usize,
        batch: &BatchDone,
    ) -> Result<(), MonitorError> {
        let args = json!({ "tokens": batch.tokens, "sequences": batch.sequences });
        let times = (batch.start, batch.end);
        self.slice(run, Track::Device(lane), "batch", times, args)
    }

    /// Adds the figures of a moment as counters.
    pub(super) fn counters(
        &mut self,
        run: u64,
        moment: Instant,
        sample: &Sample,
    ) -> Result<(), MonitorError> {
        let moment = self.microseconds(moment);
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
                let event =
                    json!({ "ph": "C", "name": name, "pid": run, "ts": moment, "args": args });
                self.event(&event)?;
            }
        }
        Ok(())
    }

    /// Brings all that was added to the file.
    pub(super) fn flush(&mut self) -> Result<(), MonitorError> {
        let flushed = self.file.flush();
        flushed.map_err(|error| MonitorError::io(&self.path, error))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_json_with_a_slice_a_span() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        let mut trace = Trace::create(&path).unwrap();
        trace.begin_run(1, "a \"quoted\" input", 2, 1).unwrap();
        let start = Instant::now();
        let mut span = Span {
            activity: Activity::Starved,
            start,
            end: start + Duration::from_millis(2),
        };
        trace.span(1, Track::Stage(Stage::Packing), &span).unwrap();
        assert!(Trace::shows(&span));
        span.end = start + Duration::from_nanos(10);
        assert!(!Trace::shows(&span), "nobody could see it");
        let batch = BatchDone {
            sequences: 12,
            tokens: 4096,
            flops: 0.0,
            idle_seconds: 0.0,
            start,
            end: start + Duration::from_millis(3),
        };
        trace.batch(1, 0, &batch).unwrap();
        let mut sample = Sample::new(1.0);
        sample.set(Metric::BatchesQueued, 3.0);
        trace.counters(1, start, &sample).unwrap();
        trace.finish().unwrap();

        let text = std::fs::read_to_string(&path).unwrap();
        let events: Vec<Value> = serde_json::from_str(&text).unwrap();
        let of = |phase: &'static str| events.iter().filter(move |event| event["ph"] == phase);
        let slices: Vec<_> = of("X").collect();
        assert_eq!(slices.len(), 2);
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
    fn every_lane_has_tracks_of_its_own() {
        let check = |n_lanes: usize, expect: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("trace.json");
            let mut trace = Trace::create(&path).unwrap();
            trace.begin_run(1, "run", 1, n_lanes).unwrap();
            trace.finish().unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            let events: Vec<Value> = serde_json::from_str(&text).unwrap();
            let mut tracks: Vec<_> = events
                .iter()
                .filter(|event| event["name"] == "thread_name")
                .map(|event| {
                    (
                        event["tid"].as_u64(),
                        event["args"]["name"].as_str().unwrap(),
                    )
                })
                .collect();
            tracks.sort();
            let names: Vec<_> = tracks.iter().map(|(_, name)| *name).collect();
            assert_eq!(names, expect);
            tracks.dedup_by_key(|(id, _)| *id);
            assert_eq!(tracks.len(), expect.len(), "no two are one");
        };
        check(
            1,
            &[
                "reader 0",
                "packing",
                "encoding",
                "collecting",
                "writing",
                "device",
            ],
        );
        let two = [
            "reader 0",
            "packing",
            "encoding 0",
            "collecting 0",
            "encoding 1",
            "collecting 1",
            "writing",
            "device 0",
            "device 1",
        ];
        check(2, &two);
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
