//! What is where when all goes well.

use super::*;

#[test]
fn a_download_is_laid_out_as_python_does_it() {
    let fixture = Fixture::new();
    let mut steps = Vec::new();
    let snapshot = fixture
        .download_with(&mut |step| {
            let Step::Progress {
                file,
                file_bytes,
                bytes,
                of,
                ..
            } = step
            else {
                panic!("{step:?}");
            };
            steps.push((file.to_owned(), file_bytes, bytes, of));
            ControlFlow::Continue(())
        })
        .unwrap();
    fixture.check(&snapshot);
    let commit = fixture.server.commit(ID);
    let folder = fixture.repository_folder();
    assert_eq!(snapshot.folder, folder.join("snapshots").join(&commit));
    assert_eq!(
        fs::read_to_string(folder.join("refs/main")).unwrap(),
        commit
    );
    for name in ["config.json", "model.safetensors"] {
        let target = fs::read_link(snapshot.folder.join(name)).unwrap();
        let hash = fixture.server.hash(ID, name);
        assert_eq!(target, PathBuf::from(format!("../../blobs/{hash}")));
        assert!(
            fixture
                .cache
                .path()
                .join(format!(".locks/models--lab--model/{hash}.lock"))
                .exists()
        );
    }
    let all = 2_000_021;
    let first = ("config.json".to_owned(), 21, 21, all);
    assert!(steps.contains(&first), "{steps:?}");
    let last = ("model.safetensors".to_owned(), 2_000_000, all, all);
    assert_eq!(steps.last(), Some(&last));
    assert_eq!(fixture.hub().cached(&repository(None)), Some(snapshot));
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let mut fixture = Fixture::new();
    let first = fixture.download().unwrap();
    fixture.server.take_requests();
    assert_eq!(fixture.download().unwrap(), first);
    let paths: Vec<_> = fixture
        .server
        .take_requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/api/models/lab/model/revision/main?blobs=true"]);
    // A new commit with a file more, and the same blobs otherwise.
    fixture.server.put(ID, "vocab.txt", b"<cls>", false);
    let second = fixture.download().unwrap();
    assert_ne!(first.folder, second.folder);
    fixture.check(&second);
    assert!(fixture.content_requests().is_empty());
    // Nobody is asked for what is here.
    let remote = fixture
        .hub()
        .look(&repository(None), &CancelToken::default())
        .unwrap();
    fixture.set("HF_HUB_OFFLINE", "1");
    let names = ["config.json".to_owned()];
    let hub = fixture.hub();
    let again = hub.download(&repository(None), &remote, &names, &mut |_| {
        ControlFlow::Break(())
    });
    assert_eq!(again.unwrap(), second);
    assert!(
        hub.text(
            &repository(None),
            &remote,
            "config.json",
            100,
            &CancelToken::default()
        )
        .is_ok()
    );
    let error = hub
        .look(&repository(None), &CancelToken::default())
        .unwrap_err();
    assert!(
        matches!(
            error,
            HubError::Offline {
                variable: "HF_HUB_OFFLINE"
            }
        ),
        "{error}"
    );
    let error = hub
        .text(
            &repository(None),
            &remote,
            "vocab.txt",
            100,
            &CancelToken::default(),
        )
        .unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }), "{error}");
}

#[test]
fn revisions_lead_to_their_commits() {
    let fixture = Fixture::new();
    let commit = fixture.server.commit(ID);
    for revision in ["v1", "refs/pr/1", commit.as_str()] {
        let hub = fixture.hub();
        let repository = repository(Some(revision));
        let remote = hub.look(&repository, &CancelToken::default()).unwrap();
        let names = ["config.json".to_owned()];
        let snapshot = hub.download(&repository, &remote, &names, &mut |_| {
            ControlFlow::Continue(())
        });
        assert_eq!(
            hub.cached(&repository),
            Some(snapshot.unwrap()),
            "{revision}"
        );
    }
    let references = fixture.repository_folder().join("refs");
    assert!(references.join("v1").exists() && references.join("refs/pr/1").exists());
    assert!(!references.join(&commit).exists() && !references.join("main").exists());
}

#[test]
fn small_files_are_read_into_memory_alone() {
    let fixture = Fixture::new();
    let hub = fixture.hub();
    let remote = hub
        .look(&repository(None), &CancelToken::default())
        .unwrap();
    let cancel = CancelToken::default();
    let text = |name: &str, most| hub.text(&repository(None), &remote, name, most, &cancel);
    assert_eq!(text("config.json", 21).unwrap(), r#"{"model_type": "esm"}"#);
    let fails = |name: &str, most, part: &str| {
        let error = text(name, most).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    fails("config.json", 20, "it has 21 bytes, and 20 are the most");
    fails("other.json", 20, "has no file `other.json`");
    fails("model.safetensors", 1 << 30, "is no text");
    assert_eq!(fs::read_dir(fixture.cache.path()).unwrap().count(), 0);
}

#[test]
fn mirrors_that_say_less_are_asked_for_each_file() {
    let fixture = Fixture::new();
    fixture.server.be_terse(ID);
    fixture.server.fail("/resolve/", 1, Fault::Status(503, ""));
    fixture.check(&fixture.download().unwrap());
    let asked = fixture.server.take_requests();
    let n_heads = asked
        .iter()
        .filter(|request| request.method == "HEAD")
        .count();
    assert_eq!(n_heads, 3, "{asked:?}");
    fixture.check(&fixture.download().unwrap());
    assert!(fixture.content_requests().is_empty());
}

#[test]
fn a_mirror_that_does_not_say_how_large_files_are_is_asked_for_each() {
    let fixture = Fixture::new();
    fixture.server.hide_sizes(ID);
    fixture.check(&fixture.download().unwrap());
}

#[test]
fn links_are_done_without_where_they_are_not_wanted() {
    let mut fixture = Fixture::new();
    fixture.set("HF_HUB_DISABLE_SYMLINKS", "1");
    let snapshot = fixture.download().unwrap();
    fixture.check(&snapshot);
    assert!(!snapshot.folder.join("config.json").is_symlink());
}

#[test]
fn files_in_folders_are_put_into_folders() {
    let fixture = Fixture::new();
    fixture.server.put(ID, "adapter/a b.bin", b"text", true);
    let hub = fixture.hub();
    let remote = hub
        .look(&repository(None), &CancelToken::default())
        .unwrap();
    let names = ["adapter/a b.bin".to_owned()];
    let snapshot = hub.download(&repository(None), &remote, &names, &mut |_| {
        ControlFlow::Continue(())
    });
    let read = fs::read(snapshot.unwrap().folder.join("adapter/a b.bin")).unwrap();
    assert_eq!(read, b"text");
}
