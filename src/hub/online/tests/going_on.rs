//! Downloads that end too early, and go on.

use super::*;
use crate::hub::online::lock::Lock;
use std::{
    fs::{File, FileTimes},
    path::Path,
    thread,
    time::{Instant, SystemTime},
};

/// Nobody has written to the file for a while.
fn make_old(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(120);
    let file = File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
}

/// Where requests for the large file go to.
const CONTENT: &str = "/content/";

#[test]
fn cuts_and_silence_are_gone_on_from() {
    let fixture = Fixture::new();
    let server = &fixture.server;
    server.fail(CONTENT, 1, Fault::Cut(700_000));
    server.fail(CONTENT, 1, Fault::Stall(300_000));
    server.fail(CONTENT, 1, Fault::Cut(0));
    server.fail("/resolve/", 1, Fault::Status(503, ""));
    let mut waits = Vec::new();
    let snapshot = fixture.download_with(&mut |step| {
        if let Step::Waiting {
            file,
            wait: Wait::Retry { reason, .. },
        } = step
        {
            waits.push(format!("{file}: {reason}"));
        }
        ControlFlow::Continue(())
    });
    fixture.check(&snapshot.unwrap());
    waits.dedup();
    let host = server.endpoint.trim_start_matches("http://");
    let expect = [
        format!("config.json: `{host}` answers 503"),
        "model.safetensors: the connection was cut".to_owned(),
        "model.safetensors: the server is silent".to_owned(),
        "model.safetensors: the connection was cut".to_owned(),
    ];
    assert_eq!(waits, expect);
    let firsts: Vec<_> = fixture
        .content_requests()
        .iter()
        .map(Request::first_byte)
        .collect();
    assert_eq!(firsts, [0, 700_000, 1_000_000, 1_000_000]);
}

#[test]
fn an_interrupted_download_goes_on_next_time() {
    let fixture = Fixture::new();
    fixture.server.fail(CONTENT, 1, Fault::Slow(2_000));
    let error = fixture.download_with(&mut |step| match step {
        Step::Progress { file_bytes, .. } if file_bytes > 200_000 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(error, Err(HubError::Interrupted)), "{error:?}");
    // A branch is noted when its files are there.
    assert_eq!(fixture.hub().cached(&repository(None)), None);
    fixture.content_requests();
    let mut first = None;
    let snapshot = fixture.download_with(&mut |step| {
        if let Step::Progress {
            file: "model.safetensors",
            file_bytes,
            ..
        } = step
        {
            first.get_or_insert(file_bytes);
        }
        ControlFlow::Continue(())
    });
    fixture.check(&snapshot.unwrap());
    let there = fixture.content_requests()[0].first_byte();
    assert!(there > 200_000, "{there}");
    assert!(first > Some(200_000), "{first:?}");
}

#[test]
fn a_silent_server_does_not_keep_anybody_from_stopping() {
    let mut fixture = Fixture::new();
    fixture.set("HF_HUB_DOWNLOAD_TIMEOUT", "60");
    fixture.server.fail(CONTENT, 1, Fault::Stall(1_000));
    let (hub, start) = (fixture.hub(), Instant::now());
    let remote = hub
        .look(&repository(None), &CancelToken::default())
        .unwrap();
    let names = ["model.safetensors".to_owned()];
    let mut n_steps = 0;
    let error = hub.download(&repository(None), &remote, &names, &mut |_| {
        n_steps += 1;
        match n_steps {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert!(matches!(error, Err(HubError::Interrupted)), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn questions_are_asked_again_and_can_be_stopped() {
    let fixture = Fixture::new();
    fixture.server.fail("/revision/", 1, Fault::HangUp);
    let cancel = CancelToken::default();
    let hub = fixture.hub();
    hub.look(&repository(None), &cancel).unwrap();
    cancel.cancel(StopReason::Terminated);
    let busy = Fault::Status(429, "Retry-After: 20\r\n");
    for fault in [busy, Fault::Silent] {
        fixture.server.fail("/revision/", 1, fault);
        let start = Instant::now();
        let error = hub.look(&repository(None), &cancel);
        assert!(matches!(error, Err(HubError::Interrupted)), "{error:?}");
        assert!(start.elapsed() < Duration::from_millis(800));
    }
    fixture.server.fail("/revision/", 1, Fault::Trickle);
    let (waited, start) = (CancelToken::default(), Instant::now());
    let stop = waited.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        stop.cancel(StopReason::Terminated);
    });
    let error = hub.look(&repository(None), &waited);
    assert!(matches!(error, Err(HubError::Interrupted)), "{error:?}");
    assert!(start.elapsed() < Duration::from_millis(1_500));
    // So does what a mirror is asked for before a download.
    fixture.server.be_terse(ID);
    fixture.server.fail("/resolve/", 1, Fault::Silent);
    let error = fixture.download_with(&mut |_| ControlFlow::Break(()));
    assert!(matches!(error, Err(HubError::Interrupted)), "{error:?}");
}

#[test]
fn an_answer_that_trickles_is_not_waited_for_and_not_asked_for_again() {
    let fixture = Fixture::new();
    fixture.server.fail("/revision/", 9, Fault::Trickle);
    let start = Instant::now();
    let error = fixture
        .hub()
        .look(&repository(None), &CancelToken::default())
        .unwrap_err();
    assert!(error.to_string().contains("too slowly"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(4));
    assert_eq!(fixture.server.take_requests().len(), 1);
}

#[test]
fn what_others_left_of_a_large_file_is_gone_on_with() {
    for (suffix, is_old, expect) in [
        (".incomplete", true, 500_000),
        (".1a2b3c4d.incomplete", true, 500_000),
        // Somebody may still write to it.
        (".1a2b3c4d.incomplete", false, 0),
    ] {
        let fixture = Fixture::new();
        let blobs = fixture.repository_folder().join("blobs");
        fs::create_dir_all(&blobs).unwrap();
        for name in ["config.json", "model.safetensors"] {
            let path = blobs.join(fixture.server.hash(ID, name) + suffix);
            fs::write(&path, &weights()[..500_000]).unwrap();
            if is_old {
                make_old(&path);
            }
        }
        let snapshot = fixture.download().unwrap();
        assert_eq!(
            fixture.content_requests()[0].first_byte(),
            expect,
            "{suffix}"
        );
        match is_old {
            true => fixture.check(&snapshot),
            false => assert_eq!(fixture.blobs().len(), 4),
        }
    }
}

#[test]
fn a_file_that_lacks_only_its_name_is_not_fetched() {
    let fixture = Fixture::new();
    let blobs = fixture.repository_folder().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let path = blobs.join(fixture.server.hash(ID, "model.safetensors") + ".incomplete");
    fs::write(&path, weights()).unwrap();
    make_old(&path);
    fixture.check(&fixture.download().unwrap());
    assert!(fixture.content_requests().is_empty());
}

#[test]
fn one_fetches_and_the_others_wait() {
    let fixture = Fixture::new();
    fixture.server.fail(CONTENT, 10, Fault::Slow(4_000));
    let download = || {
        let mut has_waited = false;
        let snapshot = fixture.download_with(&mut |step| {
            has_waited |= matches!(
                step,
                Step::Waiting {
                    wait: Wait::Lock,
                    ..
                }
            );
            ControlFlow::Continue(())
        });
        (snapshot.unwrap(), has_waited)
    };
    let downloads = thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(download));
        threads.map(|thread| thread.join().unwrap())
    });
    for (snapshot, _) in &downloads {
        fixture.check(snapshot);
    }
    assert_eq!(fixture.content_requests().len(), 1);
    let n_waited = downloads
        .iter()
        .filter(|(_, has_waited)| *has_waited)
        .count();
    assert!(n_waited >= 3, "{n_waited}");
}

#[test]
fn whoever_has_waited_takes_what_is_there() {
    let fixture = Fixture::new();
    let hash = fixture.server.hash(ID, "model.safetensors");
    let locks = fixture.cache.path().join(".locks/models--lab--model");
    let mut lock = Lock::take(&locks.join(format!("{hash}.lock"))).unwrap();
    let snapshots = fixture.repository_folder().join("snapshots");
    let path = snapshots
        .join(fixture.server.commit(ID))
        .join("model.safetensors");
    let snapshot = fixture.download_with(&mut |step| {
        if let Step::Waiting {
            wait: Wait::Lock, ..
        } = step
        {
            // The other one is done, where links do not work: its blob is the file.
            fs::write(&path, weights()).unwrap();
            lock.take();
        }
        ControlFlow::Continue(())
    });
    let snapshot = snapshot.unwrap();
    assert!(fixture.content_requests().is_empty());
    assert_eq!(fs::read(path).unwrap(), weights());
    assert!(!snapshot.folder.join("model.safetensors").is_symlink());
    assert_eq!(fixture.blobs().len(), 1);
}

#[test]
fn servers_that_know_of_no_parts_send_all_again() {
    let fixture = Fixture::new();
    fixture.server.fail(CONTENT, 1, Fault::Cut(700_000));
    fixture.server.fail(CONTENT, 1, Fault::Whole);
    fixture.check(&fixture.download().unwrap());
    let firsts: Vec<_> = fixture
        .content_requests()
        .iter()
        .map(Request::first_byte)
        .collect();
    assert_eq!(firsts, [0, 700_000]);
}

#[test]
fn who_never_comes_to_an_end_is_given_up() {
    let fixture = Fixture::new();
    fixture.server.fail(CONTENT, 100, Fault::Cut(0));
    let error = fixture.download().unwrap_err();
    assert!(
        matches!(
            error,
            HubError::Cut {
                bytes: 0,
                of: 2_000_000,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(fixture.content_requests().len(), 6);
}

/// Each try brings something, and never enough.
#[test]
fn who_sends_a_byte_and_hangs_up_is_given_up() {
    let fixture = Fixture::new();
    fixture.server.fail(CONTENT, 100, Fault::Cut(1));
    let mut told = 0;
    let error = fixture.download_with(&mut |step| {
        if let Step::Progress { file_bytes, .. } = step {
            told = file_bytes;
        }
        ControlFlow::Continue(())
    });
    let error = error.unwrap_err();
    assert!(matches!(error, HubError::Cut { bytes: 6, .. }), "{error}");
    assert_eq!(fixture.content_requests().len(), 6);
    assert_eq!(told, 6, "what was told last is what is there");
    // Who brings enough each time comes to the end.
    let other = Fixture::new();
    other.server.fail(CONTENT, 100, Fault::Cut(130_000));
    other.check(&other.download().unwrap());
}
