//! The same cache, used by this program and by Python.
//!
//! These tests need `huggingface_hub`: in the folder that `RUNNER_HUGGINGFACE_HUB` names, else where `PYTHON`, or
//! `python3`, finds it. Where it is not they check nothing, unless that variable is set.

use super::*;
use serde_json::Value;
use std::{
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

/// A folder with the packages of Python that these tests need.
const PACKAGES: &str = "RUNNER_HUGGINGFACE_HUB";

/// Python, which sees the Hub and the cache of the tests, and nothing else.
fn python(fixture: &Fixture, args: &[&str]) -> Option<Command> {
    let python = || {
        let mut command = Command::new(env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned()));
        if let Ok(packages) = env::var(PACKAGES) {
            command.env("PYTHONPATH", packages);
        }
        command
    };
    let found = python().args(["-c", "import huggingface_hub"]).output();
    let is_there = found.is_ok_and(|output| output.status.success());
    assert!(
        is_there || env::var_os(PACKAGES).is_none(),
        "there is no huggingface_hub"
    );
    let mut command = python();
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/hub/cache.py"))
        .args(args)
        .env("HF_ENDPOINT", &fixture.server.endpoint)
        .env("HF_HUB_CACHE", fixture.cache.path())
        .env("HF_HOME", fixture.cache.path().join("home"))
        .env("HF_HUB_DISABLE_XET", "1")
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env_remove("HF_TOKEN")
        .env_remove("HF_HUB_OFFLINE");
    is_there.then_some(command)
}

/// What a command of the script says.
fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn python_reads_what_was_fetched_here() {
    let fixture = Fixture::new();
    let Some(read) = python(&fixture, &["read", ID]) else {
        return;
    };
    let snapshot = fixture.download().unwrap();
    fixture.server.take_requests();
    let found: Value = serde_json::from_str(&said(read)).unwrap();
    let expect = serde_json::json!({
        "folder": snapshot.folder,
        "files": ["config.json", "model.safetensors"],
        "n_bytes": 2_000_021,
        "refs": ["main"],
        "commit": snapshot.commit,
        "wrong": [],
        "incomplete": 0,
    });
    assert_eq!(found, expect);
    assert!(fixture.server.take_requests().is_empty());
    // Python asks the Hub, and needs nothing more.
    let fetch = python(&fixture, &["fetch", ID, "config.json", "model.safetensors"]).unwrap();
    said(fetch);
    let requests = fixture.server.take_requests();
    assert!(!requests.is_empty());
    assert!(
        requests.iter().all(|request| request.method == "HEAD"),
        "{requests:?}"
    );
}

#[test]
fn what_python_fetched_is_not_fetched_again() {
    let fixture = Fixture::new();
    let names = ["fetch", ID, "config.json", "model.safetensors"];
    let Some(fetch) = python(&fixture, &names) else {
        return;
    };
    said(fetch);
    assert_eq!(
        fixture
            .content_requests()
            .iter()
            .filter(|request| request.method == "GET")
            .count(),
        1
    );
    let found = fixture.hub().cached(&repository(None)).unwrap();
    let snapshot = fixture.download().unwrap();
    fixture.check(&snapshot);
    assert_eq!(found, snapshot);
    assert!(fixture.content_requests().is_empty());
}

#[test]
fn python_and_this_program_exclude_each_other() {
    let fixture = Fixture::new();
    let hash = fixture.server.hash(ID, "model.safetensors");
    let path = fixture
        .cache
        .path()
        .join(format!(".locks/models--lab--model/{hash}.lock"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let Some(mut lock) = python(&fixture, &["lock", path]) else {
        return;
    };
    let mut holder = lock
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "locked\n");
    // The download waits until Python lets go.
    let mut stdin = holder.stdin.take();
    let mut n_waits = 0;
    fixture.server.fail("/content/", 1, Fault::Slow(1_000));
    let mut tried = None;
    let snapshot = fixture.download_with(&mut |step| {
        match step {
            Step::Waiting {
                wait: Wait::Lock, ..
            } => n_waits += 1,
            // And Python waits for the download.
            Step::Progress {
                file: "model.safetensors",
                file_bytes: 1..,
                ..
            } => {
                tried.get_or_insert_with(|| said(python(&fixture, &["try", path]).unwrap()));
            }
            _ => {}
        }
        if n_waits == 3 {
            assert!(fixture.content_requests().is_empty());
            drop(stdin.take());
        }
        ControlFlow::Continue(())
    });
    fixture.check(&snapshot.unwrap());
    assert!(n_waits >= 3, "{n_waits}");
    assert_eq!(tried.as_deref(), Some("taken\n"));
    assert!(holder.wait().unwrap().success());
    assert_eq!(said(python(&fixture, &["try", path]).unwrap()), "free\n");
}
