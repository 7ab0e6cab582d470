//! Which stage is blamed, on a device of given speed, with stages that are slower than they need to
//! be: nothing here depends on how fast the machine is.

use crate::{
    RUNNER,
    run::{Unwatched, context, mock_model, real_pool},
};
use flate2::{Compression, write::GzEncoder};
use runner::{
    event::{Event, EventSender},
    job::{Dataset, Delays, EmbedOptions, EmbedPlan, Mock},
    meter::{Bottleneck, Metric, Sample, Scope, Severity, Stage, Together},
    monitor::Recorder,
    pipeline::{self, Notice, RunFailure, Watcher},
    reader::Pool,
    report::RunSummary,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    num::NonZeroUsize,
    ops::ControlFlow,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Tokens of the input.
const TOKENS: f64 = 600_000.0;
/// Tokens of a batch: the input is some 150 batches.
const BUDGET: usize = 4096;

/// A run that something slows down.
struct Case {
    /// Seconds that the device needs for all tokens.
    encoder: f64,
    /// Seconds that a reader needs for all of the input.
    reader: f64,
    /// Seconds that packing takes beside its work, and so for writing.
    packing: f64,
    writing: f64,
    readers: usize,
    input: Input,
}

#[derive(Clone, Copy)]
enum Input {
    Plain,
    Gzip,
    /// A pipe whose writer needs so many seconds.
    Pipe(f64),
}

const FAST: Case = Case {
    encoder: 0.0,
    reader: 0.0,
    packing: 0.0,
    writing: 0.0,
    readers: 1,
    input: Input::Plain,
};

impl Case {
    fn run(&self) -> RunSummary {
        let folder = tempfile::tempdir().unwrap();
        self.run_with(
            &folder,
            Recorder::default(),
            &mut Unwatched,
            &EmbedOptions::default(),
        )
        .unwrap()
    }

    fn run_with(
        &self,
        folder: &TempDir,
        recorder: Recorder,
        watcher: &mut dyn Watcher,
        options: &EmbedOptions,
    ) -> Result<RunSummary, RunFailure> {
        let text = fasta();
        let input = folder.path().join("proteins.fa");
        match self.input {
            Input::Plain => fs::write(&input, &text).unwrap(),
            Input::Gzip => {
                let file = File::create(&input).unwrap();
                let mut encoder = GzEncoder::new(file, Compression::fast());
                encoder.write_all(text.as_bytes()).unwrap();
                encoder.finish().unwrap();
            }
            Input::Pipe(seconds) => {
                nix::unistd::mkfifo(&input, nix::sys::stat::Mode::S_IRWXU).unwrap();
                let pipe = input.clone();
                let text = text.clone();
                thread::spawn(move || trickle(&pipe, text.as_bytes(), seconds));
            }
        }
        let pool = if self.reader > 0.0 {
            Pool::with_program(throttled(folder, text.len() as f64 / self.reader))
        } else {
            real_pool()
        };
        let n_batches = TOKENS / BUDGET as f64;
        let options = EmbedOptions {
            readers: NonZeroUsize::new(self.readers).unwrap(),
            token_budget: NonZeroUsize::new(BUDGET),
            delays: Delays {
                packing: Duration::from_secs_f64(self.packing / n_batches),
                writing: Duration::from_secs_f64(self.writing / n_batches),
            },
            ..options.clone()
        };
        let mock = Mock {
            tokens_per_sec: (self.encoder > 0.0).then(|| TOKENS / self.encoder),
            ..Mock::default()
        };
        let (events, _) = EventSender::channel();
        embed(
            Setup {
                pool,
                mock,
                recorder,
                events,
            },
            &input,
            watcher,
            &options,
        )
    }
}

/// What a run needs beside its options.
struct Setup {
    pool: Pool,
    mock: Mock,
    recorder: Recorder,
    events: EventSender,
}

impl Setup {
    /// Readers and a device as fast as they can be.
    fn fast(events: EventSender) -> Self {
        Self {
            pool: real_pool(),
            mock: Mock::default(),
            recorder: Recorder::default(),
            events,
        }
    }
}

fn embed(
    setup: Setup,
    input: &Path,
    watcher: &mut dyn Watcher,
    options: &EmbedOptions,
) -> Result<RunSummary, RunFailure> {
    let model = mock_model(setup.mock);
    let mut context = context(setup.pool, setup.recorder, setup.events);
    let dataset = Dataset::new(vec![input.to_string_lossy().into_owned()]);
    let plan = EmbedPlan::new(dataset, options.clone(), model.n_layers())?;
    pipeline::embed(&mut context, &model, &plan, watcher)
}

/// Sequences of 20 to 380 residues, [`TOKENS`] together.
fn fasta() -> String {
    let mut text = String::new();
    let mut n_tokens = 0.0;
    let mut n = 0usize;
    while n_tokens < TOKENS {
        let length = 20 + n * 37 % 361;
        writeln!(
            text,
            ">p{n}\n{}",
            &"MKVLAAGICDEFHNPQRSTW".repeat(20)[..length]
        )
        .unwrap();
        n_tokens += length as f64 + 2.0;
        n += 1;
    }
    text
}

/// Writes `text` to a pipe in a hundred pieces.
fn trickle(pipe: &Path, text: &[u8], seconds: f64) {
    let mut pipe = File::options().write(true).open(pipe).unwrap();
    for piece in text.chunks(text.len().div_ceil(100)) {
        // The reader is gone if its test failed.
        if pipe.write_all(piece).is_err() {
            return;
        }
        thread::sleep(Duration::from_secs_f64(seconds / 100.0));
    }
}

/// A reader that sends so many bytes a second.
fn throttled(folder: &TempDir, bytes_per_sec: f64) -> PathBuf {
    let path = folder.path().join("reader.sh");
    let piece = 65_536.0;
    let text = format!(
        "#!/bin/sh\n'{RUNNER}' \"$@\" | while :; do dd bs={piece} count=1 2>/dev/null; sleep {:.4}; done\n",
        piece / bytes_per_sec
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn the_right_stage_is_blamed() {
    let check = |name: &str, case: Case, stage: Stage, severity: Severity, words: &str| {
        let run = case.run();
        let found = run.bottleneck.as_ref().expect(name);
        let times = run.details.stages;
        assert_eq!(
            (found.stage, found.severity),
            (stage, severity),
            "{name}: {found}\n{times:?}"
        );
        assert!(found.to_string().contains(words), "{name}: {found}");
        // No time of a stage is lost: the last one lives as long as the run, and a trace shows the same of
        // the others. What is beside it is how long it takes to begin and to publish.
        let time = times[Stage::Writing as usize];
        let beside = run.seconds - time.total();
        assert!(
            (0.0..0.5).contains(&beside),
            "{name}: {time:?} of {} s",
            run.seconds
        );
        let reading = times[Stage::Reading as usize].total();
        assert!(
            reading <= 1.02 * run.seconds * case.readers as f64,
            "{name}"
        );
    };
    use Severity::{Critical, Good};
    // One run for each thing that only a run can show: that a stage's waits are measured, and that the
    // verdict knows its input. Which times mean what is tested beside the judge, on made-up times.
    let slow_device = Case {
        encoder: 0.7,
        ..FAST
    };
    check(
        "device",
        slow_device,
        Stage::Encoding,
        Good,
        "as it should be",
    );
    let slow_pipe = Case {
        input: Input::Pipe(0.7),
        ..FAST
    };
    check(
        "pipe",
        slow_pipe,
        Stage::Reading,
        Critical,
        "the input is a pipe",
    );
    let slow_gzip = Case {
        reader: 0.7,
        readers: 3,
        input: Input::Gzip,
        ..FAST
    };
    check(
        "gzip",
        slow_gzip,
        Stage::Reading,
        Critical,
        "compress with bgzip",
    );
    let slow_packing = Case {
        packing: 0.7,
        ..FAST
    };
    check(
        "packing",
        slow_packing,
        Stage::Packing,
        Critical,
        "one thread",
    );
    let slow_writer = Case {
        writing: 0.7,
        ..FAST
    };
    check(
        "writer",
        slow_writer,
        Stage::Writing,
        Critical,
        "faster disk",
    );
}

#[test]
fn a_run_of_two_batches_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("proteins.fa");
    // Both do not fit into a batch.
    let protein = "MKVL".repeat(150);
    fs::write(&input, format!(">a\n{protein}\n>b\n{protein}\n")).unwrap();
    let (events, _) = EventSender::channel();
    let options = EmbedOptions {
        token_budget: NonZeroUsize::new(1024),
        ..EmbedOptions::default()
    };
    let run = embed(Setup::fast(events), &input, &mut Unwatched, &options).unwrap();
    assert_eq!((run.batches, run.bottleneck), (2, None));
}

#[test]
fn spans_of_a_trace_fill_the_time_of_each_stage() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let path = folder.path().join("trace.json");
    recorder.record_trace(&path).unwrap();
    let case = Case {
        encoder: 0.5,
        writing: 0.7,
        ..FAST
    };
    let run = case
        .run_with(
            &folder,
            recorder.clone(),
            &mut Unwatched,
            &EmbedOptions::default(),
        )
        .unwrap();
    recorder.finish().unwrap();

    let events: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut names = BTreeMap::new();
    // Start, end and sum of the spans of each track.
    let mut tracks: BTreeMap<u64, (f64, f64, f64)> = BTreeMap::new();
    for event in &events {
        let tid = event["tid"].as_u64().unwrap_or(0);
        if event["name"] == "thread_name" {
            names.insert(event["args"]["name"].as_str().unwrap(), tid);
        }
        if event["ph"] == "X" {
            let (start, length) = (
                event["ts"].as_f64().unwrap(),
                event["dur"].as_f64().unwrap(),
            );
            let track = tracks.entry(tid).or_insert((f64::INFINITY, 0.0, 0.0));
            track.0 = track.0.min(start);
            track.1 = track.1.max(start + length);
            track.2 += length;
        }
    }
    for name in ["packing", "encoding", "collecting", "writing", "reader 0"] {
        let (start, end, sum) = tracks[&names[name]];
        let lost = 1.0 - sum / (end - start);
        assert!(lost.abs() < 0.02, "{name}: {lost}");
    }
    let batches = events.iter().filter(|event| event["name"] == "batch");
    assert_eq!(batches.count() as u64, run.batches);
}

#[test]
fn samples_count_the_batch_that_is_being_computed() {
    // A batch takes 80 ms, so that a tenth of a second has the end of one or of two.
    let tokens_per_sec = BUDGET as f64 / 0.08;
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("proteins.fa");
    let text: String = fasta().split_inclusive('\n').take(800).collect();
    fs::write(&input, text).unwrap();
    let (events, _) = EventSender::channel();
    let setup = Setup {
        mock: Mock {
            tokens_per_sec: Some(tokens_per_sec),
            ..Mock::default()
        },
        ..Setup::fast(events)
    };
    let options = EmbedOptions {
        token_budget: NonZeroUsize::new(BUDGET),
        monitor_hz: 10.0,
        ..EmbedOptions::default()
    };
    let run = embed(setup, &input, &mut Unwatched, &options).unwrap();
    let samples = &run.details.timeline;
    let of = |sample: &Sample, metric| sample.get(metric).unwrap();
    let sum: f64 = samples
        .iter()
        .map(|sample| of(sample, Metric::TokensPerSec) * sample.interval())
        .sum();
    assert!((sum - run.tokens as f64).abs() < 1.0, "{sum}");
    // How fast the device is shows when the first batch is done.
    let rates: Vec<_> = samples[..samples.len() - 1]
        .iter()
        .skip_while(|sample| of(sample, Metric::Batches) == 0.0)
        .skip(1)
        .map(|sample| of(sample, Metric::TokensPerSec) / tokens_per_sec)
        .collect();
    assert!(rates.len() >= 10, "{rates:?}");
    // On a busy machine some are of a device that had to wait. Whole batches would make it 0.8 or 1.6.
    let near = rates.iter().filter(|rate| (*rate - 1.0).abs() < 0.15);
    assert!(near.count() * 4 >= rates.len() * 3, "{rates:?}");
}

/// Keeps what it is told, and stops at the first bottleneck.
#[derive(Default)]
struct Listener {
    n_samples: usize,
    /// What it was told of, and when.
    bottleneck: Option<(Stage, Instant)>,
}

impl Watcher for Listener {
    fn notice(&mut self, notice: Notice) -> ControlFlow<String> {
        match notice {
            Notice::Sample(_) => {
                self.n_samples += 1;
                ControlFlow::Continue(())
            }
            Notice::Bottleneck(found) => {
                self.bottleneck = Some((found.stage, Instant::now()));
                ControlFlow::Break("enough".to_owned())
            }
        }
    }
}

#[test]
fn a_bottleneck_is_told_of_while_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case {
        reader: 8.0,
        ..FAST
    };
    let mut listener = Listener::default();
    let options = EmbedOptions {
        monitor_hz: 10.0,
        ..EmbedOptions::default()
    };
    let error = case
        .run_with(&folder, Recorder::default(), &mut listener, &options)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "stopped by the script: enough; nothing was published"
    );
    let (stage, told) = listener.bottleneck.expect("it was told");
    assert_eq!(stage, Stage::Reading);
    // A reader sends what makes a frame, and then twenty samples tell.
    assert!(listener.n_samples >= 20, "{}", listener.n_samples);
    assert!(
        told.elapsed() < Duration::from_secs(3),
        "it stopped at once"
    );
}

/// Takes its time over everything that it is told.
struct Slow(usize);

impl Watcher for Slow {
    fn notice(&mut self, _notice: Notice) -> ControlFlow<String> {
        self.0 += 1;
        thread::sleep(Duration::from_millis(100));
        ControlFlow::Continue(())
    }
}

#[test]
fn a_slow_listener_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case {
        encoder: 1.0,
        ..FAST
    };
    let options = EmbedOptions {
        monitor_hz: 10.0,
        ..EmbedOptions::default()
    };
    let mut listener = Slow(0);
    let run = case
        .run_with(&folder, Recorder::default(), &mut listener, &options)
        .unwrap();
    // It sleeps for all of the run, and the encoder works for all of it. When it has ended, nobody listens.
    assert!(listener.0 >= 8, "{}", listener.0);
    assert!(run.seconds < 1.5, "{}", run.seconds);
    let encoding = run.details.stages[Stage::Encoding as usize];
    assert!(encoding.working > 0.85 * encoding.total(), "{encoding:?}");
}

#[test]
fn every_event_is_of_the_schema() {
    // The events that docs/events.md has, each with the keys that it has beside `event`.
    let documented = fs::read_to_string("docs/events.md").unwrap();
    let (events, received) = EventSender::channel();
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("proteins.fa");
    fs::write(&input, fasta()).unwrap();
    let setup = Setup::fast(events);
    embed(setup, &input, &mut Unwatched, &EmbedOptions::default()).unwrap();
    let mut kinds = BTreeMap::new();
    // What this run gives no occasion for.
    let others = [
        Event::ReaderFailed {
            reader: 0,
            reason: String::new(),
        },
        Event::LaneFailed {
            lane: 0,
            device: String::new(),
            batches: 1,
            reason: String::new(),
        },
        Event::Resumed {
            records: 1,
            rows: 1,
            finished: false,
        },
        Event::InputSkipped { input_bytes: 1 },
        Event::SkippingRecords {
            input: String::new(),
            records: 1,
        },
        Event::SkippingBytes {
            input: String::new(),
            input_bytes: 1,
        },
        Event::Shard {
            shard: String::new(),
            by: String::new(),
        },
        Event::Comparing {
            model: String::new(),
            sequences: 1,
            of: 1,
        },
        Event::DownloadStarted {
            model: String::new(),
            commit: String::new(),
            files: 1,
            bytes: 1,
        },
        Event::Download {
            model: String::new(),
            file: String::new(),
            file_bytes: 1,
            file_of: 1,
            bytes: 1,
            of: 1,
        },
        Event::DownloadWaiting {
            model: String::new(),
            file: String::new(),
            reason: String::new(),
        },
        Event::DownloadFinished {
            model: String::new(),
            folder: None,
            seconds: 1.0,
            error: None,
            stopped: false,
        },
        Event::Warning {
            message: String::new(),
        },
        Event::Bottleneck {
            bottleneck: Bottleneck {
                stage: Stage::Reading,
                severity: Severity::Mild,
                message: String::new(),
                remedy: None,
            },
        },
    ];
    for event in received.try_iter().chain(others) {
        let json = serde_json::to_value::<Event>(event).unwrap();
        let name = json["event"].as_str().unwrap().to_owned();
        kinds.insert(name, json);
    }
    let rows = documented_events(&documented);
    for (name, json) in &kinds {
        let found: BTreeSet<_> = json.as_object().unwrap().keys().cloned().collect();
        let documented = rows.get(name);
        let documented = documented.unwrap_or_else(|| panic!("docs/events.md lacks {name}"));
        // A sample has the metrics, which have a table of their own.
        if name != "sample" {
            let mut expect = documented.clone();
            expect.insert("event".to_owned());
            assert_eq!(found, expect, "{name}");
        }
    }
    // Beside these there are lines about the job as a whole, which the command line writes.
    let of_jobs = ["failed", "restarting", "script", "stopping"].map(str::to_owned);
    let names: Vec<_> = rows.keys().filter(|name| !of_jobs.contains(name)).collect();
    assert_eq!(names, kinds.keys().collect::<Vec<_>>());
    let documented = fs::read_to_string("docs/metrics.md").unwrap();
    let rows = |line: &&str| line.starts_with("| `");
    let found: Vec<_> = documented.lines().filter(rows).collect();
    let of = |metric: Metric| match metric.scope() {
        Scope::Run | Scope::Host => "run",
        Scope::Lane => "run, lane",
        Scope::Gpu(Together::Sum) => "lane; run: sum",
        Scope::Gpu(Together::Mean) => "lane; run: mean",
        Scope::Gpu(Together::Most) => "lane; run: largest",
    };
    let row = |metric: Metric| {
        format!(
            "| `{}` | {} | {} |",
            metric.name(),
            of(metric),
            metric.meaning()
        )
    };
    let mut expect: Vec<_> = Metric::all().map(row).collect();
    expect.push(
        "| `gpu_throttle_reasons` | lane; run: all | NVML: what holds the clock down, such as `power cap` |".into(),
    );
    assert_eq!(found, expect);
}

/// The events of a table, each with its keys. A row has names in its first cell and their keys
/// in the second, with `;` between those of one event and the next.
fn documented_events(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let quoted = |text: &str| -> Vec<String> {
        let words = text.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let table = text.split("| event of `--json` | has |\n").nth(1).unwrap();
    let rows = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let mut events = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').collect();
        let names = quoted(cells[1]);
        let keys: Vec<_> = cells[2].split(';').map(quoted).collect();
        assert_eq!(names.len(), keys.len(), "{row}");
        for (name, keys) in names.into_iter().zip(keys) {
            events.insert(name, keys.into_iter().collect());
        }
    }
    events
}
