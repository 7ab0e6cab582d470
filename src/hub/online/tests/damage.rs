//! Files that arrive other than they were sent, and caches that cannot be written.

use super::*;
use crate::hint::Hint;

const CONTENT: &str = "/content/";

#[test]
fn damaged_files_are_fetched_once_more() {
    for fault in [Fault::Altered, Fault::TooLong] {
        let fixture = Fixture::new();
        fixture.server.fail(CONTENT, 1, fault.clone());
        fixture.check(&fixture.download().unwrap());
        let firsts: Vec<_> = fixture
            .content_requests()
            .iter()
            .map(Request::first_byte)
            .collect();
        assert_eq!(firsts, [0, 0], "{fault:?}");
        // Then it is said.
        let fixture = Fixture::new();
        fixture.server.fail(CONTENT, 2, fault.clone());
        let error = fixture.download().unwrap_err();
        assert!(matches!(error, HubError::Damaged { .. }), "{error}");
        let expect = [(fixture.server.hash(ID, "config.json"), 21)];
        assert_eq!(fixture.blobs(), expect, "{fault:?}");
    }
}

#[test]
fn files_of_git_have_the_right_size() {
    let fixture = Fixture::new();
    fixture.server.fail("/config.json", 2, Fault::TooLong);
    let error = fixture.download().unwrap_err().in_full();
    assert!(
        error.contains("`config.json` arrived damaged, twice: it has 22 bytes, not 21"),
        "{error}"
    );
}

#[test]
fn files_of_git_are_what_their_server_says() {
    // It is as long as the right one.
    const NO_JSON: &str = "{\"model_type\": \"esm\"!";
    const OLD: &str = r#"{"model_type": "old"}"#;
    let fixture = Fixture::new();
    fixture.server.fail("/config.json", 2, Fault::Text(NO_JSON));
    let error = fixture.download().unwrap_err().to_string();
    assert!(error.contains("it is no JSON"), "{error}");
    let fixture = Fixture::new();
    fixture
        .server
        .fail("/config.json", 1, Fault::Tagged(OLD, "W/"));
    fixture.check(&fixture.download().unwrap());
    let fixture = Fixture::new();
    fixture
        .server
        .fail("/config.json", 2, Fault::Tagged(OLD, ""));
    let error = fixture.download().unwrap_err().to_string();
    let hash = fixture.server.hash(ID, "config.json");
    let expect = format!("its ETag is {}, not {hash}", "0".repeat(40));
    assert!(error.contains(&expect), "{error}");
}

#[test]
fn a_wrong_beginning_is_found_out() {
    let fixture = Fixture::new();
    fixture.server.fail(CONTENT, 1, Fault::Slow(2_000));
    let error = fixture.download_with(&mut |step| match step {
        Step::Progress { file_bytes, .. } if file_bytes > 200_000 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(error, Err(HubError::Interrupted)), "{error:?}");
    let is_partial = |(name, _): &(String, u64)| name.ends_with(".incomplete");
    let (name, n_bytes) = fixture.blobs().into_iter().find(is_partial).unwrap();
    let zeros = vec![0; n_bytes as usize];
    fs::write(fixture.repository_folder().join("blobs").join(name), zeros).unwrap();
    fixture.content_requests();
    fixture.check(&fixture.download().unwrap());
    let firsts: Vec<_> = fixture
        .content_requests()
        .iter()
        .map(Request::first_byte)
        .collect();
    assert_eq!(firsts, [n_bytes as usize, 0]);
}

#[test]
fn a_wrong_part_is_not_taken() {
    let fixture = Fixture::new();
    fixture.server.fail(CONTENT, 1, Fault::Cut(700_000));
    fixture.server.fail(CONTENT, 1, Fault::OtherPart);
    fixture.check(&fixture.download().unwrap());
    let firsts: Vec<_> = fixture
        .content_requests()
        .iter()
        .map(Request::first_byte)
        .collect();
    assert_eq!(firsts, [0, 700_000, 0]);
}

#[test]
fn damaged_blobs_and_dead_links_are_mended() {
    let fixture = Fixture::new();
    let snapshot = fixture.download().unwrap();
    let blob = snapshot
        .folder
        .join("model.safetensors")
        .canonicalize()
        .unwrap();
    fs::write(&blob, "short").unwrap();
    fixture.check(&fixture.download().unwrap());
    fs::remove_file(&blob).unwrap();
    fixture.check(&fixture.download().unwrap());
    fs::remove_file(snapshot.folder.join("model.safetensors")).unwrap();
    fixture.content_requests();
    fixture.check(&fixture.download().unwrap());
    assert!(fixture.content_requests().is_empty());
}

#[test]
fn caches_that_cannot_be_written_say_so() {
    let mut fixture = Fixture::new();
    fixture.cache = tempfile::tempdir().unwrap();
    fs::write(fixture.repository_folder(), "a file").unwrap();
    let error = fixture.download().unwrap_err().in_full();
    assert!(
        error.contains("cannot create the folder")
            && error.contains("(a folder of the path is a file)"),
        "{error}"
    );
    // A folder that even root cannot write to.
    let mut fixture = Fixture::new();
    fixture.set("HF_HUB_CACHE", "/sys/hub");
    let error = fixture.download().unwrap_err().in_full();
    assert!(
        error.contains("set `HF_HOME` to a folder that you may write to"),
        "{error}"
    );
}

#[test]
fn what_has_no_room_is_not_begun() {
    let fixture = Fixture::new();
    let hub = fixture.hub();
    let mut remote = hub
        .look(&repository(None), &CancelToken::default())
        .unwrap();
    for file in &mut remote.files {
        file.n_bytes = u64::MAX;
    }
    fixture.server.take_requests();
    let names = ["config.json", "model.safetensors"].map(str::to_owned);
    let error = hub.download(&repository(None), &remote, &names, &mut |_| {
        ControlFlow::Continue(())
    });
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            HubError::Full {
                needed: u64::MAX,
                free: 1..,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error
            .in_full()
            .contains("set `HF_HOME` to a folder on another file system"),
        "{error}"
    );
    assert!(fixture.server.take_requests().is_empty());
    assert_eq!(fixture.blobs(), []);
}
