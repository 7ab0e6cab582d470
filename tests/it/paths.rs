//! Nothing is overwritten that a script reads, that another part of it writes, or that this program
//! did not write; `runner exec` and `runner check` refuse alike.

use crate::RUNNER;
use runner::meter::Sample;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/hd16");
const FASTA: &str = ">a\nMKTAYIAKQRQISFVK\n>b\nMSTN\n";

/// A folder with inputs under several names, a model, a module, and files that other programs wrote.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("sub")).unwrap();
    fs::create_dir(at("model")).unwrap();
    for name in ["in.fa", "in.csv", "in.parquet", "old.parquet"] {
        fs::write(at(name), FASTA).unwrap();
    }
    // What `metrics` would have begun a file with, and a reader would skip.
    fs::write(at("ours.csv"), ours()).unwrap();
    fs::write(at("theirs.csv"), "run,seconds,score\n1,2,3\n").unwrap();
    fs::write(at("note.html"), "<!doctype html><p>mine</p>").unwrap();
    fs::write(at("part.rhai"), "fn one() { 1 }").unwrap();
    fs::hard_link(at("in.fa"), at("hard.parquet")).unwrap();
    symlink("in.fa", at("soft.parquet")).unwrap();
    symlink("sub", at("way")).unwrap();
    symlink("part.rhai", at("part.parquet")).unwrap();
    symlink("later/new", at("later.json")).unwrap();
    symlink("later/folder", at("later.d")).unwrap();
    for name in ["config.json", "vocab.txt"] {
        fs::copy(Path::new(MODEL).join(name), at("model").join(name)).unwrap();
    }
    folder
}

/// The beginning of a file of measurements.
fn ours() -> String {
    format!("{}\n", Sample::line_names().join(","))
}

/// Every file of a folder, with its contents.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            files.insert(name, Vec::new());
            if !path.is_symlink() {
                files.extend(contents(&path));
            }
        } else if path.file_name().is_some_and(|name| name != "job.rhai") {
            // A link may lead to nothing.
            files.insert(name, fs::read(&path).unwrap_or_default());
        }
    }
    files
}

/// Runs a script, behind a line that makes the model `m`.
fn run(folder: &Path, verb: &str, flags: &[&str], script: &str) -> (Option<i32>, String) {
    let script = format!("let m = esm2(\"model\", #{{ device: \"mock\" }});\n{script}\n");
    fs::write(folder.join("job.rhai"), script).unwrap();
    let output = Command::new(RUNNER)
        .args(["--quiet", verb, "job.rhai"])
        .args(flags)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), stderr)
}

/// Checks that a script is refused by both commands, and that no file has changed or come to be.
#[track_caller]
fn refused(flags: &[&str], script: &str, expect: &str) {
    for verb in ["check", "exec"] {
        let folder = folder();
        let before = contents(folder.path());
        let (exit_code, stderr) = run(folder.path(), verb, flags, script);
        assert_eq!(exit_code, Some(3), "{verb} {flags:?} {script}\n{stderr}");
        assert!(
            stderr.contains(expect),
            "{verb} {script}: {expect}\n{stderr}"
        );
        let after = contents(folder.path());
        assert!(
            before == after,
            "{verb} {flags:?} {script}: {:?}",
            after.keys()
        );
    }
}

/// Checks that a script is fine for both commands, twice in one folder.
#[track_caller]
fn accepted(flags: &[&str], script: &str) {
    let folder = folder();
    for verb in ["check", "exec", "check", "exec"] {
        let (exit_code, stderr) = run(folder.path(), verb, flags, script);
        assert_eq!(exit_code, Some(0), "{verb} {flags:?} {script}\n{stderr}");
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("in.fa")).unwrap(),
        FASTA
    );
}

#[test]
fn outputs_over_inputs() {
    let check = |input: &str, output: &str, expect: &str| {
        let script =
            format!("embed(m, fasta({input:?}), #{{ output: {output:?}, overwrite: true }});");
        refused(&[], &script, expect);
    };
    check("in.fa", "in.fa", "in.fa");
    check(
        "in.parquet",
        "in.parquet",
        "`in.parquet` is an input and would be an output, too",
    );
    check(
        "in.parquet",
        "way/../in.parquet",
        "`way/../in.parquet`, which is `in.parquet`,",
    );
    check(
        "in.fa",
        "hard.parquet",
        "`hard.parquet`, which is `in.fa`, is an input",
    );
    check(
        "in.fa",
        "soft.parquet",
        "`soft.parquet`, which is `in.fa`, is an input",
    );
    check("in.*", "in.parquet", "is an input and would be an output");
}

#[test]
fn measurements_over_inputs() {
    for flag in ["--report", "--trace", "--prometheus"] {
        refused(&[flag, "in.fa"], "embed(m, fasta(\"in.fa\"));", "in.fa");
        let by_pattern = "embed(m, fasta(\"i?.fa\"));";
        refused(&[flag, "way/../in.fa"], by_pattern, "in.fa");
    }
    refused(
        &["--metrics", "in.csv"],
        "embed(m, fasta(\"in.csv\"));",
        "in.csv",
    );
    // The file looks like one of ours; it is an input all the same, as soon as the script says so.
    let is_input = "`ours.csv` is the file of `metrics` and would be an input, too";
    let flags = ["--metrics", "ours.csv"];
    refused(&flags, "embed(m, fasta(\"ours.csv\"));", is_input);
    let is_input = "`ours.csv` is the file of `metrics`, and the pattern";
    refused(&flags, "embed(m, fasta(\"o*.csv\"));", is_input);
    refused(
        &[],
        "metrics(\"ours.csv\"); embed(m, fasta(\"*.csv\"));",
        is_input,
    );
    let later = "let d = fasta(\"ours.csv\"); metrics(\"sub/../ours.csv\"); embed(m, d);";
    refused(&[], later, "is an input and would be the file of `metrics`");
}

#[test]
fn a_file_at_standard_input_is_an_input() {
    for verb in ["check", "exec"] {
        let folder = folder();
        let script = format!("embed(esm2({MODEL:?}, #{{ device: \"mock\" }}), fasta(\"-\"));");
        fs::write(folder.path().join("job.rhai"), script).unwrap();
        let output = Command::new(RUNNER)
            .args([verb, "job.rhai", "--metrics", "ours.csv"])
            .current_dir(folder.path())
            .stdin(File::open(folder.path().join("ours.csv")).unwrap())
            .stdout(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("an input"), "{stderr}");
        let text = fs::read_to_string(folder.path().join("ours.csv")).unwrap();
        assert_eq!(text, ours());
    }
}

#[test]
fn one_file_for_two_purposes() {
    // A page has the name of a page.
    for name in ["z.parquet", "z.pdf"] {
        refused(&["--report", name], "", "name it `z.html`");
        refused(
            &[],
            &format!("sweep(\"a\").plot({name:?});"),
            "name it `z.html`",
        );
    }
    let embed = "embed(m, fasta(\"in.fa\"), #{ output: \"z.parquet\" });";
    refused(
        &["--prometheus", "z.parquet"],
        embed,
        "`z.parquet` is the file of `prometheus` and would be an output",
    );
    refused(
        &["--trace", "way/z.parquet"],
        &embed.replace("z.", "sub/z."),
        "the file of `trace`",
    );
    let rejects = ["--trace", "z.parquet.rejects.tsv"];
    refused(&rejects, embed, "the list of an output's rejected records");
    refused(
        &["--report", "x", "--trace", "x"],
        embed,
        "`x` is the report",
    );
    refused(
        &[],
        "trace(\"x\"); prometheus(\"sub/../x\");",
        "the file of `trace`",
    );
    refused(&["--report", "job.rhai"], embed, "`job.rhai` is the script");
    let module = "import \"part\" as part; report(\"part.rhai\");";
    refused(&[], module, "a module of the script");
    refused(&[], "report(\"model/config.json\");", "a file of a model");
    let tables =
        "let a = sweep(\"a\"); let b = sweep(\"b\"); a.plot(\"x.html\"); b.plot(\"x.html\");";
    let folder = self::folder();
    let (exit_code, stderr) = run(folder.path(), "exec", &[], tables);
    assert_eq!(exit_code, Some(3), "{stderr}");
    assert!(stderr.contains("is the page of a sweep"), "{stderr}");
    let kept = "sweep(\"a\", #{ folder: \"sub\" }).save(\"sub/a.csv\");";
    refused(&[], kept, "the table that a sweep keeps");
}

#[test]
fn what_the_pattern_of_an_input_would_match() {
    let check = |flags: &[&str], script: &str, expect: &str| {
        refused(flags, script, expect);
        refused(flags, script, "the pattern `");
    };
    check(
        &[],
        "embed(m, fasta(\"in.f*\"), #{ output: \"in.f.parquet\" });",
        "`in.f.parquet` is an output, and the pattern `in.f*` would make it an input, too",
    );
    check(
        &["--report", "in.f.html"],
        "embed(m, fasta(\"{o,in}.f*\"));",
        "is the report",
    );
    check(
        &[],
        "let d = fasta(\"i*.f*\"); trace(\"way/../in.f.json\"); embed(m, d);",
        "is the file of `trace`",
    );
    // A list of rejected records that is not written may be written the next time.
    check(
        &[],
        "embed(m, fasta(\"{in.fa,*.tsv}\"), #{ output: \"z.parquet\" });",
        "is the list of an output's rejected records",
    );
    check(
        &[],
        "sweep(\"in.f\", #{ folder: \".\" }).run(#{}, || embed(m, fasta(\"in.f*\")));",
        "is the table that a sweep keeps",
    );
    accepted(
        &["--report", "sub/in.f.html"],
        "embed(m, fasta(\"in.f*\"), #{ output: \"sub/in.f.parquet\", overwrite: true });",
    );
}

#[test]
fn what_a_script_names_later() {
    let check = |script: &str, expect: &str| {
        refused(&[], script, expect);
        refused(&["--report", "r.html"], script, expect);
    };
    let first = |output: &str, later: &str| {
        let options = format!("#{{ output: {output:?}, overwrite: true }}");
        format!("let d = fasta(\"in.fa\"); embed(m, d, {options}); {later}")
    };
    let module = first("part.parquet", "import \"part\" as part;");
    check(
        &module,
        "`part.rhai`, which is `part.parquet`, is an output",
    );
    let input = first("in.parquet", "embed(m, fasta(\"in.parquet\"));");
    check(&input, "`in.parquet` is an output and would be an input");
    let called = first(
        "in.parquet",
        "fn last(m) { let f = || embed(m, fasta(\"in.parquet\")); f.call() } last(m);",
    );
    check(&called, "`in.parquet` is an output and would be an input");
    check(
        &first("z.parquet", "report(\"z.parquet\");"),
        "is an output",
    );
    let format = first("z.parquet", "embed(m, d, #{ output: \"z.csv\" });");
    check(&format, "ends like CSV");
    check(
        "for name in [\"z.parquet\", \"in.parquet\"] {
            embed(m, fasta(\"in.parquet\"), #{ output: name, overwrite: true });
        }",
        "`in.parquet` is an input and would be an output",
    );
    // What a script catches is its own business, and what comes of a run is not known before.
    let caught = "try { report(\"in.fa\"); } catch (err) { print(err.kind); }";
    accepted(&[], &first("z.parquet", caught));
    let folder = folder();
    let script = first(
        "z.parquet",
        "if embeddings(\"z.parquet\").len != 2 { throw 1; }",
    );
    let (exit_code, stderr) = run(folder.path(), "exec", &[], &script);
    assert_eq!(exit_code, Some(0), "{stderr}");
}

#[test]
fn tables_of_others_are_left_alone() {
    let embed = "embed(m, fasta(\"in.fa\"));";
    let is_other = "exists and was not written by runner";
    refused(&["--metrics", "theirs.csv"], embed, is_other);
    refused(&[], "sweep(\"theirs\", #{ folder: \".\" });", is_other);
    accepted(&["--metrics", "ours.csv"], embed);
}

#[test]
fn links_that_lead_to_nothing_yet() {
    accepted(
        &["--trace", "later.json"],
        "let d = fasta(\"in.fa\");
        sweep(\"a\", #{ folder: \"later.d\" }).run(#{}, || embed(m, d));",
    );
}

#[test]
fn what_cannot_be_written() {
    let output = |path: &str, expect: &str| {
        let script = format!("embed(m, fasta(\"in.fa\"), #{{ output: {path:?} }});");
        refused(&[], &script, expect);
    };
    output("sub", "does not say in which format");
    output("-", "`-` is no file");
    output("/dev/stdout", "no file");
    output("s3://bucket/o.parquet", "an address");
    output("~/o.parquet", "only a shell replaces");
    output("o.csv", "ends like CSV");
    output("o.npz", "ends like NumPy");
    output("o", "does not say in which format");
    output("old.parquet", "which exists");
    for (path, expect) in [
        ("sub/", "names a folder"),
        ("sub", "is a folder"),
        ("-", "no file"),
        ("gs://bucket/x", "an address"),
        ("~/x", "only a shell replaces"),
        ("", "the path is empty"),
    ] {
        for call in ["report", "trace", "prometheus"] {
            refused(&[], &format!("{call}({path:?});"), expect);
        }
        refused(&[], &format!("sweep(\"a\").plot({path:?});"), expect);
    }
    refused(
        &[],
        "sweep(\"a\", #{ folder: \"s3://bucket/x\" });",
        "an address",
    );
    refused(&[], "metrics(\"m.txt\");", "neither with .csv nor");
    // The same output twice is made once, but a script that makes two of one name is refused.
    let two = "for n in 1..3 { embed(m, fasta(\"in.fa\").take(n), #{ output: \"o.parquet\" }); }";
    let folder = folder();
    for (verb, expect) in [("check", 3), ("exec", 1)] {
        let (exit_code, stderr) = run(folder.path(), verb, &[], two);
        assert_eq!(exit_code, Some(expect), "{stderr}");
        assert!(stderr.contains("o.parquet"), "{stderr}");
    }
}

#[test]
fn files_of_others_stay() {
    for call in [
        "report(\"note.html\")",
        "report(\"in.fa\")",
        "metrics(\"in.csv\")",
        "trace(\"old.parquet\")",
        "prometheus(\"part.rhai\")",
        "sweep(\"in\", #{ folder: \".\" })",
        "sweep(\"in\", #{ folder: \".\", resume: false })",
        "sweep(\"a\").save(\"old.parquet\")",
        "sweep(\"a\").save(\"ours.csv\")",
        "sweep(\"a\").plot(\"note.html\")",
    ] {
        refused(&[], &format!("{call};"), "was not written by runner");
    }
    for flag in ["--report", "--trace", "--prometheus"] {
        refused(&[flag, "note.html"], "", "was not written by runner");
    }
}

#[test]
fn files_of_this_program_are_written_again() {
    let script = r#"
        report("r.html"); report("r.html");
        metrics("m.csv"); metrics("m.csv");
        trace("t.json");
        prometheus("p.prom");
        let d = fasta("in.fa");
        let run = embed(m, d, #{ output: "model/o.parquet", overwrite: true, metrics_every: 1 });
        metrics("m.jsonl");
        embed(m, d, #{ output: "model/o.parquet", overwrite: true, metrics_every: 1 });
        print(embeddings("model/o.parquet").len + run.embeddings().len);
        let table = sweep("readers", #{ folder: "sub/new" });
        table.run(#{ readers: 1 }, || embed(m, d, #{ readers: 1 }));
        for n in 0..2 { table.save("t.csv"); table.save("t.parquet"); table.save("t2.pq"); table.plot("t.html"); }
    "#;
    accepted(&[], script);
    accepted(&["--report", "r.html", "--trace", "t.json"], script);
    accepted(&["--prometheus", "empty.prom"], "");
}

#[test]
fn nothing_is_begun_before_the_first_run() {
    let folder = folder();
    let before = contents(folder.path());
    let flags = [
        "--metrics",
        "a/m.csv",
        "--report",
        "r.html",
        "--trace",
        "t",
        "--prometheus",
        "p",
    ];
    let (exit_code, stderr) = run(folder.path(), "exec", &flags, "print(1);");
    assert_eq!(exit_code, Some(0), "{stderr}");
    assert_eq!(contents(folder.path()), before);
    let (exit_code, _) = run(folder.path(), "exec", &flags, "embed(m, fasta(\"no.fa\"));");
    assert_eq!(exit_code, Some(4));
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn definitions_replace_nothing_else() {
    let folder = folder();
    let definitions = |path: &str| {
        let output = Command::new(RUNNER)
            .args(["script", "definitions", "-o", path])
            .current_dir(folder.path())
            .output()
            .unwrap();
        output.status.code()
    };
    assert_eq!(definitions("in.fa"), Some(3));
    assert_eq!(definitions("new.d.rhai"), Some(0));
    assert_eq!(definitions("new.d.rhai"), Some(0));
    assert_eq!(
        fs::read_to_string(folder.path().join("in.fa")).unwrap(),
        FASTA
    );
}
