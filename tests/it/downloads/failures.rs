//! A Hub that does not give what is asked for, or that is not there.

use super::{
    job,
    place::{ID, MODEL, OK, Place, UNEXPECTED},
    said_once,
};
use crate::hub::server::{Fault, Gate};
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

#[test]
fn names_that_there_are_not_are_explained() {
    let place = Place::new();
    for command in ["exec", "check"] {
        let refused = |name: &str, parts: &[&str]| {
            place.run(command, &job(name)).check(MODEL, parts);
        };
        let all = [
            "esm2_t6_8M_UR50D",
            "esm2_t12_35M_UR50D",
            "esm2_t30_150M_UR50D",
            "esm2_t33_650M_UR50D",
            "esm2_t36_3B_UR50D",
            "esm2_t48_15B_UR50D",
        ];
        refused("esm2_large", &all);
        refused(
            "esm2_t33_650M",
            &["did you mean `facebook/esm2_t33_650M_UR50D`?"],
        );
        refused(
            "facebook/esm2_t33_650M",
            &["did you mean `facebook/esm2_t33_650M_UR50D`?"],
        );
        assert_eq!(place.asked(), [""; 0], "no such models are asked for");
        refused(
            "nobody/nothing",
            &[
                "there is no folder `nobody/nothing`",
                "has no model `nobody/nothing`",
            ],
        );
        refused("models/nothing", &["there is no folder `models/nothing`"]);
        place.server.take_requests();
    }
}

#[test]
fn repositories_of_something_else_are_refused() {
    const OTHER: &str = "somebody/other";
    let place = Place::new();
    place.server.put(OTHER, "README.md", b"a dataset", false);
    let no_config = ["it has no `config.json`", "`README.md`"];
    place.run("exec", &job(OTHER)).check(MODEL, &no_config);
    place.run("check", &job(OTHER)).check(MODEL, &no_config);
    place
        .server
        .put(OTHER, "config.json", b"{\"model_type\": \"bert\"}", false);
    place
        .run("check", &job(OTHER))
        .check(MODEL, &["it has no weights that are read"]);
    place.server.put(OTHER, "model.safetensors", b"x", false);
    let not_esm = ["somebody/other/config.json", "bert"];
    for command in ["exec", "check"] {
        place.run(command, &job(OTHER)).check(MODEL, &not_esm);
    }
    place.runner(&["download", OTHER]).check(MODEL, &not_esm);
    // Nothing comes of what the program would not compute.
    assert_eq!(place.files_at_home(), [""; 0]);
}

#[test]
fn offline_means_that_nobody_is_asked() {
    let mut place = Place::new();
    place.environment.push(("HF_HUB_OFFLINE", "1".to_owned()));
    for command in ["exec", "check"] {
        let done = place.run(command, &job(ID));
        done.check(MODEL, &[ID, "are not on this machine", "`HF_HUB_OFFLINE`"]);
    }
    let no_folder = "there is no folder `somebody/other` here, and the files of the model `somebody/other` are not";
    place
        .run("exec", &job("somebody/other"))
        .check(MODEL, &[no_folder, "`HF_HUB_OFFLINE`"]);
    place
        .runner(&["download", ID])
        .check(MODEL, &["`HF_HUB_OFFLINE`"]);
    assert_eq!(place.asked(), [""; 0]);
    // A part of it is not enough.
    place.environment.pop();
    place
        .run("exec", &format!("esm2(\"{ID}\", #{{ device: \"mock\" }});"))
        .check(OK, &[]);
    place.environment.push(("HF_HUB_OFFLINE", "1".to_owned()));
    place.run("exec", &job(ID)).check(
        MODEL,
        &["not all files of the model", "are on this machine"],
    );
}

#[test]
fn a_hub_that_is_not_there_is_told_once_and_soon() {
    let mut place = Place::new();
    // Nobody listens at the port of a listener that is gone.
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    place.environment[0].1 = format!("http://{nobody}");
    let start = Instant::now();
    for command in ["exec", "check"] {
        let done = place.run(command, &job(ID));
        done.check(
            UNEXPECTED,
            &["are not on this machine, in the cache `", ": cannot reach"],
        );
        said_once(&done, "cannot reach");
    }
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_hub_that_does_not_answer_is_waited_for_once() {
    let mut place = Place::new();
    place.server.fail("/api/", 9, Fault::Stall(0));
    place
        .environment
        .push(("HF_HUB_ETAG_TIMEOUT", "2".to_owned()));
    place
        .environment
        .push(("HF_HUB_DOWNLOAD_TIMEOUT", "2".to_owned()));
    let start = Instant::now();
    let done = place.run("exec", &job(ID));
    assert_ne!(done.exit_code, OK);
    let n_asked = place.asked().len();
    place.run("check", &job(ID));
    assert_eq!(place.asked().len(), n_asked, "the rehearsal has told it");
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn refusals_say_what_to_do() {
    let mut place = Place::new();
    place.server.gate(ID, Gate::Gated);
    for command in ["exec", "check"] {
        place.run(command, &job(ID)).check(MODEL, &[ID, "HF_TOKEN"]);
    }
    place.server.admit("hf_good");
    place.environment.push(("HF_TOKEN", "hf_bad".to_owned()));
    let done = place.run("exec", &job(ID));
    done.check(MODEL, &["token"]);
    assert!(!done.stderr.contains("hf_bad"), "{done:?}");
    place.server.gate(ID, Gate::Closed);
    place.environment[1].1 = "hf_good".to_owned();
    place.run("exec", &job(ID)).check(MODEL, &[ID]);
    place.server.gate(ID, Gate::Gated);
    place.run("exec", &job(ID)).check(OK, &[]);
}

#[test]
fn a_hub_in_trouble_is_asked_again_and_then_told() {
    let place = Place::new();
    let retry_now = "Retry-After: 0\r\n";
    place.server.fail("/api/", 1, Fault::Status(503, retry_now));
    place
        .server
        .fail("config.json", 1, Fault::Status(429, retry_now));
    place.run("exec", &job(ID)).check(OK, &[]);
    let other = Place::new();
    other.server.fail("/api/", 99, Fault::Status(500, ""));
    let done = other.run("exec", &job(ID));
    done.check(UNEXPECTED, &["500"]);
    said_once(&done, "error: ");
}

#[test]
fn scripts_can_catch_it_and_try_again() {
    let place = Place::new();
    place.server.fail(
        "/api/",
        1,
        Fault::Status(404, "X-Error-Code: RepoNotFound\r\n"),
    );
    // The rehearsal gets the refusal, the first call hears of it, and the second one asks.
    let script = format!(
        "try {{ esm2(\"{ID}\", #{{ device: \"cpu\" }}); }} catch (err) {{ print(err.kind); }}
        print(esm2(\"{ID}\", #{{ device: \"cpu\" }}).name);"
    );
    let done = place.run("exec", &script);
    done.check(OK, &[]);
    assert!(done.stdout.ends_with(&format!("{ID}\n")), "{done:?}");
}

#[test]
fn what_does_not_fit_the_device_is_not_downloaded() {
    let place = Place::new();
    let script = format!("esm2(\"{ID}\", #{{ device: \"cpu\", dtype: \"f16\" }});");
    place
        .run("exec", &script)
        .check(MODEL, &["the CPU computes in f32", "not in f16"]);
    assert_eq!(place.files_at_home(), [""; 0]);
}

#[test]
fn damage_is_found() {
    let place = Place::new();
    place.server.fail("/content/", 9, Fault::Altered);
    let done = place.run("exec", &job(ID));
    done.check(
        MODEL,
        &[
            "cannot download the model `facebook/esm2_t6_8M_UR50D`",
            "damaged",
        ],
    );
    assert!(!place.snapshot(ID).join("model.safetensors").exists());
}
