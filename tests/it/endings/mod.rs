//! How runs end that do not end well, through the program: the code, and what is left of them.

mod going_on;
mod place;
mod stopping;

use crate::{
    DEMO, RUNNER,
    run::{context, mock_model, real_pool},
};
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use place::{Place, wait_until};
use runner::{
    event::EventSender,
    job::{Dataset, EmbedOptions, EmbedPlan, Mock},
    monitor::Recorder,
    pipeline::{self, Notice, Watcher},
};
use serde_json::Value;
use std::{
    fs,
    io::Read,
    num::NonZeroUsize,
    ops::ControlFlow,
    panic::{self, AssertUnwindSafe},
    process::Child,
    thread,
    time::{Duration, Instant},
};

/// Sends a signal to a process that must be alive.
fn send(child: &mut Child, signal: Signal) {
    assert!(child.try_wait().unwrap().is_none(), "it still runs");
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// The exit code of a process that must end.
fn code(child: &mut Child) -> Option<i32> {
    let mut status = None;
    wait_until(|| {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.and_then(|status| status.code())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_signal_in_the_middle_of_an_output_leaves_what_was_committed() {
    for (signal, expect) in [
        (Signal::SIGINT, 75),
        (Signal::SIGTERM, 75),
        (Signal::SIGHUP, 129),
    ] {
        let place = Place::new();
        let mut child = place.started(&place.job("a", 20_000, "output: \"out.parquet\""));
        assert_eq!(place.names("tmp").len(), 1, "a temporary folder");
        send(&mut child, signal);
        assert_eq!(code(&mut child), Some(expect), "{signal}");
        place.check_clean();
    }
}

#[test]
fn whatever_ends_a_run_what_it_was_to_replace_is_as_it_was() {
    let earlier = [
        ("out.parquet", "an output"),
        ("out.parquet.rejects.tsv", "its list"),
    ];
    for (signal, expect) in [
        (Signal::SIGINT, Some(75)),
        (Signal::SIGTERM, Some(75)),
        (Signal::SIGHUP, Some(129)),
        (Signal::SIGKILL, None),
    ] {
        let place = Place::new();
        for (name, content) in earlier {
            fs::write(place.path(name), content).unwrap();
        }
        let job = place.job("a", 20_000, "output: \"out.parquet\", overwrite: true");
        let mut child = place.started(&job);
        send(&mut child, signal);
        assert_eq!(code(&mut child), expect, "{signal}");
        for (name, content) in earlier {
            let found = fs::read_to_string(place.path(name)).unwrap();
            assert_eq!(found, content, "{signal}");
        }
    }
}

#[test]
fn a_second_ctrl_c_leaves_no_temporary_file_either() {
    let place = Place::new();
    // A batch takes ten seconds, and a stop waits for it.
    let mut child = place.started(&place.job("a", 100, "output: \"out.parquet\""));
    thread::sleep(Duration::from_millis(300));
    send(&mut child, Signal::SIGINT);
    thread::sleep(Duration::from_millis(500));
    let start = Instant::now();
    send(&mut child, Signal::SIGINT);
    assert_eq!(code(&mut child), Some(130));
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(place.partial_files(), [""; 0]);
    assert_eq!(place.names("tmp"), [""; 0]);
}

#[test]
fn a_rehearsal_that_is_stopped_leaves_nothing() {
    for (signal, expect) in [(Signal::SIGINT, 75), (Signal::SIGHUP, 129)] {
        let place = Place::new();
        fs::write(place.path("a.rhai"), "temp_path(\"scratch\"); loop { }").unwrap();
        let mut child = place
            .command(RUNNER)
            .args(["check", "a.rhai"])
            .spawn()
            .unwrap();
        wait_until(|| !place.names("tmp").is_empty());
        send(&mut child, signal);
        assert_eq!(code(&mut child), Some(expect), "{signal}");
        place.check_clean();
    }
}

#[test]
fn a_run_under_nohup_goes_on_when_the_terminal_is_gone() {
    let place = Place::new();
    let job = place.job("a", 300_000, "output: \"out.parquet\"");
    let mut command = place.command("sh");
    command.args([
        "-c",
        "trap '' HUP; exec \"$0\" exec -q \"$1\"",
        RUNNER,
        &job,
    ]);
    let mut child = command.spawn().unwrap();
    wait_until(|| place.n_begun() == 1);
    send(&mut child, Signal::SIGHUP);
    assert_eq!(code(&mut child), Some(7));
    assert!(place.path("out.parquet").exists());
}

#[test]
fn what_a_killed_run_left_is_removed_and_what_a_living_one_needs_is_not() {
    let place = Place::new();
    let mut living = place.started(&place.job("living", 20_000, "output: \"living.parquet\""));
    wait_until(|| place.partial_files().len() == 1);
    let mut killed = place.started(&place.job("killed", 20_000, "output: \"killed.parquet\""));
    wait_until(|| place.partial_files().len() == 2);
    send(&mut killed, Signal::SIGKILL);
    assert_eq!(code(&mut killed), None);
    assert_eq!(place.partial_files().len(), 2);
    let job = place.job("killed", 100_000_000, "output: \"killed.parquet\"");
    let done = place
        .command(RUNNER)
        .args(["exec", "-q", &job])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(7), "{}", text(&done.stderr));
    assert!(!place.path("killed.parquet.parts").exists());
    assert_eq!(place.partial_files().len(), 1);
    send(&mut living, Signal::SIGTERM);
    assert_eq!(code(&mut living), Some(75));
    assert_eq!(place.partial_files(), [""; 0]);
}

#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk() {
    let place = Place::new();
    let earlier = [
        ("out.parquet", "an output"),
        ("out.parquet.rejects.tsv", "its list"),
    ];
    for (name, content) in earlier {
        fs::write(place.path(name), content).unwrap();
    }
    let job = place.job("a", 100_000_000, "output: \"out.parquet\", overwrite: true");
    let limited = "ulimit -f 64; exec \"$0\" exec -q \"$1\"";
    let mut command = place.command("sh");
    let done = command
        .args(["-c", limited, RUNNER, &job])
        .output()
        .unwrap();
    let stderr = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{stderr}");
    let words = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("cannot write `out.parquet`"), "{stderr}");
    assert!(words.contains("ulimit -f"), "{stderr}");
    // What was to be replaced is as it was, and so is what belongs to it.
    for (name, content) in earlier {
        assert_eq!(fs::read_to_string(place.path(name)).unwrap(), content);
        fs::remove_file(place.path(name)).unwrap();
    }
    place.check_clean();
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "whoever looks at the tests should know"
)]
fn a_full_disk_ends_a_run_with_the_remedy() {
    let place = Place::new();
    let job = place.job("a", 100_000_000, "output: \"disk/out.parquet\"");
    fs::create_dir(place.path("disk")).unwrap();
    let script = "mount -t tmpfs -o size=128k tmpfs disk || exit; echo mounted
        \"$0\" exec -q \"$1\"; code=$?; ls -A disk; grep -c '\"commit\":' disk/*/ledger.jsonl; exit $code";
    let mut command = place.command("unshare");
    let done = command
        .args(["-m", "sh", "-c", script, RUNNER, &job])
        .output();
    let done = match done {
        Ok(done) if done.stdout.starts_with(b"mounted") => done,
        _ => {
            println!("skipped: only root can mount a small disk, and not everywhere");
            return;
        }
    };
    let stderr = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("free some space"), "{stderr}");
    // What fits is kept, and nothing else is left.
    let stdout = text(&done.stdout);
    let left = stdout.strip_prefix("mounted\nout.parquet.parts\n");
    let n_commits = left.and_then(|n| n.trim().parse::<usize>().ok());
    assert!(n_commits > Some(0), "{stdout}{stderr}");
}

#[test]
fn a_script_that_never_comes_keeps_nobody() {
    let place = Place::new();
    mkfifo(&place.path("script"), Mode::S_IRWXU).unwrap();
    for command in ["exec", "check"] {
        let mut child = place
            .command(RUNNER)
            .args([command, "script"])
            .spawn()
            .unwrap();
        // It waits for a writer.
        thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none(), "{command}");
        send(&mut child, Signal::SIGTERM);
        assert_eq!(code(&mut child), None, "{command}: the signal ends it");
    }
}

#[test]
fn what_is_no_file_is_no_output_and_nobody_waits_for_it() {
    let place = Place::new();
    mkfifo(&place.path("pipe"), Mode::S_IRWXU).unwrap();
    mkfifo(&place.path("pipe.csv"), Mode::S_IRWXU).unwrap();
    let check = |options: &str, flags: &[&str]| {
        let job = place.job("a", 100_000_000, options);
        let mut command = place.command(RUNNER);
        let mut child = command
            .args(["exec", "-q", &job])
            .args(flags)
            .spawn()
            .unwrap();
        let code = code(&mut child).unwrap();
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert!([1, 2, 3].contains(&code), "{code}: {stderr}");
        assert!(
            stderr.contains("pipe") || stderr.contains("/dev/null"),
            "{stderr}"
        );
    };
    check("output: \"pipe\", overwrite: true", &[]);
    check("output: \"/dev/null\", overwrite: true", &[]);
    check("", &["--metrics", "pipe.csv"]);
    check("", &["--trace", "pipe"]);
    check("", &["--prometheus", "pipe"]);
    check("", &["--report", "pipe"]);
    assert_eq!(place.partial_files(), [""; 0]);
    for name in ["pipe", "pipe.csv"] {
        let kind = place.path(name).metadata().unwrap().file_type();
        assert!(!kind.is_file(), "{name} is still a pipe");
    }
}

#[test]
fn a_reader_of_events_that_stands_still_does_not_hold_a_run_up() {
    let place = Place::new();
    // Two events a batch and more: far more than a pipe holds.
    let job = place.job("a", 100_000_000, "output: \"out.parquet\", prefetch: 64");
    let script = fs::read_to_string(place.path(&job)).unwrap();
    let many = script
        .replace("embed(", "for n in 0..20 { embed(")
        .replace("output: \"out.parquet\"", "output: `out${n}.parquet`");
    fs::write(place.path(&job), format!("{many} }} print(\"published\");")).unwrap();
    let mut child = place
        .command(RUNNER)
        .args(["exec", "--json", &job])
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut printed = [0; 9];
    stdout.read_exact(&mut printed).unwrap();
    assert_eq!(&printed, b"published");
    assert!(place.path("out19.parquet").exists());
    // It goes on, and hears all that counts.
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(code(&mut child), Some(7));
    let events: Vec<Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sum = |kind: &str, key: &str| -> u64 {
        let of_kind = events.iter().filter(|event| event["event"] == kind);
        of_kind.map(|event| event[key].as_u64().unwrap()).sum()
    };
    let count = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    assert_eq!((count("run_started"), count("run_finished")), (20, 20));
    assert_eq!(sum("records_read", "records"), 20_000);
    assert_eq!(sum("rows_written", "rows"), 20 * 999);
    assert_eq!(sum("batch_encoded", "sequences"), 20 * 999);
}

/// A closure with a bug.
struct Panicking;

impl Watcher for Panicking {
    fn notice(&mut self, _notice: Notice) -> ControlFlow<String> {
        panic!("a bug");
    }
}

#[test]
fn a_panic_in_the_middle_of_a_run_ends_all_of_it() {
    let place = Place::new();
    let model = mock_model(Mock {
        tokens_per_sec: Some(20_000.0),
        ..Mock::default()
    });
    let (events, _) = EventSender::channel();
    let mut context = context(real_pool(), Recorder::default(), events);
    let dataset = Dataset::new(vec![place.path("in.fa").to_string_lossy().into_owned()]);
    let options = EmbedOptions {
        output: Some(place.path("out.parquet")),
        token_budget: NonZeroUsize::new(1024),
        monitor_hz: 10.0,
        ..EmbedOptions::default()
    };
    let plan = EmbedPlan::new(dataset, options, model.n_layers()).unwrap();
    let start = Instant::now();
    let ended = panic::catch_unwind(AssertUnwindSafe(|| {
        pipeline::embed(&mut context, &model, &plan, &mut Panicking)
    }));
    assert!(ended.is_err(), "the panic comes through");
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    place.check_clean();
}

#[test]
fn names_cannot_command_a_terminal() {
    let place = Place::new();
    let name = "e\u{1b}[31mred\u{9b}2J.fa";
    fs::write(place.path(name), "").unwrap();
    let script = format!(
        "let model = esm2(\"{DEMO}\", #{{ device: \"mock\" }});
        embed(model, fasta(args[0]));"
    );
    fs::write(place.path("a.rhai"), script).unwrap();
    let mut command = place.command(RUNNER);
    let done = command
        .args(["exec", "--color", "always", "a.rhai", "--", name])
        .output()
        .unwrap();
    let stderr = text(&done.stderr);
    assert!(done.status.success(), "{stderr}");
    // Once in the line about the run, and once in the warning that the file is empty.
    let shown = r"e\u{1b}[31mred\u{9b}2J.fa";
    assert_eq!(stderr.matches(shown).count(), 2, "{stderr}");
    assert!(!stderr.contains("\u{1b}[31m") && !stderr.contains('\u{9b}'));
}
