//! How a run ends that is told to stop: what is begun is finished, as long as its grace lasts.

use super::{
    code,
    place::{Place, wait_until},
    send,
};
use crate::{DEMO, RUNNER};
use nix::{
    pty::openpty,
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};
use serde_json::Value;
use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    process::{Child, ChildStderr, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Sooner than any grace here ends, and longer than what ends at once takes on a busy machine.
const SOON: Duration = Duration::from_secs(8);

/// A run whose events are read.
struct Run {
    child: Child,
    stderr: BufReader<ChildStderr>,
    events: Vec<Value>,
}

impl Run {
    /// Runs `embed` with these options of the mock device and of the run.
    fn start(place: &Place, input: &str, mock: &str, options: &str) -> Self {
        let model = format!("device: \"mock\", mock: #{{ {mock} }}");
        Self::start_on(place, input, &model, options)
    }

    /// Runs `embed` with these options of the model and of the run.
    fn start_on(place: &Place, input: &str, model: &str, options: &str) -> Self {
        let script = format!(
            "let model = esm2(\"{DEMO}\", #{{ {model} }});
            embed(model, fasta(\"{input}\").min_length(10), #{{ token_budget: 1024, output: \"out.parquet\", {options} }});"
        );
        fs::write(place.path("job.rhai"), script).unwrap();
        let mut command = place.command(RUNNER);
        let reader = place.path("reader");
        if reader.exists() {
            command.env("RUNNER_READER", reader);
        }
        let mut child = command
            .args(["exec", "--json", "job.rhai"])
            .spawn()
            .unwrap();
        Self {
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
            events: Vec::new(),
        }
    }

    /// Reads events until there is one of this kind.
    fn wait_for(&mut self, kind: &str) {
        while self.events.last().is_none_or(|last| last["event"] != kind) {
            let mut line = String::new();
            self.stderr.read_line(&mut line).unwrap();
            assert_ne!(line, "", "no `{kind}` in {:?}", self.events);
            self.events.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// Sends a signal and gives how long the run takes to end, and its exit code.
    fn stopped_by(&mut self, signal: Signal) -> (Duration, i32) {
        let start = Instant::now();
        send(&mut self.child, signal);
        self.wait_for("failed");
        let code = code(&mut self.child).unwrap();
        (start.elapsed(), code)
    }

    fn last(&self) -> &Value {
        self.events.last().unwrap()
    }

    fn sum(&self, kind: &str, key: &str) -> u64 {
        let of_kind = self.events.iter().filter(|event| event["event"] == kind);
        of_kind.map(|event| event[key].as_u64().unwrap()).sum()
    }

    /// Checks that all sequences that were given to the device are computed and written, and that there are
    /// more that are not.
    fn check_finished(&self) {
        let packed = self.sum("batch_packed", "sequences");
        assert_eq!(self.sum("batch_encoded", "sequences"), packed);
        assert_eq!(self.sum("rows_written", "rows"), packed);
        assert!(0 < packed && packed < 999, "{packed}");
    }
}

#[test]
fn what_is_begun_is_finished() {
    for (signal, name, mock, options) in [
        (Signal::SIGTERM, "SIGTERM", "", ""),
        (Signal::SIGINT, "SIGINT", "lanes: 3, jitter: 1.0,", ""),
        (Signal::SIGHUP, "SIGHUP", "", "packing: false"),
        (Signal::SIGTERM, "SIGTERM", "lanes: 2,", "prefetch: 1"),
        (
            Signal::SIGTERM,
            "SIGTERM",
            "lanes: 3, fail_lanes: 1, fail_after: 2, fail_with: \"lost in flight\",",
            "",
        ),
    ] {
        let place = Place::new();
        let mock = format!("{mock} tokens_per_sec: 20_000");
        let mut run = Run::start(&place, "in.fa", &mock, options);
        run.wait_for("rows_written");
        let (time, code) = run.stopped_by(signal);
        let expect = if signal == Signal::SIGHUP { 129 } else { 75 };
        assert_eq!(code, expect, "{signal}");
        assert_eq!(run.last()["message"], format!("stopped by {name}"));
        assert_eq!(run.last()["exit_code"], expect);
        assert!(time < SOON, "{time:?}");
        run.check_finished();
        let mut stopping = run
            .events
            .iter()
            .filter(|event| event["event"] == "stopping");
        let stopping = stopping.next().unwrap();
        assert_eq!(
            (&stopping["by"], &stopping["grace"]),
            (&name.into(), &20.0.into())
        );
    }
}

#[test]
fn batches_that_a_cpu_computes_at_once_are_finished_or_left() {
    for (signal, grace) in [(Signal::SIGINT, 20), (Signal::SIGTERM, 0)] {
        let place = Place::new();
        let options = format!("grace: {grace}");
        let model = "device: \"cpu\", threads: 4";
        let mut run = Run::start_on(&place, "in.fa", model, &options);
        run.wait_for("batch_encoded");
        let (time, code) = run.stopped_by(signal);
        assert_eq!(code, 75, "{signal}");
        assert!(time < SOON, "{signal}: {time:?}");
        if grace > 0 {
            run.check_finished();
        }
    }
}

#[test]
fn a_run_is_abandoned_when_its_grace_is_over() {
    for (grace, least, most) in [(0.0, 0.0, 4.0), (2.0, 2.0, 6.0)] {
        let place = Place::new();
        // A batch takes ten seconds, and a dozen that nobody has begun wait.
        let options = format!("prefetch: 8, grace: {grace}");
        let mut run = Run::start(&place, "in.fa", "tokens_per_sec: 100", &options);
        run.wait_for("batch_packed");
        let (time, code) = run.stopped_by(Signal::SIGTERM);
        assert_eq!(code, 75);
        let seconds = time.as_secs_f64();
        assert!((least..most).contains(&seconds), "{grace}: {time:?}");
    }
}

#[test]
fn an_input_that_stands_still_keeps_nobody() {
    let place = Place::new();
    mkfifo(&place.path("pipe"), Mode::S_IRWXU).unwrap();
    let mut run = Run::start(&place, "pipe", "", "");
    let mut pipe = OpenOptions::new()
        .write(true)
        .open(place.path("pipe"))
        .unwrap();
    pipe.write_all(">a\nMKVLAAGICEMKVLAAGICE\n".repeat(10).as_bytes())
        .unwrap();
    run.wait_for("reader_started");
    let (time, code) = run.stopped_by(Signal::SIGTERM);
    assert_eq!(code, 75);
    assert!(time < SOON, "{time:?}");
}

#[test]
fn a_reader_that_stands_still_keeps_nobody() {
    let place = Place::new();
    let reader = place.path("reader");
    fs::write(&reader, "#!/bin/sh\nexec sleep 100\n").unwrap();
    fs::set_permissions(&reader, fs::Permissions::from_mode(0o755)).unwrap();
    let mut run = Run::start(&place, "in.fa", "", "");
    run.wait_for("run_started");
    let (time, code) = run.stopped_by(Signal::SIGINT);
    assert_eq!(code, 75);
    assert!(time < SOON, "{time:?}");
}

#[test]
fn closures_end_soon_and_what_is_begun_is_finished() {
    for closure in ["|sample| sleep(100)", "|sample| loop { }"] {
        let place = Place::new();
        let options = format!("monitor_hz: 10, on_sample: {closure}");
        let mut run = Run::start(&place, "in.fa", "tokens_per_sec: 20_000", &options);
        run.wait_for("rows_written");
        thread::sleep(Duration::from_millis(300));
        let (time, code) = run.stopped_by(Signal::SIGTERM);
        assert_eq!(code, 75);
        assert_eq!(run.last()["message"], "stopped by SIGTERM");
        assert!(time < SOON, "{time:?}");
        run.check_finished();
    }
}

#[test]
fn a_scheduler_may_send_several_signals() {
    let place = Place::new();
    let mut run = Run::start(&place, "in.fa", "tokens_per_sec: 10_000", "");
    run.wait_for("rows_written");
    for signal in [Signal::SIGTERM, Signal::SIGTERM, Signal::SIGHUP] {
        send(&mut run.child, signal);
        thread::sleep(Duration::from_millis(50));
    }
    let (_, code) = run.stopped_by(Signal::SIGINT);
    assert_eq!(code, 75);
    run.check_finished();
}

/// A job whose standard error is a terminal, and what it shows.
struct OnTerminal {
    child: Child,
    shown: Arc<Mutex<String>>,
}

impl OnTerminal {
    fn start(place: &Place, job: &str) -> Self {
        let terminal = openpty(None, None).unwrap();
        let mut command = place.command(RUNNER);
        command.args(["exec", "-q", job]);
        let child = command.stderr(Stdio::from(terminal.slave)).spawn().unwrap();
        // The other end of the terminal is the child's alone.
        drop(command);
        let shown = Arc::<Mutex<String>>::default();
        let heard = shown.clone();
        thread::spawn(move || {
            let (mut master, mut bytes) = (File::from(terminal.master), [0; 4096]);
            while let Ok(n @ 1..) = master.read(&mut bytes) {
                *heard.lock().unwrap() += &String::from_utf8_lossy(&bytes[..n]);
            }
        });
        wait_until(|| place.n_begun() == 1);
        Self { child, shown }
    }

    fn wait_for(&self, text: &str) {
        wait_until(|| self.shown.lock().unwrap().contains(text));
    }
}

#[test]
fn ctrl_c_on_a_terminal_finishes_what_is_begun() {
    let place = Place::new();
    let job = place.job("a", 20_000, "output: \"out.parquet\", grace: 10");
    let mut run = OnTerminal::start(&place, &job);
    wait_until(|| !place.partial_files().is_empty());
    send(&mut run.child, Signal::SIGINT);
    run.wait_for(
        "stopping; what is begun is finished within 10 s; press Ctrl-C again to end at once",
    );
    assert_eq!(code(&mut run.child), Some(130));
    run.wait_for("stopped by the user; run the same command again to go on");
}

#[test]
fn ctrl_c_on_a_terminal_ends_at_once_what_was_told_to_stop() {
    for first in [Signal::SIGINT, Signal::SIGTERM] {
        let place = Place::new();
        // A batch takes ten seconds, and one has begun.
        let mut run = OnTerminal::start(&place, &place.job("a", 100, "output: \"out.parquet\""));
        thread::sleep(Duration::from_secs(1));
        send(&mut run.child, first);
        thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        send(&mut run.child, Signal::SIGINT);
        assert_eq!(code(&mut run.child), Some(130), "{first}");
        assert!(start.elapsed() < Duration::from_secs(4), "{first}");
        assert_eq!(place.partial_files(), [""; 0]);
    }
}
