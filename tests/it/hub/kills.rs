//! Downloads that are killed at any point.

use super::server::{Fault, Server};
use crate::{DEMO, RUNNER};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const ID: &str = "lab/model";
/// Downloads that are killed before one is not.
const N_KILLS: u64 = 20;

/// A large file, of which no part is like another.
fn weights() -> Vec<u8> {
    let bytes = (0..4_000_000_u32).map(|byte| byte.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    bytes.collect()
}

fn download(home: &Path, server: &Server) -> Command {
    let mut command = Command::new(RUNNER);
    command
        .args(["--json", "download", ID])
        .env_clear()
        .env("HOME", home)
        .env("HF_ENDPOINT", &server.endpoint)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// All files below a folder, by their paths in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => files.push(entry.path().strip_prefix(folder).unwrap().to_owned()),
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_download_that_is_killed_at_any_point_ends_right() {
    let server = Server::start();
    let config = fs::read(Path::new(DEMO).join("config.json")).unwrap();
    server.put(ID, "config.json", &config, false);
    server.put(ID, "model.safetensors", &weights(), true);
    // It takes a second at least.
    server.fail("/content/", usize::MAX, Fault::Slow(4_000));
    let home = tempfile::tempdir().unwrap();
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .subsec_nanos();
    for n in 0..N_KILLS {
        let mut running = download(home.path(), &server).spawn().unwrap();
        // However long it takes to start on a machine that has much else to do.
        let mut events = BufReader::new(running.stderr.take().unwrap()).lines();
        let begins = |event: &String| event.contains(r#""event":"download""#);
        assert!(events.any(|event| begins(&event.unwrap())), "seed {seed}");
        let millis = (u64::from(seed) + n * 7_919) % 160;
        thread::sleep(Duration::from_millis(millis));
        running.kill().unwrap();
        running.wait().unwrap();
    }
    let output = download(home.path(), &server).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "seed {seed}: {said}");
    let requests = server.take_requests();
    let firsts = requests.iter().filter(|request| request.is_store);
    let firsts: Vec<_> = firsts.map(|request| request.first_byte()).collect();
    assert!(
        firsts.is_sorted() && firsts.last() > Some(&0),
        "seed {seed}: {firsts:?}"
    );
    // Nothing is left but what belongs there.
    let cache = home.path().join(".cache/huggingface/hub");
    let (commit, folder) = (server.commit(ID), "models--lab--model");
    let hash = |name| server.hash(ID, name);
    let mut expect: Vec<PathBuf> = ["config.json", "model.safetensors"]
        .iter()
        .flat_map(|name| {
            [
                format!(".locks/{folder}/{}.lock", hash(name)),
                format!("{folder}/blobs/{}", hash(name)),
                format!("{folder}/snapshots/{commit}/{name}"),
            ]
        })
        .chain([format!("{folder}/refs/main"), "CACHEDIR.TAG".to_owned()])
        .map(PathBuf::from)
        .collect();
    expect.sort();
    assert_eq!(files(&cache), expect, "seed {seed}");
    let snapshot = cache.join(folder).join("snapshots").join(&commit);
    assert_eq!(
        fs::read(snapshot.join("model.safetensors")).unwrap(),
        weights()
    );
    assert_eq!(fs::read(snapshot.join("config.json")).unwrap(), config);
}
