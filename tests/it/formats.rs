//! Outputs in formats that parts do not have, through the real program: they hold what Parquet holds, however a
//! job ends and is gone on with, and what is exported holds the same.

use crate::resume::job::{FAST, Job, REJECTED, SLOW};
use crate::{RUNNER, child::finish};
use runner::embeddings::Embeddings;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Formats, and what a job has to ask for so that its output can be in them.
const FORMATS: [(&str, &str); 5] = [
    ("out.npy", ""),
    ("out.safetensors", ""),
    ("out.arrow", ""),
    ("out.h5", ""),
    ("out.parquet", ""),
];
/// How a job ends that has no rejected record.
const WELL: i32 = 0;

fn job(output: &str, options: &str) -> Job {
    let mut job = Job::new();
    output.clone_into(&mut job.output);
    options.clone_into(&mut job.options);
    job
}

/// Runs the program where a job runs.
fn runner(job: &Job, arguments: &[&str]) -> Output {
    let mut program = Command::new(RUNNER);
    finish(program.args(arguments).current_dir(job.path("")), b"")
}

fn check_good(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Checks that the program refuses, and why.
fn check_refused(output: &Output, expect: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let words: Vec<_> = stderr.split_whitespace().collect();
    assert!(!output.status.success(), "{expect}");
    assert!(words.join(" ").contains(expect), "{stderr}");
}

/// Runs a script that asks for nothing that the job does not have.
fn exec(job: &Job, script: &str) -> Output {
    fs::write(job.path("script.rhai"), script).unwrap();
    runner(job, &["exec", "-q", "script.rhai"])
}

/// The embeddings of a job that nobody disturbed.
fn undisturbed() -> (Job, Embeddings) {
    let job = job("out.parquet", "");
    job.run().check_code(REJECTED);
    let embeddings = Embeddings::read(&job.path("out.parquet")).unwrap();
    (job, embeddings)
}

/// Checks that an output holds these embeddings, and that it is verified.
fn check_holds(job: &Job, name: &str, expect: &Embeddings) {
    let found = Embeddings::read(&job.path(name)).unwrap();
    assert_eq!(found.ids(), expect.ids(), "{name}");
    assert!(found == *expect, "{name} has other vectors");
    check_good(&runner(job, &["verify", name]));
    let status = check_good(&runner(job, &["status", "--json", name]));
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["state"], "finished", "{name}");
    assert_eq!(status["rows"], expect.len() as u64, "{name}");
}

#[test]
fn every_format_holds_what_parquet_holds() {
    let (_, expect) = undisturbed();
    for (output, options) in FORMATS {
        let job = job(output, options);
        job.run().check_code(REJECTED);
        check_holds(&job, output, &expect);
        assert!(!job.bookkeeping().exists(), "{output}");
        assert!(job.path(&format!("{output}.rejects.tsv")).exists());
        // Run again, it has nothing to do.
        let was = job.snapshot();
        let done = job.run().check_code(REJECTED);
        assert_eq!(done.figure("computed"), 0, "{output}");
        assert!(job.snapshot() == was, "{output}");
        // Another output is not replaced unasked.
        job_with(&job, "pooling: \"max\",", "is another output");
    }
}

/// Runs a job with other options, which is refused, and then with `overwrite`.
fn job_with(job: &Job, options: &str, expect: &str) {
    let script = job.script(FAST, &job.output);
    let with = |options: &str| script.replace("output:", &format!("{options} output:"));
    let was = job.snapshot();
    check_refused(&exec(job, &with(options)), expect);
    fs::remove_file(job.path("script.rhai")).unwrap();
    assert!(job.snapshot() == was);
    let old = Embeddings::read(&job.output_path()).unwrap();
    let replaced = exec(job, &with(&format!("{options} overwrite: true,")));
    assert_eq!(replaced.status.code(), Some(REJECTED));
    let new = Embeddings::read(&job.output_path()).unwrap();
    assert_eq!(new.ids(), old.ids());
    assert!(new != old);
}

#[test]
fn a_job_that_was_killed_goes_on() {
    let (_, expect) = undisturbed();
    for (output, options) in FORMATS {
        let job = job(output, options);
        let n_rows = job.interrupt();
        let done = job.run().check_code(REJECTED);
        assert_eq!(done.figure("resumed"), n_rows, "{output}");
        check_holds(&job, output, &expect);
    }
}

#[test]
fn the_last_step_is_done_again() {
    let (_, expect) = undisturbed();
    let job = job("out.npy", "");
    job.run().check_code(REJECTED);
    let card = fs::read(job.path("out.npy.json")).unwrap();
    job.remove();
    for name in ["out.npy.json", "out.ids.txt"] {
        let _ = fs::remove_file(job.path(name));
    }
    job.interrupt();
    // As a process leaves it that is killed while it publishes: what lies beside the output is there.
    fs::write(job.path("out.npy.json"), card).unwrap();
    let ids: String = expect.ids().iter().map(|id| format!("{id}\n")).collect();
    fs::write(job.path("out.ids.txt"), ids).unwrap();
    job.run().check_code(REJECTED);
    check_holds(&job, "out.npy", &expect);
}

#[test]
fn what_others_have_beside_an_output_stays() {
    let (_, expect) = undisturbed();
    let job = job("out.npy", "");
    fs::write(job.path("out.ids.txt"), "mine\n").unwrap();
    let script = job.script(FAST, &job.output);
    check_refused(
        &exec(&job, &script),
        "out.ids.txt, which would lie beside it, exists",
    );
    // It comes into being while the job runs.
    fs::remove_file(job.path("out.ids.txt")).unwrap();
    job.interrupt();
    fs::write(job.path("out.ids.txt"), "mine\n").unwrap();
    let refused = job.run();
    refused.check_refused(1, &["out.ids.txt", "exists"]);
    assert_eq!(
        fs::read_to_string(job.path("out.ids.txt")).unwrap(),
        "mine\n"
    );
    assert!(!job.path("out.npy").exists());
    fs::remove_file(job.path("out.ids.txt")).unwrap();
    let done = job.run().check_code(REJECTED);
    assert_eq!(done.figure("computed"), 0);
    check_holds(&job, "out.npy", &expect);
}

#[test]
fn a_file_that_does_not_fit_is_made_of_the_parts_when_it_does() {
    let (_, expect) = undisturbed();
    for (output, options) in FORMATS {
        let mut job = job(output, options);
        // Each part fits, and the whole does not.
        let script = "ulimit -f 256; exec \"$@\"";
        job.wrapper = ["bash", "-c", script, "bash"].map(str::to_owned).into();
        // What is left then is small.
        (0..3).for_each(|_| {
            job.interrupt();
        });
        job.run().check_refused(1, &["File too large", "ulimit -f"]);
        assert!(!job.is_published());
        job.wrapper.clear();
        let done = job.run().check_code(REJECTED);
        assert_eq!(done.figure("computed"), 0, "{output}");
        check_holds(&job, output, &expect);
    }
}

#[test]
fn an_output_may_have_no_rows() {
    for (output, options) in FORMATS {
        let mut job = job(output, options);
        "fasta(\"in.fa\").min_length(100_000).long_sequences(\"skip\", 254)"
            .clone_into(&mut job.dataset);
        job.run().check_code(REJECTED);
        let none = Embeddings::read(&job.path(output)).unwrap();
        assert!(none.is_empty(), "{output}");
        check_good(&runner(&job, &["verify", output]));
    }
}

#[test]
fn outputs_are_exported_to_every_format() {
    let (job, expect) = undisturbed();
    let script = job.script(FAST, "folder/");
    assert_eq!(exec(&job, &script).status.code(), Some(REJECTED));
    check_good(&runner(&job, &["export", "out.parquet", "first.arrow"]));
    for from in ["out.parquet", "first.arrow", "folder/"] {
        for ending in ["npy", "safetensors", "arrow", "h5", "pq"] {
            let to = format!("to_{}.{ending}", from.trim_end_matches('/'));
            let said = check_good(&runner(&job, &["export", from, &to, "--json"]));
            let said: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(said["rows"], expect.len() as u64);
            assert_eq!(said["was_exported"], false);
            check_holds(&job, &to, &expect);
            // Once more, there is nothing to do.
            let said = check_good(&runner(&job, &["export", from, &to]));
            assert!(said.contains("exported already"), "{said}");
        }
    }
    let export = |arguments: &[&str]| runner(&job, &[&["export"], arguments].concat());
    fs::write(job.path("mine.npy"), "mine").unwrap();
    check_refused(&export(&["out.parquet", "mine.npy"]), "exists");
    check_good(&export(&["out.parquet", "mine.npy", "--overwrite"]));
    check_refused(&export(&["out.parquet", "out.parquet"]), "over itself");
    check_good(&export(&["mine.npy", "of_mine.h5"]));
    check_holds(&job, "of_mine.h5", &expect);
    check_refused(&export(&["of_mine.h5", "x.embed"]), "`sequences: true`");
    check_refused(&export(&["none.parquet", "x.h5"]), "is not there");
    check_refused(&export(&["in.fa", "x.h5"]), "another program");
    check_refused(
        &export(&["out.parquet", "x.h5", "--columns", "residues"]),
        "there are `embedding`",
    );
    check_refused(
        &export(&["out.parquet", "x.h5", "--keys", "hash"]),
        "`sequences: true`",
    );
    assert!(!job.path("x.h5").exists());
    let temporary = |name: &String| name.starts_with('.');
    assert!(!job.names().iter().any(temporary), "{:?}", job.names());
}

#[test]
fn scripts_export() {
    let (job, expect) = undisturbed();
    let script = format!(
        "{}\nlet made = export(run, \"b.safetensors\");\nprint(made);
        print(export(\"out.parquet\", \"b.npy\", #{{ columns: \"embedding\" }}).rows);
        print(embeddings(\"b.npy\").ids == embeddings(\"b.safetensors\").ids);",
        job.script(FAST, "out.parquet")
    );
    fs::write(job.path("job.rhai"), &script).unwrap();
    let checked = runner(&job, &["check", "job.rhai"]);
    assert_eq!(checked.status.code(), Some(WELL));
    let done = exec(&job, &script);
    assert_eq!(done.status.code(), Some(REJECTED));
    for (from, to, why) in [
        ("in.fa", "z.h5", "another program"),
        ("b.npy", "z.embed", "`sequences: true`"),
        ("out.parquet", "z.embed", "`sequences: true`"),
    ] {
        let wrong = format!("export(\"{from}\", \"{to}\");");
        fs::write(job.path("wrong.rhai"), wrong).unwrap();
        check_refused(&runner(&job, &["check", "wrong.rhai"]), why);
    }
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("\"was_exported\": false"), "{said}");
    assert!(said.ends_with("true\n"), "{said}");
    check_holds(&job, "b.safetensors", &expect);
    check_holds(&job, "b.npy", &expect);
}

#[test]
fn residues_are_flat_rows_with_offsets() {
    let read = |path: &Path| fs::read(path).unwrap();
    let mut job = job("out.npy", "residues: true, output_dtype: \"f32\",");
    "fasta(\"in.fa\").min_length(10).long_sequences(\"truncate\", 254).take(20)"
        .clone_into(&mut job.dataset);
    job.run().check_code(REJECTED);
    check_good(&runner(&job, &["verify", "out.npy"]));
    let offsets = read(&job.path("out.offsets.npy"));
    let offsets: Vec<i64> = offsets[128..]
        .as_chunks::<8>()
        .0
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes))
        .collect();
    let ids = fs::read_to_string(job.path("out.ids.txt")).unwrap();
    assert_eq!(offsets.len(), ids.lines().count() + 1);
    assert!(offsets[0] == 0 && offsets.is_sorted());
    let array = read(&job.path("out.npy"));
    let header = String::from_utf8_lossy(&array[10..128]).into_owned();
    let n_rows = offsets.last().unwrap();
    assert!(
        header.contains(&format!("'shape': ({n_rows}, ")),
        "{header}"
    );
    let error = Embeddings::read(&job.path("out.npy")).unwrap_err();
    assert!(error.message.contains("vectors of residues"), "{error}");
    // Pooled vectors have no offsets, and those of the output that is replaced go with it.
    let pooled = job
        .script(FAST, "out.npy")
        .replace("residues: true,", "overwrite: true,");
    assert_eq!(exec(&job, &pooled).status.code(), Some(REJECTED));
    assert!(!job.path("out.offsets.npy").exists());
    Embeddings::read(&job.path("out.npy")).unwrap();
}

#[test]
fn sequences_are_a_column() {
    let job = job("out.parquet", "sequences: true,");
    job.run().check_code(REJECTED);
    check_good(&runner(
        &job,
        &["export", "out.parquet", "out.h5", "--keys", "hash"],
    ));
    check_good(&runner(&job, &["verify", "out.h5"]));
    let embed = runner(&job, &["export", "out.parquet", "out.embed"]);
    check_good(&embed);
    let text = fs::read(job.path("out.embed")).unwrap();
    let fasta = fs::read_to_string(job.path("in.fa")).unwrap();
    let first: String = fasta
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('>'))
        .collect();
    let begin = &first.as_bytes()[..60];
    assert!(text.windows(60).any(|window| window == begin));
}

#[test]
fn what_lies_beside_an_array_is_of_the_same_output() {
    let (_, expect) = undisturbed();
    let job = job("out.npy", "overwrite: true,");
    job.run().check_code(REJECTED);
    let old: Vec<_> = ["out.npy", "out.npy.json"]
        .map(|name| fs::read(job.path(name)).unwrap())
        .into();
    let mut few = job;
    "fasta(\"in.fa\").long_sequences(\"truncate\", 254).take(20)".clone_into(&mut few.dataset);
    few.run();
    // As a process leaves it that is killed while it replaces an output: at one moment, and a little later.
    let card = fs::read(few.path("out.npy.json")).unwrap();
    for (card, expect) in [
        (&old[1], "are not the ids of"),
        (&card, "is not the array that"),
    ] {
        fs::write(few.path("out.npy"), &old[0]).unwrap();
        fs::write(few.path("out.npy.json"), card).unwrap();
        let error = Embeddings::read(&few.path("out.npy")).unwrap_err();
        assert!(error.message.contains(expect), "{error}");
        assert!(error.hint.unwrap().contains("run the script again"));
        assert!(!runner(&few, &["verify", "out.npy"]).status.success());
        assert!(!runner(&few, &["status", "out.npy"]).status.success());
    }
    let mut all = few;
    self::job("", "").dataset.clone_into(&mut all.dataset);
    let mut running = all.start(SLOW);
    running.wait_until(|| all.n_committed() > 0);
    running.killed();
    check_good(&runner(&all, &["status", "out.npy"]));
    assert!(
        all.status()["wrong"]
            .as_str()
            .unwrap()
            .contains("not the file that was written")
    );
    let verified = runner(&all, &["verify", "out.npy"]);
    check_refused(&verified, "run the script again");
    all.run().check_code(REJECTED);
    check_holds(&all, "out.npy", &expect);
}

#[test]
fn an_array_needs_what_lies_beside_it() {
    let (_, expect) = undisturbed();
    let job = job("out.npy", "");
    job.run().check_code(REJECTED);
    let ids = fs::read(job.path("out.ids.txt")).unwrap();
    fs::remove_file(job.path("out.ids.txt")).unwrap();
    for arguments in [["verify", "out.npy"], ["status", "out.npy"]] {
        let refused = runner(&job, &arguments);
        check_refused(&refused, "out.ids.txt`, which is missing");
        check_refused(&refused, "overwrite: true");
    }
    let again = exec(&job, &job.script(FAST, "out.npy"));
    check_refused(&again, "out.ids.txt`, which is missing");
    check_refused(&again, "overwrite: true");
    // Where only the array is gone, it is made again.
    fs::write(job.path("out.ids.txt"), ids).unwrap();
    fs::remove_file(job.path("out.npy")).unwrap();
    fs::remove_file(job.path("out.npy.rejects.tsv")).unwrap();
    let max = job
        .script(FAST, "out.npy")
        .replace("output:", "pooling: \"max\", output:");
    check_refused(&exec(&job, &max), "exists");
    job.run().check_code(REJECTED);
    check_holds(&job, "out.npy", &expect);
}

#[test]
fn proteins_of_one_residue_have_residues_too() {
    let mut job = job("out.npy", "residues: true,");
    fs::write(job.path("ones.fa"), ">a\nM\n>b\nK\n").unwrap();
    "fasta(\"ones.fa\").long_sequences(\"truncate\", 254)".clone_into(&mut job.dataset);
    job.run().check_code(WELL);
    let error = Embeddings::read(&job.path("out.npy")).unwrap_err();
    assert!(error.message.contains("vectors of residues"), "{error}");
}

#[test]
fn what_is_finished_and_damaged_says_how_it_is_computed_again() {
    let (job, _) = undisturbed();
    let folder = job.script(FAST, "folder/");
    assert_eq!(exec(&job, &folder).status.code(), Some(REJECTED));
    check_good(&runner(&job, &["export", "out.parquet", "out.arrow"]));
    let part = fs::read_dir(job.path("folder"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let part = format!("folder/{}", part.file_name().display());
    for (file, output, hint) in [
        (
            "out.parquet",
            "out.parquet",
            "set `overwrite: true` in the script",
        ),
        (
            "out.arrow",
            "out.arrow",
            "set `overwrite: true` in the script",
        ),
        (
            part.as_str(),
            "folder/",
            "remove it, and run the script again",
        ),
    ] {
        let mut bytes = fs::read(job.path(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(job.path(file), bytes).unwrap();
        check_refused(&runner(&job, &["export", output, "new.npy"]), hint);
    }
}
