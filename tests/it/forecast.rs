//! What `runner check --forecast` foretells, beside what a run then does.

use crate::{DEMO, ROOT, RUNNER};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn runner(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    let command = command.args(["60", RUNNER]).args(args);
    command.current_dir(folder).output().unwrap()
}

fn foretold(folder: &Path, args: &[&str]) -> Value {
    let args = [&["check", "job.rhai", "--json", "--forecast"], args].concat();
    let output = runner(folder, &args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn script(folder: &Path, dataset: &str) {
    let script = format!(
        "let model = esm2(\"{DEMO}\", #{{ device: \"mock\" }});
        let run = embed(model, {dataset}, #{{ output: \"out.parquet\", overwrite: true }});
        print(`${{run.records}} ${{run.sequences}} ${{run.tokens}}`);"
    );
    fs::write(folder.join("job.rhai"), script).unwrap();
}

#[test]
fn what_is_foretold_is_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for rules in [
        "",
        ".max_length(300)",
        ".take(50)",
        ".long_sequences(\"truncate\", 40).take(7)",
        ".long_sequences(\"window\", 100, #{ overlap: 10 })",
        ".long_sequences(\"full\")",
    ] {
        script(
            folder,
            &format!("fasta(\"{ROOT}/examples/data/*.fasta\"){rules}"),
        );
        let foretold = foretold(folder, &["--rate", "2k"]);
        let run = &foretold["forecast"][0];
        let output = runner(folder, &["exec", "job.rhai"]);
        let done = String::from_utf8(output.stdout).unwrap();
        let told =
            ["records", "rows", "tokens"].map(|name| run[name].as_f64().unwrap().to_string());
        assert_eq!(told.join(" "), done.trim(), "{rules}");
        let tokens = run["tokens"].as_f64().unwrap();
        assert_eq!(run["seconds"].as_f64(), Some(tokens / 2000.0));
        // A file of few rows is mostly what it says of itself.
        let told = run["output_bytes"].as_f64().unwrap();
        let done = fs::metadata(folder.join("out.parquet")).unwrap().len() as f64;
        if rules.is_empty() {
            assert!((0.7..1.4).contains(&(told / done)), "{told} {done}");
        }
    }
}

#[test]
fn the_size_of_every_format_is_foretold() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Lengths that differ much, which tells a sum of squares from the square of a mean.
    let records = (0..300).map(|n| {
        let length = if n % 10 == 0 { 400 } else { 20 + n % 50 };
        format!(
            ">p{n:05}\n{}\n",
            "MKTAYIAKQRQISF".repeat(29).split_at(length).0
        )
    });
    fs::write(folder.join("many.fa"), records.collect::<String>()).unwrap();
    let window = ".long_sequences(\"window\", 100, #{ overlap: 50 })";
    for (name, rules, options) in [
        ("out.npy", "", ""),
        ("out.h5", "", "output_dtype: \"f16\""),
        ("out.arrow", "", "residues: true"),
        ("out.parquet", "", "residues: true"),
        (
            "out.parquet",
            "",
            "residues: true, output_dtype: \"f32\", special_tokens: true",
        ),
        ("out.parquet", window, "residues: true"),
        ("out.safetensors", "", "contacts: true"),
        ("out.h5", window, "contacts: true"),
        ("out.embed", "", "residues: true, sequences: true"),
    ] {
        let script = format!(
            "let model = esm2(\"{DEMO}\", #{{ device: \"mock\" }});
            embed(model, fasta(\"many.fa\"){rules}, #{{ output: \"{name}\", overwrite: true, {options} }});"
        );
        fs::write(folder.join("job.rhai"), script).unwrap();
        let foretold = foretold(folder, &[]);
        let told = foretold["forecast"][0]["output_bytes"].as_f64().unwrap();
        let output = runner(folder, &["exec", "-q", "job.rhai"]);
        assert!(output.status.success(), "{output:?}");
        let bytes = |name: &str| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
        let done = bytes(name) as f64;
        // What a file says of itself, and names of datasets, are little beside vectors.
        let error = (told - done).abs() - 20_000.0;
        assert!(error < 0.05 * done, "{name} {options}: {told} {done}");
    }
}

#[test]
fn nobody_guesses_how_fast_an_unknown_model_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    script(
        folder,
        &format!("fasta(\"{ROOT}/examples/data/proteins.fasta\")"),
    );
    assert_eq!(foretold(folder, &[])["forecast"][0]["seconds"], Value::Null);
    let output = runner(folder, &["check", "job.rhai", "--forecast"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("with `--rate`") && text.contains("counted"),
        "{text}"
    );
    for rate in ["0", "fast", "-1", "1,5k", "80.000.000", "5G"] {
        let rate = format!("--rate={rate}");
        let output = runner(folder, &["check", "job.rhai", "--forecast", &rate]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr.contains("a number of tokens a second"), "{stderr}");
    }
}

#[test]
fn a_shard_is_told_of_its_part() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    script(
        folder,
        &format!("fasta(\"{ROOT}/examples/data/proteins.fasta\")"),
    );
    let tokens = |args: &[&str]| {
        foretold(folder, args)["forecast"][0]["tokens"]
            .as_f64()
            .unwrap()
    };
    let (all, part) = (tokens(&[]), tokens(&["--shard", "1/4"]));
    assert!((part - all / 4.0).abs() <= 1.0, "{part} of {all}");
}

#[test]
fn a_pipe_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    script(folder.path(), "fasta(\"-\")");
    let command = format!("echo '>a\nMK' | timeout 60 {RUNNER} check job.rhai --forecast");
    let output = Command::new("bash")
        .args(["-c", &command])
        .current_dir(folder.path())
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(
        text.contains("unknown: a pipe can be read only once"),
        "{text}"
    );
}
