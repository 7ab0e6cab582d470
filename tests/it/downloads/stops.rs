//! Downloads that are stopped, and gone on with, and processes that want the same.

use super::{
    job,
    place::{ID, OK, Place},
    slow,
};
use crate::hub::server::Fault;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    thread,
    time::{Duration, Instant},
};

fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid as i32), signal).unwrap();
}

#[test]
fn a_download_that_is_stopped_is_gone_on_with() {
    for (signal, code) in [
        (Signal::SIGTERM, 75),
        (Signal::SIGINT, 75),
        (Signal::SIGHUP, 129),
    ] {
        let place = Place::new();
        place.server.fail("/content/", 1, slow());
        place.script(&job(ID));
        let mut running = place.start(&["exec", "job.rhai"]);
        running.wait_for(|event| {
            event["event"] == "download"
                && event["file"] == "model.safetensors"
                && event["file_bytes"].as_u64() > Some(100_000)
        });
        send(running.child.id(), signal);
        assert_eq!(running.end(), code, "{signal}: {:?}", running.events);
        let finished = running.last("download_finished");
        assert_eq!(
            (&finished["stopped"], finished["folder"].is_null()),
            (&true.into(), true)
        );
        assert_eq!(running.events.last().unwrap()["event"], "failed");
        assert!(!place.snapshot(ID).join("model.safetensors").exists());
        let incomplete = place.files_at_home();
        assert!(
            incomplete.iter().any(|name| name.ends_with(".incomplete")),
            "{incomplete:?}"
        );

        place.server.take_requests();
        let mut running = place.start(&["exec", "job.rhai"]);
        assert_eq!(running.end(), OK, "{:?}", running.events);
        let requests = place.server.take_requests();
        let first_bytes: Vec<_> = (requests.iter().filter(|request| request.is_store))
            .map(|request| request.first_byte())
            .collect();
        assert!(
            matches!(first_bytes[..], [first] if first >= 100_000),
            "{first_bytes:?}"
        );
        assert_eq!(
            running.last("download_finished")["error"],
            serde_json::Value::Null
        );
        let files = place.files_at_home();
        assert!(
            !files.iter().any(|name| name.ends_with(".incomplete")),
            "{files:?}"
        );
    }
}

#[test]
fn a_question_is_stopped_as_soon_as_a_download() {
    for (command, what, fault) in [
        ("exec", "main", busy()),
        ("check", "main", Fault::Silent),
        ("exec", "config.json", busy()),
        ("download", "main", busy()),
        ("download", "config.json", Fault::Silent),
    ] {
        let place = Place::new();
        place.server.fail(what, 1, fault);
        place.script(&job(ID));
        let argument = if command == "download" {
            ID
        } else {
            "job.rhai"
        };
        let mut running = place.start(&[command, argument]);
        while !place.asked().iter().any(|name| name == what) {
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(200));
        send(running.child.id(), Signal::SIGTERM);
        let start = Instant::now();
        assert_eq!(running.end(), 75, "{command} {what}: {:?}", running.events);
        assert!(start.elapsed() < Duration::from_secs(5), "{command} {what}");
        assert_eq!(place.files_at_home(), [""; 0]);
    }
}

/// The Hub has had too many requests, and is to be asked again in a while.
fn busy() -> Fault {
    Fault::Status(429, "Retry-After: 20\r\n")
}

#[test]
fn events_tell_how_far_a_download_is() {
    let place = Place::new();
    place.server.fail("/content/", 1, slow());
    let mut running = place.start(&["download", ID]);
    assert_eq!(running.end(), OK);
    let started = running.last("download_started");
    assert_eq!(
        (&started["model"], &started["files"]),
        (&ID.into(), &3.into())
    );
    assert_eq!(started["commit"], place.server.commit(ID));
    let mut before = 0;
    for event in running
        .events
        .iter()
        .filter(|event| event["event"] == "download")
    {
        let bytes = event["bytes"].as_u64().unwrap();
        assert!(bytes >= before, "{event}");
        assert_eq!(event["of"], started["bytes"]);
        before = bytes;
    }
    assert_eq!(
        Some(before),
        started["bytes"].as_u64(),
        "the last one says that all is there"
    );
    let finished = running.last("download_finished");
    assert_eq!(finished["folder"], place.snapshot(ID).display().to_string());
}

#[test]
fn processes_that_want_the_same_fetch_it_once() {
    let place = Place::new();
    place.server.fail("/content/", 1, slow());
    let script = job(ID).replace("\"out.parquet\"", "args[0]");
    place.script(&script);
    let mut both: Vec<_> = ["a.parquet", "b.parquet"]
        .iter()
        .map(|output| place.start(&["exec", "job.rhai", "--", output]))
        .collect();
    for running in &mut both {
        assert_eq!(running.end(), OK, "{:?}", running.events);
    }
    let requests = place.server.take_requests();
    let n_fetched = requests.iter().filter(|request| request.is_store).count();
    assert_eq!(n_fetched, 1);
    let has_waited = |running: &super::place::Running| {
        running
            .events
            .iter()
            .any(|event| event["event"] == "download_waiting")
    };
    assert!(both.iter().any(has_waited));
}
