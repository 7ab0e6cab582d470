//! Models that are named by their ids: found, downloaded and used by the real program, with a Hub on this machine.

mod failures;
mod here;
mod names;
mod place;
mod stops;

use crate::hub::server::Fault;
use place::{Done, ID, MODEL, NEEDED, OK, Place, SCRIPT};
use serde_json::Value;
use std::{fs, os::unix::fs::symlink, path::Path};

/// Loads the model on the CPU, and embeds.
fn job(name: &str) -> String {
    format!(
        "let model = esm2(\"{name}\", #{{ device: \"cpu\" }});
        print(model.name);
        embed(model, fasta(\"in.fa\"), #{{ readers: 1, output: \"out.parquet\", overwrite: true }});"
    )
}

fn metadata(path: &Path) -> impl Fn(&str) -> Option<String> + use<> {
    let file = fs::File::open(path).unwrap();
    let reader = parquet::file::serialized_reader::SerializedFileReader::new(file).unwrap();
    let metadata = parquet::file::reader::FileReader::metadata(&reader);
    let entries = metadata
        .file_metadata()
        .key_value_metadata()
        .unwrap()
        .clone();
    move |key| {
        let entry = entries
            .iter()
            .find(|entry| entry.key == format!("runner.{key}"))?;
        entry.value.clone()
    }
}

#[test]
fn what_a_user_types_first_works_and_asks_once() {
    let mut place = Place::new();
    let done = place.run("exec", &job(ID));
    done.check(
        OK,
        &[
            "downloading facebook/esm2_t6_8M_UR50D: 3 files, 3.6",
            "downloaded facebook/",
        ],
    );
    assert_eq!(done.stdout, format!("{ID}\n"));
    // The rehearsal has asked for the configuration, in memory.
    let mut expect = [&NEEDED[..], &["config.json", "main"]].concat();
    expect.sort_unstable();
    assert_eq!(place.asked(), expect);
    let found = metadata(&place.path("out.parquet"));
    let commit = place.server.commit(ID);
    for (key, expect) in [
        ("model", ID),
        ("model_repository", ID),
        ("model_revision", "main"),
        ("model_commit", &commit),
    ] {
        assert_eq!(found(key).as_deref(), Some(expect), "{key}");
    }
    assert!(
        !found("identity").unwrap().contains(&commit),
        "the weights decide"
    );
    // From now on nobody is asked, whatever becomes of the Hub.
    place.server.put(ID, "README.md", b"news", false);
    for name in [
        ID,
        "esm2_t6_8M_UR50D",
        "facebook/esm2_t6_8M_UR50D@main",
        &format!("{ID}@{commit}"),
    ] {
        place.run("exec", &job(name)).check(OK, &[]);
        place.run("check", &job(name)).check(OK, &[]);
    }
    assert_eq!(place.asked(), [""; 0]);
    place.environment.push(("HF_HUB_OFFLINE", "1".to_owned()));
    place.run("exec", &job(ID)).check(OK, &[]);
    assert_eq!(
        metadata(&place.path("out.parquet"))("model_commit"),
        Some(commit)
    );
}

#[test]
fn a_check_says_what_would_come_and_writes_nothing() {
    let place = Place::new();
    let done = place.run("check", &job(ID));
    done.check(OK, &[]);
    let expect = "facebook/esm2_t6_8M_UR50D is to be downloaded: 3 files, 3.6 MiB";
    assert!(done.stdout.contains(expect), "{}", done.stdout);
    assert_eq!(place.files_at_home(), [""; 0]);
    assert_eq!(place.asked(), ["config.json", "main"]);

    let script = format!(
        "{}esm2(\"{ID}\", #{{ device: \"mock\" }}); esm2(\"{ID}\");",
        job(ID)
    );
    let done = place
        .script(&script)
        .runner(&["--json", "check", "job.rhai"]);
    let found: Value = serde_json::from_str(&done.stdout).unwrap();
    let sizes = NEEDED.map(|name| {
        fs::metadata(Path::new(crate::DEMO).join(name))
            .unwrap()
            .len()
    });
    let all = &found["to_download"][0];
    assert_eq!(all["model"], ID);
    assert_eq!(all["commit"], place.server.commit(ID));
    assert_eq!(
        (&all["files"], &all["bytes"]),
        (&3.into(), &sizes.iter().sum::<u64>().into())
    );
    assert_eq!(place.asked(), ["config.json", "main"], "once a process");
    // What the Hub has is checked as far as it is known.
    let wrong =
        format!("let model = esm2(\"{ID}\"); embed(model, fasta(\"in.fa\"), #{{ layers: [99] }});");
    place.run("check", &wrong).check(SCRIPT, &["99"]);
    assert_eq!(place.files_at_home(), [""; 0]);
}

#[test]
fn the_mock_device_needs_no_weights() {
    let place = Place::new();
    place
        .run("exec", &format!("esm2(\"{ID}\", #{{ device: \"mock\" }});"))
        .check(OK, &[]);
    assert!(!place.asked().contains(&"model.safetensors".to_owned()));
    assert!(!place.snapshot(ID).join("model.safetensors").exists());
    // What is there of it is no model to others, and only the rest comes.
    place.run("exec", &job(ID)).check(OK, &[": 1 file, 3.6"]);
    let asked = place.asked();
    assert!(asked.contains(&"model.safetensors".to_owned()), "{asked:?}");
    assert!(!asked.contains(&"vocab.txt".to_owned()), "{asked:?}");
}

#[test]
fn a_revision_is_what_was_asked_for() {
    let place = Place::new();
    let first = place.server.commit(ID);
    let by_option = |revision: &str| {
        format!("esm2(\"{ID}\", #{{ device: \"cpu\", revision: \"{revision}\" }});")
    };
    place.run("exec", &by_option("v1")).check(OK, &[]);
    place
        .run("exec", &job(&format!("{ID}@refs/pr/1")))
        .check(OK, &[]);
    let found = metadata(&place.path("out.parquet"));
    assert_eq!(found("model_revision").as_deref(), Some("refs/pr/1"));
    assert_eq!(found("model_commit").as_ref(), Some(&first));
    place.asked();
    // A commit that is here is that commit for good.
    place.run("exec", &by_option(&first)).check(OK, &[]);
    place.run("exec", &by_option("v1")).check(OK, &[]);
    assert_eq!(place.asked(), [""; 0]);
    let no_revision = ["has no revision `v9`"];
    place
        .run("exec", &by_option("v9"))
        .check(MODEL, &no_revision);
    place
        .run("check", &job(&format!("{ID}@v9")))
        .check(MODEL, &no_revision);
    // A branch that has moved is another commit for those who have not got it yet.
    place.server.put(ID, "README.md", b"news", false);
    place.run("exec", &job(ID)).check(OK, &[]);
    let moved = metadata(&place.path("out.parquet"))("model_commit");
    assert_eq!(moved, Some(place.server.commit(ID)));
    assert_ne!(moved, Some(first));

    let both = format!("esm2(\"{ID}@v1\", #{{ revision: \"v2\" }});");
    place
        .run("exec", &both)
        .check(SCRIPT, &["names a revision", "leave one of them out"]);
    fs::create_dir(place.path("folder")).unwrap();
    let of_folder = "esm2(\"folder\", #{ revision: \"v1\" });";
    place
        .run("exec", of_folder)
        .check(MODEL, &["is a file or a folder, which has no revision"]);
}

#[test]
fn what_is_missing_of_a_snapshot_is_fetched() {
    let place = Place::new();
    place.run("exec", &job(ID)).check(OK, &[]);
    place.asked();
    let weights = place.snapshot(ID).join("model.safetensors");
    fs::remove_file(&weights).unwrap();
    // Its content is still there.
    place.run("exec", &job(ID)).check(OK, &[]);
    assert!(!place.asked().contains(&"model.safetensors".to_owned()));
    fs::remove_file(fs::canonicalize(&weights).unwrap()).unwrap();
    assert!(weights.symlink_metadata().is_ok(), "a link to nothing");
    place.run("exec", &job(ID)).check(OK, &[": 1 file, 3.6"]);
    assert!(place.asked().contains(&"model.safetensors".to_owned()));
}

#[test]
fn folders_come_first() {
    let place = Place::new();
    let folder = place.path(ID);
    fs::create_dir_all(&folder).unwrap();
    for name in NEEDED {
        symlink(Path::new(crate::DEMO).join(name), folder.join(name)).unwrap();
    }
    let done = place.run("exec", &job(ID));
    done.check(OK, &[]);
    assert_eq!(done.stdout, "esm2_t6_8M_UR50D\n");
    assert_eq!(metadata(&place.path("out.parquet"))("model_commit"), None);
    assert_eq!(place.asked(), [""; 0]);
}

#[test]
fn files_of_the_cache_are_not_overwritten() {
    let place = Place::new();
    let commit = place.server.commit(ID);
    let repository = place.repository(ID).display().to_string();
    let write = |path: &str| {
        format!(
            "let model = esm2(\"{ID}\", #{{ device: \"cpu\" }});
            embed(model, fasta(\"in.fa\"), #{{ output: \"{path}\", overwrite: true }});"
        )
    };
    let script = write(&format!("{repository}/snapshots/{commit}/model.parquet"));
    place.run("exec", &script).check(OK, &[]);
    let config = place.snapshot(ID).join("config.json");
    let before = fs::read(&config).unwrap();
    let target = place.path("link.parquet");
    for path in [config.clone(), fs::canonicalize(&config).unwrap()] {
        symlink(&path, &target).unwrap();
        place
            .run("exec", &write("link.parquet"))
            .check(SCRIPT, &["is a file of a model"]);
        place
            .run("check", &write("link.parquet"))
            .check(SCRIPT, &["is a file of a model"]);
        fs::remove_file(&target).unwrap();
    }
    assert_eq!(fs::read(&config).unwrap(), before);
}

#[test]
fn a_download_asks_again_and_prints_folders() {
    const OTHER: &str = "somebody/other";
    let place = Place::new();
    let config = fs::read(Path::new(crate::DEMO).join("config.json")).unwrap();
    place.server.put(OTHER, "config.json", &config, false).put(
        OTHER,
        "model.safetensors",
        b"x",
        false,
    );
    let done = place.runner(&["download", "esm2_t6_8M_UR50D", OTHER]);
    done.check(OK, &["downloading facebook/"]);
    let expect = [ID, OTHER].map(|id| place.snapshot(id).display().to_string());
    assert_eq!(done.stdout.lines().collect::<Vec<_>>(), expect);
    place.run("exec", &job(ID)).check(OK, &[]);
    place.asked();

    // Nothing is new: it is asked, and nothing comes.
    let done = place.runner(&["download", ID]);
    done.check(OK, &[]);
    assert!(!done.stderr.contains("downloading"), "{done:?}");
    assert_eq!(place.asked(), ["main"]);
    // Another commit with the same weights.
    let old = place.server.commit(ID);
    place.server.put(
        ID,
        "vocab.txt",
        &fs::read(Path::new(crate::DEMO).join("vocab.txt")).unwrap(),
        true,
    );
    let done = place.runner(&["--json", "download", ID, "--revision", "main"]);
    let found: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&found["model"], &found["revision"]),
        (&ID.into(), &"main".into())
    );
    assert_eq!(found["commit"], place.server.commit(ID));
    assert_eq!(found["folder"], place.snapshot(ID).display().to_string());
    assert!(!place.asked().contains(&"model.safetensors".to_owned()));
    place.run("exec", &job(ID)).check(OK, &[]);
    let commit = metadata(&place.path("out.parquet"))("model_commit");
    assert_eq!(commit, Some(place.server.commit(ID)));
    assert_ne!(commit, Some(old));
    assert_eq!(place.asked(), [""; 0]);

    place
        .runner(&["download", ID, "nobody/nothing"])
        .check(MODEL, &["has no model `nobody/nothing`"]);
    place
        .runner(&["download", "esm2_t6_8M"])
        .check(MODEL, &["did you mean `facebook/esm2_t6_8M_UR50D`?"]);
    place
        .runner(&["download", "home"])
        .check(MODEL, &["it is a folder"]);
    place.runner(&["download"]).check(2, &["MODEL"]);
}

#[test]
fn an_adapter_comes_with_its_model() {
    const ADAPTER: &str = "somebody/adapter";
    let place = Place::new();
    let config = format!("{{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"{ID}\"}}");
    place
        .server
        .put(ADAPTER, "adapter_config.json", config.as_bytes(), false);
    place
        .server
        .put(ADAPTER, "adapter_model.safetensors", b"weights", true);
    let done = place.run("check", &format!("print(esm2(\"{ADAPTER}\").layers);"));
    done.check(OK, &[]);
    for expect in [
        "somebody/adapter is to be downloaded: 2 files",
        "facebook/esm2_t6_8M_UR50D is to be downloaded: 3 files",
    ] {
        assert!(done.stdout.contains(expect), "{}", done.stdout);
    }
    assert_eq!(place.files_at_home(), [""; 0]);
    let done = place.runner(&["download", ADAPTER]);
    done.check(OK, &[]);
    assert_eq!(
        done.stdout.trim(),
        place.snapshot(ADAPTER).display().to_string()
    );
    assert!(place.snapshot(ID).join("model.safetensors").is_file());
    // Its weights are none, and the mock device needs none.
    let script = format!(
        "let model = esm2(\"{ADAPTER}\", #{{ device: \"mock\" }});
        embed(model, fasta(\"in.fa\"), #{{ output: \"out.parquet\" }});"
    );
    place.run("exec", &script).check(OK, &[]);
    let found = metadata(&place.path("out.parquet"));
    assert_eq!(found("model_repository").as_deref(), Some(ADAPTER));
    assert_eq!(found("model_base").as_deref(), Some(ID));
    let commit = place.server.commit(ID);
    assert_eq!(found("model_base_commit"), Some(commit));
}

#[test]
fn a_list_of_files_says_which_come() {
    const SHARDED: &str = "somebody/sharded";
    let place = Place::new();
    let list = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    place.server.put(
        SHARDED,
        "config.json",
        &fs::read(Path::new(crate::DEMO).join("config.json")).unwrap(),
        false,
    );
    place
        .server
        .put(SHARDED, "model.safetensors.index.json", list, false);
    for name in [
        "model-1.safetensors",
        "model-2.safetensors",
        "model-3.safetensors",
    ] {
        place.server.put(SHARDED, name, name.as_bytes(), true);
    }
    let done = place.runner(&["download", SHARDED]);
    done.check(OK, &["4 files"]);
    let has = |name: &str| place.snapshot(SHARDED).join(name).is_file();
    assert!(has("model-1.safetensors") && has("model-2.safetensors"));
    assert!(!has("model-3.safetensors"));
}

#[test]
fn a_folder_of_parts_says_where_the_model_came_from() {
    let place = Place::new();
    let script = format!(
        "let model = esm2(\"{ID}\", #{{ device: \"cpu\" }});
        embed(model, fasta(\"in.fa\"), #{{ output: \"out/\" }});"
    );
    place.run("exec", &script).check(OK, &[]);
    let manifest = fs::read_to_string(place.path("out.ledger/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["settings"]["model_repository"], ID);
    assert_eq!(
        manifest["settings"]["model_commit"],
        place.server.commit(ID)
    );
    assert_eq!(manifest["identity"]["model"], ID);
    // Another commit with the same weights is the same model: there is nothing to compute.
    place.server.put(ID, "README.md", b"news", false);
    place.runner(&["download", ID]).check(OK, &[]);
    place
        .run("exec", &script)
        .check(OK, &["nothing to compute"]);
}

/// A fault that is slow enough for a signal, or for another process.
fn slow() -> Fault {
    Fault::Slow(8 << 10)
}

fn said_once(done: &Done, part: &str) {
    assert_eq!(
        done.stderr.matches(part).count(),
        1,
        "{part}: {}",
        done.stderr
    );
}
