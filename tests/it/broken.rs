//! Files that are broken, and outputs that cannot be what is asked, through the real program: it says so, replaces
//! what it may, and never takes a broken file for a finished one.

use crate::resume::job::{FAST, Job, REJECTED};
use crate::{RUNNER, child::finish};
use arrow_array::{ArrayRef, Float32Array, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use runner::embeddings::Embeddings;
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    process::{Command, Output},
    sync::Arc,
};

/// How a script ends that cannot read a file.
const BROKEN: i32 = 4;

fn job(output: &str, options: &str) -> Job {
    let mut job = Job::new();
    output.clone_into(&mut job.output);
    options.clone_into(&mut job.options);
    "fasta(\"in.fa\").take(40).long_sequences(\"truncate\", 126)".clone_into(&mut job.dataset);
    job
}

/// A job that has run.
fn done(output: &str, options: &str) -> Job {
    let job = job(output, options);
    job.run();
    job
}

fn runner(job: &Job, arguments: &[&str]) -> Output {
    let mut program = Command::new(RUNNER);
    finish(program.args(arguments).current_dir(job.path("")), b"")
}

/// Runs a script, behind one line that makes the model `m` and the dataset `d`.
fn exec(job: &Job, verb: &str, script: &str) -> Output {
    let Job { model, dataset, .. } = job;
    let before = format!("let m = esm2(\"{model}\", #{{ device: \"mock\" }}); let d = {dataset};");
    fs::write(job.path("script.rhai"), format!("{before}\n{script}")).unwrap();
    runner(job, &[verb, "-q", "script.rhai"])
}

fn check_good(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Checks that the program refuses, and why.
fn check_refused(output: &Output, expect: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let words = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!output.status.success(), "{expect:?}");
    for expect in expect {
        assert!(words.contains(expect), "{expect}: {stderr}");
    }
}

fn flip(job: &Job, name: &str) {
    let mut bytes = fs::read(job.path(name)).unwrap();
    let at = bytes.len() * 2 / 3;
    bytes[at] ^= 1;
    fs::write(job.path(name), bytes).unwrap();
}

#[test]
fn a_damaged_file_is_written_again_if_it_may_be() {
    let job = done("folder/", "");
    let script = job.script(FAST, "out.parquet");
    fs::write(job.path("other.rhai"), script).unwrap();
    runner(&job, &["exec", "-q", "other.rhai"]);
    for (verb, from, to) in [
        ("export", "out.parquet", "e.h5"),
        ("export", "out.parquet", "e.npy"),
        ("export", "out.parquet", "e.arrow"),
        ("export", "out.parquet", "e.parquet"),
        ("export", "folder/", "e.safetensors"),
        ("merge", "folder/", "m.parquet"),
        ("merge", "folder/", "m.h5"),
    ] {
        let again = |more: &[&str]| runner(&job, &[&[verb, from, to], more].concat());
        check_good(&again(&[]));
        let whole = fs::read(job.path(to)).unwrap();
        check_good(&again(&[]));
        flip(&job, to);
        check_refused(&again(&[]), &["is damaged", "overwrite"]);
        check_good(&again(&["--overwrite"]));
        assert!(fs::read(job.path(to)).unwrap() == whole, "{to}");
        check_good(&runner(&job, &["verify", to]));
    }
    // What is there is whole, and what it was made of is not.
    flip(&job, "out.parquet");
    let part = fs::read_dir(job.path("folder")).unwrap().next().unwrap();
    flip(
        &job,
        &format!("folder/{}", part.unwrap().file_name().display()),
    );
    for (verb, from, to) in [
        ("export", "out.parquet", "e.h5"),
        ("export", "folder/", "e.safetensors"),
        ("merge", "folder/", "m.parquet"),
    ] {
        for more in [&[][..], &["--overwrite"]] {
            let refused = runner(&job, &[&[verb, from, to], more].concat());
            check_refused(&refused, &["run"]);
            check_good(&runner(&job, &["verify", to]));
        }
    }
    check_refused(
        &runner(&job, &["merge", "folder/"]),
        &["is not what was written"],
    );
    check_refused(&runner(&job, &["merge", "out.parquet"]), &["is damaged"]);
}

#[test]
fn an_export_has_the_list_of_what_was_rejected() {
    let mut job = job("out.parquet", "");
    "fasta(\"in.fa\").min_length(10).long_sequences(\"truncate\", 126)"
        .clone_into(&mut job.dataset);
    job.run().check_code(REJECTED);
    let list = fs::read(job.path("out.parquet.rejects.tsv")).unwrap();
    for to in ["e.h5", "e.npy", "e.parquet"] {
        let copy = job.path(&format!("{to}.rejects.tsv"));
        check_good(&runner(&job, &["export", "out.parquet", to]));
        assert!(fs::read(&copy).unwrap() == list, "{to}");
        // One that is gone comes again, and that of somebody else stays.
        fs::remove_file(&copy).unwrap();
        check_good(&runner(&job, &["export", "out.parquet", to]));
        assert!(fs::read(&copy).unwrap() == list, "{to}");
    }
    fs::write(job.path("f.h5.rejects.tsv"), "mine").unwrap();
    check_refused(
        &runner(&job, &["export", "out.parquet", "f.h5"]),
        &["exists"],
    );
    assert!(!job.path("f.h5").exists());
}

#[test]
fn what_cannot_be_made_of_an_output_is_seen_before_it_is_there() {
    let job = job("x", "");
    let parquet = "let r = embed(m, d, #{ output: \"o.parquet\"";
    let tokens = "sequences: true, residues: true, special_tokens: true";
    let both = "\"mean\"";
    for (script, expect) in [
        (
            format!("{parquet} }}); export(r, \"o.embed\");"),
            "sequences: true",
        ),
        (
            format!("{parquet}, residues: true, pooling: {both} }}); export(r, \"o.npy\");"),
            "`embedding`, `residues`",
        ),
        (
            format!("{parquet}, pooling: [\"mean\", \"std\"] }}); export(r, \"o.npy\");"),
            "embedding_std",
        ),
        (
            format!("{parquet} }}); export(r, \"o.npy\", #{{ columns: \"residues\" }});"),
            "no column of vectors `residues`",
        ),
        (
            format!("{parquet} }}); export(r, \"o.h5\", #{{ keys: \"hash\" }});"),
            "sequences: true",
        ),
        (
            format!("{parquet} }}); export(r, \"o.parquet\");"),
            "over itself",
        ),
        (
            format!("{parquet}, {tokens} }}); export(r, \"o.embed\");"),
            "BOS and EOS",
        ),
        (
            format!("{parquet} }}); export(r, \"o.npy\"); export(\"o.npy\", \"o.embed\");"),
            "sequences: true",
        ),
        (
            format!("{parquet}, residues: true }}); embeddings(\"o.parquet\");"),
            "holds vectors of residues",
        ),
        (
            format!("{parquet}, residues: true }}); r.embeddings();"),
            "holds vectors of residues",
        ),
        (
            format!("{parquet} }}); r.embeddings(#{{ column: \"residues\" }});"),
            "has no column `residues`",
        ),
        (
            format!("{parquet}, pooling: [\"mean\", \"std\"] }}); r.embeddings();"),
            "several vectors",
        ),
        (
            "embed(m, d, #{ output: \"o/\", residues: true }); merge(\"o/\", \"o.embed\");"
                .to_owned(),
            "sequences: true",
        ),
        (
            format!("embed(m, d, #{{ output: \"o/\", {tokens} }}); merge(\"o/\", \"o.embed\");"),
            "BOS and EOS",
        ),
    ] {
        for verb in ["check", "exec"] {
            check_refused(&exec(&job, verb, &script), &[expect]);
            // Nothing was computed for it.
            let names: Vec<_> = fs::read_dir(job.path("")).unwrap().collect();
            assert_eq!(names.len(), 2, "{script}");
        }
    }
    for script in [
        format!(
            "{parquet} }}); export(r, \"o.h5\"); export(\"o.h5\", \"p.npy\"); embeddings(\"p.npy\");"
        ),
        format!(
            "{parquet}, sequences: true }}); export(r, \"o.embed\"); export(\"o.embed\", \"p.h5\", #{{ keys: \"hash\" }});"
        ),
        format!(
            "{parquet}, residues: true, pooling: {both} }}); export(r, \"o.npy\", #{{ columns: \"residues\" }});"
        ),
        format!(
            "{parquet}, pooling: [\"mean\", \"std\"] }}); r.embeddings(#{{ column: \"embedding_std\" }});"
        ),
        "embed(m, d, #{ output: \"o/\" }); merge(\"o/\", \"o.npy\"); embeddings(\"o.npy\");"
            .to_owned(),
    ] {
        check_good(&exec(&job, "check", &script));
    }
}

#[test]
fn vectors_of_other_tokens_are_not_written_as_those_of_residues() {
    let tokens = "sequences: true, residues: true, special_tokens: true,";
    let job = done("folder/", tokens);
    check_good(&runner(&job, &["export", "folder/", "a.arrow"]));
    let expect = ["vectors of BOS and EOS", "special_tokens"];
    for arguments in [
        ["export", "folder/", "x.embed"],
        ["export", "a.arrow", "x.embed"],
        ["merge", "folder/", "x.embed"],
    ] {
        check_refused(&runner(&job, &arguments), &expect);
        assert!(!job.path("x.embed").exists());
    }
    let script = "export(\"a.arrow\", \"x.embed\");";
    check_refused(&exec(&job, "check", script), &expect);
}

#[test]
fn a_folder_is_read_as_it_was_finished() {
    let job = done("folder/", "");
    let script = "print(embeddings(\"folder/\").len);";
    check_good(&exec(&job, "exec", script));
    let mut parts: Vec<_> = fs::read_dir(job.path("folder"))
        .unwrap()
        .flatten()
        .collect();
    parts.sort_by_key(std::fs::DirEntry::file_name);
    let (first, last) = (parts[0].path(), parts.last().unwrap().path());
    let other = job.path("folder/part-000000009999.parquet");
    fs::copy(&first, &other).unwrap();
    let expect = ["part-000000009999.parquet", "does not belong to the output"];
    check_refused(&exec(&job, "exec", script), &expect);
    fs::remove_file(other).unwrap();
    // What nobody reads is in nobody's way.
    fs::write(job.path("folder/notes.txt"), "mine").unwrap();
    check_good(&exec(&job, "exec", script));
    fs::remove_file(last).unwrap();
    check_refused(&exec(&job, "exec", script), &["is missing or cut"]);
    let caught = format!("try {{ {script} }} catch {{ print(\"caught\"); }}");
    assert_eq!(check_good(&exec(&job, "exec", &caught)), "caught\n");
}

/// A file of Arrow with one pair of residues of a sequence of ten.
fn write_pair(job: &Job, i: u32, j: u32, probability: f32) {
    let list = |values: ArrayRef| -> ArrayRef {
        let item = Arc::new(Field::new("item", values.data_type().clone(), false));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 1]));
        Arc::new(ListArray::new(item, offsets, values, None))
    };
    let number = |n| -> ArrayRef { Arc::new(UInt32Array::from(vec![n])) };
    let columns: [(&str, ArrayRef); 5] = [
        ("id", Arc::new(StringArray::from(vec!["a"]))),
        ("length", number(10)),
        ("i", list(number(i))),
        ("j", list(number(j))),
        (
            "probability",
            list(Arc::new(Float32Array::from(vec![probability]))),
        ),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    assert!(matches!(rows.column(2).data_type(), DataType::List(_)));
    let file = File::create(job.path("pairs.arrow")).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &rows.schema()).unwrap();
    writer.write(&rows).unwrap();
    writer.finish().unwrap();
}

#[test]
fn contacts_that_cannot_be_are_not_drawn() {
    let job = job("x", "");
    let script = "contact_map(\"pairs.arrow\", \"a\", \"a.svg\");";
    for (i, j, probability, is_good) in [
        (1, 10, 0.5, true),
        (7, 3, 0.5, false),
        (4, 4, 0.5, false),
        (0, 3, 0.5, false),
        (3, 11, 0.5, false),
        (3, 9, 1.5, false),
        (3, 9, f32::NAN, false),
    ] {
        write_pair(&job, i, j, probability);
        let drawn = exec(&job, "exec", script);
        if is_good {
            check_good(&drawn);
            continue;
        }
        assert_eq!(drawn.status.code(), Some(BROKEN), "{i} {j} {probability}");
        check_refused(&drawn, &["is broken"]);
        let caught = format!("try {{ {script} }} catch {{ print(\"caught\"); }}");
        assert_eq!(check_good(&exec(&job, "exec", &caught)), "caught\n");
    }
}

#[test]
fn what_is_exported_as_parquet_is_what_was_written_as_parquet() {
    let mut job = job(
        "out.parquet",
        "residues: true, pooling: \"mean\", sequences: true,",
    );
    // One part, as an export is.
    "token_budget: 256,".clone_into(&mut job.batches);
    job.run();
    check_good(&runner(&job, &["export", "out.parquet", "a.arrow"]));
    check_good(&runner(&job, &["export", "a.arrow", "b.parquet"]));
    let content = |name: &str| {
        let script = format!("{:?}", job.path(name));
        let bytes = fs::read(job.path(name)).unwrap();
        let key = b"runner.content_blake3";
        let mut windows = bytes.windows(key.len());
        let at = windows.position(|window| window == key).expect(&script) + key.len();
        String::from_utf8_lossy(&bytes[at..at + 70]).into_owned()
    };
    // All pages are the same, down to the last bit.
    assert_eq!(content("b.parquet"), content("out.parquet"));
}

#[test]
fn files_of_others_beside_an_array_stay_when_it_is_replaced() {
    let mut job = done("out.npy", "residues: true, overwrite: true,");
    assert!(job.path("out.offsets.npy").exists());
    fs::write(job.path("out.offsets.npy"), "mine").unwrap();
    "pooling: \"mean\", overwrite: true,".clone_into(&mut job.options);
    job.run();
    check_good(&runner(&job, &["verify", "out.npy"]));
    assert_eq!(fs::read(job.path("out.offsets.npy")).unwrap(), b"mine");
    // What was written goes.
    fs::remove_file(job.path("out.offsets.npy")).unwrap();
    "residues: true, overwrite: true,".clone_into(&mut job.options);
    job.run();
    "pooling: \"mean\", overwrite: true,".clone_into(&mut job.options);
    job.run();
    assert!(!job.path("out.offsets.npy").exists());
}

#[test]
fn an_output_is_not_replaced_by_what_lies_beside_another_one() {
    let job = done("out.npy", "residues: true, output_dtype: \"f32\",");
    check_good(&exec(
        &job,
        "exec",
        r#"embed(m, d, #{ output: "x.offsets.npy" });"#,
    ));
    let array = fs::read(job.path("x.offsets.npy")).unwrap();
    let script = r#"embed(m, d, #{ output: "x.npy", residues: true, overwrite: true });"#;
    let refused = exec(&job, "exec", script);
    check_refused(&refused, &["`x.offsets.npy`"]);
    assert_eq!(fs::read(job.path("x.offsets.npy")).unwrap(), array);
    check_good(&runner(&job, &["verify", "x.offsets.npy"]));
}

#[test]
fn what_lies_beside_the_end_of_a_link_is_not_of_the_old_array() {
    let mut job = done("real.npy", "residues: true,");
    fs::create_dir(job.path("links")).unwrap();
    symlink("../real.npy", job.path("links/l.npy")).unwrap();
    "links/l.npy".clone_into(&mut job.output);
    "pooling: \"mean\", overwrite: true,".clone_into(&mut job.options);
    job.run();
    check_good(&runner(&job, &["verify", "links/l.npy"]));
    let found = Embeddings::read(&job.path("links/l.npy")).unwrap();
    assert!(!found.is_empty());
    for name in ["real.ids.txt", "real.offsets.npy", "real.npy.json"] {
        assert!(!job.path(name).exists(), "{name}");
    }
}

#[test]
fn outputs_without_rows_are_read_alike() {
    for ending in ["parquet", "arrow", "h5", "npy", "safetensors", "embed"] {
        for (options, expect) in [
            ("sequences: true,", None),
            (
                "sequences: true, residues: true,",
                Some("vectors of residues"),
            ),
        ] {
            let mut job = job(&format!("o.{ending}"), options);
            "fasta(\"in.fa\").take(40).min_length(9000).long_sequences(\"truncate\", 126)"
                .clone_into(&mut job.dataset);
            job.run().check_code(REJECTED);
            let found = Embeddings::read(&job.output_path());
            match (found, expect) {
                (Ok(found), None) => assert_eq!(found.len(), 0, "{ending}"),
                (Err(error), Some(expect)) => assert!(error.message.contains(expect), "{error}"),
                (found, _) => panic!("{ending} {options}: {found:?}"),
            }
        }
    }
}
