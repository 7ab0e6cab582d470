//! `runner convert`: a model of any form becomes a folder of HF transformers, which is there as a whole or not at all.

use crate::{
    DEMO, ROOT, RUNNER,
    child::finish,
    embeddings::{
        common::{golden_sequences, one_batch, project},
        files::{self, Stored, Tensors, load, save},
    },
    models::large_model,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use runner::job::Pooling;
use safetensors::Dtype;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};
use tempfile::TempDir;

const FAIR_ESM: &str = "tests/golden/fair_esm";
const OK: i32 = 0;
const UNEXPECTED: i32 = 1;
const USAGE: i32 = 2;
const MODEL: i32 = 5;
const TERMINATED: i32 = 75;

/// The exit code, and what is on standard output and standard error.
fn convert(args: &[&str], folder: &Path) -> (i32, String, String) {
    let mut program = Command::new(RUNNER);
    program.arg("convert").args(args).current_dir(folder);
    let output = finish(&mut program, b"");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let exit_code = output.status.code().unwrap();
    (exit_code, text(output.stdout), text(output.stderr))
}

/// Converts a model to the folder `out` in a new place: that place, and what was said.
fn converted(model: &Path, options: &[&str]) -> (TempDir, String) {
    let place = tempfile::tempdir().unwrap();
    let mut args = vec![model.to_str().unwrap(), "out"];
    args.extend(options);
    let (exit_code, stdout, stderr) = convert(&args, place.path());
    assert_eq!(exit_code, OK, "{stderr}");
    assert_eq!(names(place.path()), ["out"]);
    (place, stdout)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The bits of embeddings at all layers.
fn embed(folder: &Path, fasta: &str) -> Vec<u32> {
    let model = load(folder).unwrap();
    let batch = one_batch(&golden_sequences(fasta));
    let layers: Vec<_> = (0..=model.n_layers()).collect();
    let values = model.encode(&batch, &layers, Pooling::Mean).unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

fn config(folder: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(folder.join("config.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn is_frequency(name: &str) -> bool {
    name.ends_with("inv_freq")
}

#[test]
fn a_file_of_fair_esm_becomes_what_transformers_saves() {
    let (place, said) = converted(&project(FAIR_ESM).join("esm2_t2_tiny.pt"), &[]);
    let out = place.path().join("out");
    let expect = [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ];
    assert_eq!(names(&out), expect);
    assert!(
        said.starts_with("out: 44 tensors, ") && !said.contains("left out"),
        "{said}"
    );

    let hf = project(FAIR_ESM).join("transformers");
    let (found, want) = (
        files::tensors(out.to_str().unwrap()),
        files::tensors(hf.to_str().unwrap()),
    );
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        want.keys().collect::<Vec<_>>()
    );
    for (name, found) in &found {
        let want = &want[name];
        assert_eq!(found.shape, want.shape, "{name}");
        if is_frequency(name) {
            assert_eq!(found.dtype, Dtype::F32);
        } else {
            assert_eq!(
                (found.dtype, &found.bytes),
                (want.dtype, &want.bytes),
                "{name}"
            );
        }
    }
    assert_eq!(embed(&out, FAIR_ESM), embed(&hf, FAIR_ESM));

    let (found, mut want) = (config(&out), config(&hf));
    assert_eq!(want.remove("dtype").unwrap(), found["torch_dtype"]);
    let n_shared = want
        .iter()
        .filter(|(key, _)| found.contains_key(*key))
        .count();
    assert!(n_shared > 15, "{n_shared}");
    for (key, want) in want {
        if let Some(found) = found.get(&key) {
            assert_eq!(*found, want, "{key}");
        }
    }
    let vocabulary = fs::read_to_string(out.join("vocab.txt")).unwrap();
    assert_eq!(
        vocabulary,
        fs::read_to_string(hf.join("vocab.txt")).unwrap().trim_end()
    );
}

#[test]
fn converted_models_give_the_same_bits() {
    let golden = "tests/golden/hd16";
    let want = embed(&project(golden), golden);
    // What a conversion makes can be converted again, and each tensor keeps its format.
    let (first, _) = converted(&project(golden), &[]);
    let first = first.path().join("out");
    assert_eq!(embed(&first, golden), want);
    let (second, _) = converted(&first, &[]);
    for name in names(&first) {
        let read = |folder: &Path| fs::read(folder.join(&name)).unwrap();
        assert!(read(&first) == read(&second.path().join("out")), "{name}");
    }
    let (f32s, _) = converted(Path::new(DEMO), &["--dtype", "f32"]);
    let f32s = f32s.path().join("out");
    assert_eq!(embed(&f32s, golden), embed(Path::new(DEMO), golden));
    assert_eq!(config(&f32s)["torch_dtype"], "float32");
    let tensors = files::tensors(f32s.to_str().unwrap());
    assert!(tensors.values().all(|tensor| tensor.dtype == Dtype::F32));
    // A narrower format is that of a model that was rounded before.
    let (bf16, _) = converted(&f32s, &["--dtype", "bf16"]);
    let tensors = files::tensors(bf16.path().join("out").to_str().unwrap());
    for (name, tensor) in &tensors {
        let expect = if is_frequency(name) {
            Dtype::F32
        } else {
            Dtype::BF16
        };
        assert_eq!(tensor.dtype, expect, "{name}");
    }
    assert_eq!(config(&bf16.path().join("out"))["torch_dtype"], "bfloat16");
}

#[test]
fn heads_are_kept_where_they_are_whole() {
    const GOLDEN: &str = "tests/golden/hd16";
    let check = |tensors: &Tensors, architecture: &str, left_out: &str| {
        let folder = files::folder(GOLDEN, tensors);
        let (place, said) = converted(folder.path(), &[]);
        let out = place.path().join("out");
        assert_eq!(config(&out)["architectures"][0], architecture);
        match left_out {
            "" => assert!(!said.contains("left out"), "{said}"),
            _ => assert!(said.contains(&format!("left out: {left_out}")), "{said}"),
        }
        files::tensors(out.to_str().unwrap())
    };
    let mut tensors = files::tensors(GOLDEN);
    let embeddings = tensors["esm.embeddings.word_embeddings.weight"].clone();
    tensors.insert("lm_head.decoder.weight".to_owned(), embeddings.clone());
    tensors.insert("classifier.bias".to_owned(), Stored::new(&[2], &[0.0; 2]));
    let found = check(&tensors, "EsmForMaskedLM", "`classifier.bias`");
    assert!(!found.contains_key("lm_head.decoder.weight"), "it is tied");
    tensors.remove("classifier.bias");
    tensors.insert("lm_head.decoder.weight".to_owned(), embeddings.with(7, 0.5));
    check(&tensors, "EsmForMaskedLM", "`lm_head.decoder.weight`");
    tensors.remove("lm_head.decoder.weight");
    check(&tensors, "EsmForMaskedLM", "");
    tensors.remove("lm_head.bias");
    let found = check(
        &tensors,
        "EsmModel",
        "`lm_head.dense.bias`, `lm_head.dense.weight`",
    );
    assert!(found.keys().all(|name| name.starts_with("esm.")));
}

/// The head is made for other embeddings than those that the adapter leaves.
#[test]
fn heads_that_an_adapter_changes_are_left_out() {
    let (place, _) = converted(&project("tests/golden/lora/whole"), &[]);
    let out = place.path().join("out");
    assert_eq!(config(&out)["architectures"][0], "EsmModel");
    let found = files::tensors(out.to_str().unwrap());
    assert!(!found.keys().any(|name| name.starts_with("lm_head")));
}

#[test]
fn what_a_format_cannot_hold_is_an_error() {
    const NAME: &str = "esm.encoder.layer.1.output.dense.weight";
    let mut tensors = files::tensors("tests/golden/hd16");
    let changed = tensors[NAME].with(5, -70_000.0);
    tensors.insert(NAME.to_owned(), changed);
    let folder = files::folder("tests/golden/hd16", &tensors);
    let place = tempfile::tempdir().unwrap();
    let model = folder.path().to_str().unwrap();
    let (exit_code, _, stderr) = convert(&[model, "out", "--dtype", "f16"], place.path());
    assert_eq!(exit_code, MODEL);
    for part in [NAME, "-7e4, which f16 cannot hold", "--dtype bf16"] {
        assert!(stderr.contains(part), "{stderr}");
    }
    assert_eq!(names(place.path()), [""; 0]);
    let (exit_code, _, _) = convert(&[model, "out", "--dtype", "bf16"], place.path());
    assert_eq!(exit_code, OK);
    let (exit_code, _, stderr) = convert(&[model, "out2", "--dtype", "f8"], place.path());
    assert_eq!(exit_code, USAGE);
    assert!(
        stderr.contains("[possible values: f32, f16, bf16]"),
        "{stderr}"
    );
}

#[test]
fn what_is_not_finite_stays_and_is_told() {
    const NAME: &str = "esm.encoder.layer.1.output.dense.weight";
    let golden = "tests/golden/hd16";
    let mut tensors = files::tensors(golden);
    let changed = tensors[NAME].with(5, f32::INFINITY).with(6, f32::NAN);
    tensors.insert(NAME.to_owned(), changed);
    let folder = files::folder(golden, &tensors);
    let place = tempfile::tempdir().unwrap();
    let model = folder.path().to_str().unwrap();
    for options in [&[][..], &["--dtype", "f16"]] {
        let args = [&[model, "out", "--overwrite"], options].concat();
        let (exit_code, _, stderr) = convert(&args, place.path());
        assert_eq!(exit_code, OK, "{stderr}");
        let warning = format!("warning: tensor `{NAME}` holds numbers that are not finite");
        assert!(stderr.contains(&warning), "{stderr}");
        let found = &files::tensors(place.path().join("out").to_str().unwrap())[NAME];
        if options.is_empty() {
            assert_eq!(found.bytes, tensors[NAME].bytes);
        }
    }
    let (exit_code, stdout, _) = convert(&[model, "out2", "--json"], place.path());
    let said: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((exit_code, &said["not_finite"]), (OK, &NAME.into()));
}

#[test]
fn nothing_is_replaced_that_nobody_asked_to_replace() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let refused = |args: &[&str], parts: &[&str]| {
        let before = names(place.path());
        let (exit_code, _, stderr) = convert(args, place.path());
        assert_eq!(exit_code, UNEXPECTED, "{args:?}: {stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{args:?}: {stderr}");
        }
        assert_eq!(names(place.path()), before);
    };
    let tiny = project(FAIR_ESM).join("esm2_t2_tiny.pt");
    let tiny = tiny.to_str().unwrap();
    assert_eq!(convert(&[tiny, "out"], place.path()).0, OK);
    refused(&[DEMO, "out"], &["`out` exists", "--overwrite"]);
    assert_eq!(config(&at("out"))["hidden_size"], 32);
    refused(
        &["out", "out", "--overwrite"],
        &["`out` holds the model that is to be converted"],
    );
    refused(&["./out/", "../".repeat(20).as_str()], &["holds the model"]);
    assert_eq!(convert(&[DEMO, "out/", "--overwrite"], place.path()).0, OK);
    assert_eq!(config(&at("out"))["hidden_size"], 160);

    // What somebody fetched has files of the same names.
    fs::create_dir(at("fetched")).unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(Path::new(DEMO).join(name), at("fetched").join(name)).unwrap();
        let no_conversion = [
            "`fetched` holds a model that no conversion wrote",
            "remove the",
        ];
        refused(&[tiny, "fetched", "--overwrite"], &no_conversion);
        assert!(at("fetched").join(name).is_file());
    }
    fs::remove_dir_all(at("fetched")).unwrap();

    fs::write(at("out/notes.txt"), "mine").unwrap();
    refused(&[tiny, "out", "--overwrite"], &["`out` holds `notes.txt`"]);
    fs::remove_file(at("out/notes.txt")).unwrap();
    // Neither a folder nor a link is a file of a conversion, whatever it is called.
    fs::remove_file(at("out/vocab.txt")).unwrap();
    fs::create_dir(at("out/vocab.txt")).unwrap();
    fs::write(at("out/vocab.txt/thesis"), "mine").unwrap();
    refused(&[tiny, "out", "--overwrite"], &["`out` holds `vocab.txt`"]);
    assert!(at("out/vocab.txt/thesis").is_file());
    fs::remove_dir_all(at("out/vocab.txt")).unwrap();
    std::os::unix::fs::symlink("elsewhere", at("out/vocab.txt")).unwrap();
    refused(&[tiny, "out", "--overwrite"], &["`out` holds `vocab.txt`"]);
    fs::copy(tiny, at("tiny.pt")).unwrap();
    refused(&["tiny.pt", ".", "--overwrite"], &["`.` holds the model"]);
    fs::write(at("file"), "").unwrap();
    refused(&[tiny, "file", "--overwrite"], &["`file` exists"]);
    let script = ROOT.to_owned() + "/Cargo.toml";
    let (exit_code, _, stderr) = convert(&[&script, "new"], place.path());
    assert_eq!(exit_code, MODEL, "{stderr}");
    assert_eq!(names(place.path()), ["file", "out", "tiny.pt"]);
    // An empty folder is as good as none.
    fs::create_dir(at("empty")).unwrap();
    assert_eq!(convert(&[tiny, "empty"], place.path()).0, OK);
}

#[test]
fn an_interrupted_conversion_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    // Long enough to be interrupted: it is when the weights are being written.
    large_model(&place.path().join("model"), 64);
    let folder = place.path().join("here");
    fs::create_dir(&folder).unwrap();
    let mut program = Command::new("env");
    // Signals end it, also where these tests run under `nohup` or in the background.
    program.args([
        "--default-signal=TERM",
        RUNNER,
        "convert",
        "../model",
        "out",
    ]);
    let program = program.current_dir(&folder).stdin(Stdio::null());
    let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
    while names(&folder).is_empty() && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    let process = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(process, Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(TERMINATED), "{stderr}");
    let expect = "stopped by SIGTERM; run the command again";
    assert!(stderr.contains(expect), "{stderr}");
    assert!(!stderr.contains("script"), "{stderr}");
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn models_in_several_files_become_one() {
    const GOLDEN: &str = "tests/golden/hd16";
    let folder = files::folder_without_weights(GOLDEN);
    let mut parts = [Tensors::new(), Tensors::new()];
    let mut weight_map = BTreeMap::new();
    for (n, (name, stored)) in files::tensors(GOLDEN).into_iter().enumerate() {
        weight_map.insert(name.clone(), format!("model-{}.safetensors", n % 2));
        parts[n % 2].insert(name, stored);
    }
    for (n, part) in parts.iter().enumerate() {
        save(part, &folder.path().join(format!("model-{n}.safetensors")));
    }
    let index = serde_json::json!({ "weight_map": weight_map }).to_string();
    fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
    let (several, said) = converted(folder.path(), &["--json"]);
    let (one, _) = converted(&project(GOLDEN), &[]);
    let read = |place: &TempDir| fs::read(place.path().join("out/model.safetensors")).unwrap();
    assert!(read(&several) == read(&one));
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["tensors"], 42);
    assert_eq!(said["bytes"], read(&one).len());
    assert_eq!(said["left_out"], serde_json::json!([]));
}
