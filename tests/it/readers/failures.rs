//! Readers that die, hang, lie or see a GPU. They are the real program, behind wrappers that misbehave.

use super::fixture::{CUT, Fixture, LONG, await_end, is_running, outcomes};
use crate::RUNNER;
use crate::run::real_pool;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use runner::{
    event::{Event, EventSender},
    reader::Pool,
};
use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[test]
fn readers_killed_at_random_times_lose_nothing() {
    let fixture = Fixture::new();
    let expect = Fixture::undisturbed();
    let mut n_restarts = 0;
    for run in 0..10u64 {
        let (events, received) = EventSender::channel();
        let mut pool = real_pool();
        let records = pool.read(fixture.request(2, LONG, events)).unwrap();
        let killer = thread::spawn(move || {
            // Two victims in each run, at times that spread over the whole of it.
            for (n_killed, event) in received.iter().enumerate().take(2) {
                thread::sleep(Duration::from_millis((run * 7 + 13 * n_killed as u64) % 40));
                if let Event::ReaderStarted { pid, .. } = event {
                    let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
                }
            }
        });
        let mut got = Vec::new();
        let mut records = records;
        for read in records.by_ref() {
            got.extend(outcomes(read));
            thread::sleep(Duration::from_millis(2));
        }
        n_restarts += records.restarts();
        assert!(got == expect, "run {run}");
        drop(records);
        drop(pool);
        killer.join().unwrap();
    }
    assert!(n_restarts >= 5, "only {n_restarts} readers were hit");
}

#[test]
fn a_reader_that_fails_once_is_replaced() {
    let fixture = Fixture::new();
    for (misbehaviour, reason) in [
        ("exit 3".to_owned(), "exit status 3"),
        ("kill -SEGV $$".to_owned(), "signal 11"),
        ("sleep 100".to_owned(), "sent nothing for"),
        ("cat /dev/urandom".to_owned(), "garbage"),
        (format!("{CUT}; exit 3"), "exit status 3"),
        (format!("{CUT}; sleep 100"), "sent nothing for 1 s"),
        (format!("{CUT}; cat /dev/urandom"), "garbage"),
        ("\"$REAL\" \"$@\" | stdbuf -o0 tr W V".to_owned(), "garbage"),
    ] {
        let _ = fs::remove_dir(fixture.folder.path().join("flag"));
        let script = format!("if first; then {misbehaviour}; fi\nexec \"$REAL\" \"$@\"");
        fixture.check_recovery(&script, reason);
    }
}

#[test]
fn a_reader_that_always_fails_ends_the_run() {
    let fixture = Fixture::new();
    let place = ["proteins.fa`, bytes 0 to 2097152", "failed 3 times"];
    for (script, reason) in [
        (
            "echo 'no such luck' >&2; exit 7".to_owned(),
            "exit status 7; its last words: no such luck",
        ),
        (format!("{CUT}; exit 7"), "exit status 7"),
        (format!("{CUT}; sleep 100"), "sent nothing for 1 s"),
        (format!("{CUT}; cat /dev/urandom"), "garbage"),
    ] {
        fixture.check_failure(&script, &[place[0], place[1], reason]);
    }
}

#[test]
fn a_reader_that_sees_a_device_is_refused() {
    let fixture = Fixture::new();
    for setting in [
        "export CUDA_VISIBLE_DEVICES=0",
        "unset CUDA_VISIBLE_DEVICES",
    ] {
        let script = format!("{setting}\nexec \"$REAL\" \"$@\"");
        fixture.check_failure(
            &script,
            &["reader ", "must not see a GPU", "CUDA_VISIBLE_DEVICES"],
        );
    }
}

#[test]
fn a_reader_that_maps_a_gpu_library_is_refused() {
    let fixture = Fixture::new();
    let source = fixture.folder.path().join("empty.c");
    let library = fixture.folder.path().join("libcuda.so.1");
    fs::write(&source, "int nothing_at_all;\n").unwrap();
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(status.success());
    let script = format!("LD_PRELOAD='{}' exec \"$REAL\" \"$@\"", library.display());
    fixture.check_failure(
        &script,
        &["must not see a GPU", "maps the GPU library", "libcuda.so.1"],
    );
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    let fixture = Fixture::new();
    let mut pool = Pool::with_program(PathBuf::from("/nonexistent/reader"));
    let message = fixture
        .read(&mut pool, 1, LONG)
        .result
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("cannot start reader 0, `/nonexistent/reader`"),
        "{message}"
    );
}

#[test]
fn what_a_wrapper_started_ends_with_it() {
    let fixture = Fixture::new();
    let pid_file = fixture.folder.path().join("pid");
    let script = format!("sleep 100 &\necho $! > '{}'\nwait", pid_file.display());
    let (events, _received) = EventSender::channel();
    let mut pool = Pool::with_program(fixture.wrapper(&script));
    let records = pool.read(fixture.request(1, LONG, events)).unwrap();
    let start = Instant::now();
    let pid = loop {
        if let Ok(pid) = fs::read_to_string(&pid_file)
            .unwrap_or_default()
            .trim()
            .parse()
        {
            break pid;
        }
        assert!(start.elapsed() < LONG);
        thread::sleep(Duration::from_millis(10));
    };
    assert!(is_running(pid));
    drop(records);
    drop(pool);
    await_end(pid);
}

#[test]
fn no_reader_outlives_a_killed_program() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.fa");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = folder.path().join("job.rhai");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/models/esm2_t6_2M_demo");
    let text = format!(
        "embed(esm2(\"{}\", #{{ device: \"mock\" }}), fasta(\"{}\"), #{{ readers: 1 }});",
        model.display(),
        pipe.display()
    );
    fs::write(&script, text).unwrap();
    let mut program = Command::new(RUNNER)
        .arg("exec")
        .arg(&script)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The pipe can be opened for writing once the reader has opened its other end, so the reader is
    // in the middle of a unit then.
    let start = Instant::now();
    let _writer = loop {
        let mut options = fs::OpenOptions::new();
        let without_waiting = nix::fcntl::OFlag::O_NONBLOCK.bits();
        match options
            .write(true)
            .custom_flags(without_waiting)
            .open(&pipe)
        {
            Ok(writer) => break writer,
            Err(error) => assert!(start.elapsed() < LONG, "no reader: {error}"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    let children = format!("/proc/{0}/task", program.id());
    let readers: Vec<u32> = fs::read_dir(children)
        .unwrap()
        .flat_map(|task| {
            let children = task.unwrap().path().join("children");
            let text = fs::read_to_string(children).unwrap_or_default();
            text.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<u32>>()
        })
        .collect();
    assert_eq!(readers.len(), 1);
    assert!(is_running(readers[0]));
    program.kill().unwrap();
    program.wait().unwrap();
    await_end(readers[0]);
}
