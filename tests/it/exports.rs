//! Exports that cannot be made: told before anything is computed, and with the exit code of whose fault it is.

use crate::{DEMO, RUNNER};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const USAGE: i32 = 2;
const SCRIPT: i32 = 3;

fn runner(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    let command = command.args(["60", RUNNER]).args(args);
    command.current_dir(folder).output().unwrap()
}

/// Runs or checks a script whose run has two columns of vectors.
fn script(folder: &Path, command: &str, then: &str) -> Output {
    let script = format!(
        "let model = esm2(\"{DEMO}\", #{{ device: \"mock\" }});
        let run = embed(model, fasta(\"in.fa\"), #{{ pooling: [\"mean\", \"std\"], output: \"two.parquet\" }});
        {then}"
    );
    fs::write(folder.join("job.rhai"), script).unwrap();
    runner(folder, &[command, "job.rhai"])
}

fn check_refused(output: &Output, code: i32, why: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    let words: Vec<_> = stderr.split_whitespace().collect();
    assert!(words.join(" ").contains(why), "{stderr}");
}

fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.fa"), ">a\nMKT\n>b\nWW\n").unwrap();
    folder
}

#[test]
fn the_columns_of_an_output_that_is_still_to_be_made_are_known() {
    let folder = place();
    let folder = folder.path();
    for (wrong, why) in [
        (r#"export(run, "z.npy");"#, "single array"),
        (
            r#"export("two.parquet", "z.h5", #{ columns: "embedding" });"#,
            "there are `embedding_mean`, `embedding_std`",
        ),
        (
            r#"export(run, "z.h5", #{ keys: "hash" });"#,
            "`sequences: true`",
        ),
        (
            r#"export(run, "z.h5"); export("z.h5", "z.npy");"#,
            "single array",
        ),
    ] {
        check_refused(&script(folder, "check", wrong), SCRIPT, why);
    }
    let right = r#"export(run, "std.npy", #{ columns: "embedding_std" }); export(run, "z.h5", #{ keys: "accession" });"#;
    for command in ["check", "exec"] {
        check_refused(&script(folder, command, right), 0, "");
    }
    assert!(folder.join("std.npy").exists() && folder.join("z.h5").exists());
}

#[test]
fn exit_codes_tell_the_command_line_from_its_options() {
    let folder = place();
    let folder = folder.path();
    check_refused(&script(folder, "exec", ""), 0, "");
    for (code, args, why) in [
        (USAGE, &["x.h5", "--keys", "md5"][..], "accession"),
        (USAGE, &["x.xyz"], "x.xyz"),
        (USAGE, &["x.npy", "--keys", "hash"], "`.h5`"),
        (SCRIPT, &["x.npy"], "each column to a file of its own"),
        (SCRIPT, &["x.npy", "--columns", "nope"], "`nope`"),
        (SCRIPT, &["x.h5", "--keys", "hash"], "`sequences: true`"),
    ] {
        let args = [&["export", "two.parquet"], args].concat();
        check_refused(&runner(folder, &args), code, why);
    }
}
