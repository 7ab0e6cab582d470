//! What is on this machine already: used without the Hub, and repaired with it.

use super::{
    job,
    place::{ID, MODEL, OK, Place, UNEXPECTED},
};
use serde_json::Value;
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
};

/// The address of a server that is gone.
fn nobody() -> String {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", gone.local_addr().unwrap())
}

#[test]
fn a_model_that_is_here_is_printed_though_nobody_can_be_asked() {
    let mut place = Place::new();
    place.runner(&["download", ID]).check(OK, &[]);
    place.asked();
    let folder = format!("{}\n", place.snapshot(ID).display());
    let taken = |place: &Place, reason: &str| {
        let done = place.runner(&["download", ID]);
        done.check(OK, &["the Hub was not asked whether it is current", reason]);
        assert_eq!(done.stdout, folder);
    };
    place.environment.push(("HF_HUB_OFFLINE", "1".to_owned()));
    taken(&place, "`HF_HUB_OFFLINE` is set");
    let done = place.runner(&["--json", "download", ID]);
    let found: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&found["files"], &found["commit"]),
        (&0.into(), &place.server.commit(ID).into())
    );
    assert_eq!(place.asked(), [""; 0]);
    place.environment.pop();
    place.environment[0].1 = nobody();
    taken(&place, "cannot reach");
    // What is not whole is not taken.
    fs::remove_file(place.snapshot(ID).join("vocab.txt")).unwrap();
    fs::remove_file(place.snapshot(ID).join("model.safetensors")).unwrap();
    let cache = place.path("home/.cache/huggingface/hub");
    place.runner(&["download", ID]).check(
        UNEXPECTED,
        &[
            "not all files of the model",
            &format!("in the cache `{}`", cache.display()),
            &format!("`runner download {ID}`"),
        ],
    );
}

#[test]
fn offline_the_revisions_that_are_here_are_named() {
    let mut place = Place::new();
    let commit = place.server.commit(ID);
    for revision in ["main", "refs/pr/1"] {
        let name = format!("{ID}@{revision}");
        place.runner(&["download", &name]).check(OK, &[]);
    }
    let short = format!("{ID}@{}", &commit[..7]);
    place
        .run("check", &job(&short))
        .check(MODEL, &["a commit has 40 digits"]);
    place.environment.push(("HF_HUB_OFFLINE", "1".to_owned()));
    place.run("check", &job(&short)).check(
        MODEL,
        &[
            &format!("which has `{commit}`, `main`, `refs/pr/1` of it"),
            "a commit has 40 digits",
        ],
    );
    place
        .run("exec", &job(&format!("{ID}@v9")))
        .check(MODEL, &["which has `main`, `refs/pr/1` of it"]);
}

#[test]
fn weights_that_are_cut_short_are_repaired() {
    let place = Place::new();
    place.run("exec", &job(ID)).check(OK, &[]);
    let weights = fs::canonicalize(place.snapshot(ID).join("model.safetensors")).unwrap();
    let whole = fs::read(&weights).unwrap();
    let cut = |n_bytes| {
        fs::set_permissions(&weights, PermissionsExt::from_mode(0o644)).unwrap();
        fs::write(&weights, &whole[..n_bytes]).unwrap();
    };
    cut(1000);
    for command in ["exec", "check"] {
        place.run(command, &job(ID)).check(
            MODEL,
            &[
                "1000 bytes of",
                &format!("`runner download {ID}` repairs it"),
            ],
        );
    }
    let done = place.runner(&["download", ID]);
    done.check(
        OK,
        &[
            "downloading facebook/",
            ": 1 file, ",
            "downloaded facebook/",
        ],
    );
    assert_eq!(fs::read(&weights).unwrap(), whole);
    cut(1000);
    let done = place.runner(&["--json", "download", ID]);
    let found: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&found["files"], &found["bytes"]),
        (&1.into(), &whole.len().into())
    );
    place.run("exec", &job(ID)).check(OK, &[]);
    // A commit that is not that of `main` is named.
    let old = place.server.commit(ID);
    place.server.put(ID, "README.md", b"news", false);
    place.runner(&["download", ID]).check(OK, &[]);
    cut(1000);
    let name = format!("{ID}@{old}");
    place
        .run("check", &job(&name))
        .check(MODEL, &[&format!("`runner download {name}` repairs it")]);
}

#[test]
fn an_alphabet_that_is_gone_comes_again() {
    let place = Place::new();
    place.run("exec", &job(ID)).check(OK, &[]);
    let alphabet = place.snapshot(ID).join("vocab.txt");
    fs::remove_file(&alphabet).unwrap();
    symlink("../../blobs/gone", &alphabet).unwrap();
    let done = place.run("check", &job(ID));
    done.check(OK, &[]);
    assert!(
        done.stdout.contains("is to be downloaded: 1 file"),
        "{done:?}"
    );
    place
        .run("exec", &job(ID))
        .check(OK, &[": 1 file, 93 bytes"]);
    assert!(alphabet.is_file());
}

#[test]
fn without_a_variable_the_home_folder_is_that_of_the_user() {
    let mut place = Place::new();
    place.environment.push(("HOME", String::new()));
    place.environment.push(("HF_HUB_OFFLINE", "1".to_owned()));
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current());
    let home = user.unwrap().expect("the user has a name").dir;
    let cache = home.join(".cache/huggingface/hub");
    place
        .runner(&["download", "nobody/nothing"])
        .check(MODEL, &[&format!("in the cache `{}`", cache.display())]);
}

#[test]
fn a_download_that_fails_at_once_has_nothing_to_keep() {
    let mut place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    let cache = place.path("file/hub").display().to_string();
    place.environment.push(("HF_HUB_CACHE", cache));
    let done = place.runner(&["download", ID]);
    done.check(UNEXPECTED, &["before anything was fetched"]);
    assert!(!done.stderr.contains("and stay"), "{done:?}");
}
