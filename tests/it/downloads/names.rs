//! Names of models, of revisions and of who asks, as people write them.

use super::{
    job,
    place::{ID, MODEL, OK, Place, SCRIPT},
};
use std::fs;

#[test]
fn pasted_names_lead_to_ids() {
    let place = Place::new();
    for name in [
        format!("https://huggingface.co/{ID}"),
        format!("https://huggingface.co/{ID}/tree/main"),
        format!("hf://{ID}"),
        format!("{ID}/"),
        format!(" {ID}"),
    ] {
        let expect = [format!("did you mean `{ID}`?")];
        let expect = [expect[0].as_str()];
        place.run("check", &job(&name)).check(MODEL, &expect);
        place.runner(&["download", &name]).check(MODEL, &expect);
        let embed = ["embed", "in.fa", "-o", "out.parquet", "-m", &name];
        place.runner(&embed).check(MODEL, &expect);
    }
    assert_eq!(place.asked(), [""; 0]);
}

#[test]
fn names_are_not_said_to_be_what_they_are_not() {
    let place = Place::new();
    let done = place.run("check", &job("esm2_8M"));
    done.check(MODEL, &["there is no folder `esm2_8M`: it is not in"]);
    let done = place.runner(&["download", "Facebook/esm2"]);
    done.check(MODEL, &["has no model `Facebook/esm2`"]);
    assert!(!done.stderr.contains("folder"), "{done:?}");
    // Who has several files of fair-esm hears of those.
    fs::create_dir(place.path("esm")).unwrap();
    fs::write(place.path("esm/esm2_t6_8M_UR50D.pt"), b"PK\x03\x04").unwrap();
    place
        .run("check", &job("esm/esm2_t6.pt"))
        .check(MODEL, &["it has `esm2_t6_8M_UR50D.pt`"]);
    for (content, expect) in [
        ("", "it is empty"),
        ("Not Found", "it is a text file"),
        ("<HTML>", "it is a web page"),
    ] {
        fs::write(place.path("a.pt"), content).unwrap();
        place.run("check", &job("a.pt")).check(MODEL, &[expect]);
    }
}

#[test]
fn other_architectures_and_other_files_are_told_shortly() {
    const OTHER: &str = "somebody/other";
    let place = Place::new();
    place
        .server
        .put(OTHER, "esm2_t6_8M_UR50D.pt", b"PK\x03\x04", true);
    place.run("check", &job(OTHER)).check(
        MODEL,
        &["it has no `config.json`", "esm2(\"esm2_t6_8M_UR50D.pt\")"],
    );
    fs::create_dir(place.path("bert")).unwrap();
    fs::write(
        place.path("bert/config.json"),
        "{\"model_type\": \"bert\", \"vocab_size\": 30522}",
    )
    .unwrap();
    let done = place.run("check", &job("bert"));
    done.check(MODEL, &["`model_type` is `bert`, not `esm`"]);
    assert!(!done.stderr.contains("vocab_size"), "{done:?}");
}

#[test]
fn a_model_has_one_revision() {
    let place = Place::new();
    let name = format!("{ID}@main");
    let done = place.runner(&["download", &name, "--revision", "v1"]);
    done.check(SCRIPT, &["names a revision, and `revision` is \"v1\""]);
    assert_eq!(place.asked(), [""; 0]);
    place
        .runner(&["download", &name, "--revision", "main"])
        .check(OK, &[]);
}

#[test]
fn what_is_no_token_is_not_passed_over() {
    let mut place = Place::new();
    let refused = |place: &Place, parts: &[&str]| {
        for done in [place.runner(&["download", ID]), place.run("exec", &job(ID))] {
            done.check(MODEL, parts);
            assert!(!done.stderr.contains("secret"), "{done:?}");
        }
    };
    for (token, flaw) in [
        ("hf_secret and", "it has a blank"),
        ("\"hf_secret\"", "quotes"),
        ("hf_secret\nhf_secret", "several lines"),
        ("hf_secret\u{e9}", "not ASCII"),
    ] {
        place.environment.push(("HF_TOKEN", token.to_owned()));
        refused(&place, &["`HF_TOKEN` is no token", flaw]);
        place.environment.pop();
    }
    assert_eq!(place.asked(), [""; 0]);
    let file = place.path("home/.cache/huggingface/token");
    fs::create_dir_all(&file).unwrap();
    let expect = format!("`{}` is no token: it is a folder", file.display());
    refused(&place, &[&expect]);
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "hf_secret\n").unwrap();
    place.server.admit("hf_secret");
    place.runner(&["download", ID]).check(OK, &[]);
}
