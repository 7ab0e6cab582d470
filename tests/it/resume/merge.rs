//! An output that several processes make, each a shard of it, and that is merged then.

use super::{
    content::{Content, files_in},
    damage::damage,
    inputs::touch,
    job::{FAST, Job, REJECTED, SLOW, proteins},
    running::{Done, read},
};
use crate::RUNNER;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

pub const N_SHARDS: usize = 4;

/// From now on the job makes this shard.
pub fn as_shard(job: &mut Job, index: usize, count: usize) {
    job.wrapper = vec![format!("RUNNER_SHARD={index}/{count}")];
}

/// Runs all shards at the same time.
pub fn run_shards(job: &mut Job, count: usize) -> Vec<Done> {
    let running: Vec<_> = (0..count)
        .map(|index| {
            as_shard(job, index, count);
            job.start_as(&format!("shard-{index}"), FAST)
        })
        .collect();
    job.wrapper.clear();
    let ended: Vec<_> = running.into_iter().map(|running| running.done()).collect();
    for done in &ended {
        let is_good = [Some(0), Some(REJECTED)].contains(&done.code);
        assert!(is_good, "{}{}", done.stdout, done.stderr);
    }
    assert!(!job.is_published());
    ended
}

fn merge_command(job: &Job, more: &[&str]) -> Command {
    let mut command = Command::new(RUNNER);
    command
        .arg("merge")
        .arg(job.output_path())
        .args(more)
        .current_dir(job.path(""))
        .stdin(Stdio::null());
    command
}

pub fn merge(job: &Job, more: &[&str]) -> Done {
    let Output {
        status,
        stdout,
        stderr,
    } = merge_command(job, more).output().unwrap();
    Done {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// A job of each kind of output, whose shards are finished.
pub fn in_shards(check: impl Fn(Job)) {
    Job::of_both_kinds(|mut job| {
        run_shards(&mut job, N_SHARDS);
        check(job);
    });
}

#[test]
fn merged_shards_are_the_output_of_one_process() {
    Job::of_both_kinds(|mut job| {
        let ended = run_shards(&mut job, N_SHARDS);
        let computed: usize = ended.iter().map(|done| done.figure("computed")).sum();
        // Each has some of the work.
        assert!(ended.iter().all(|done| done.figure("computed") > 50));
        let status = job.status();
        assert_eq!(status["state"], "unmerged", "{status}");
        assert_eq!(status["rows"], computed);
        assert_eq!(status["shards"].as_array().unwrap().len(), N_SHARDS);
        let said = merge(&job, &["--json"]).check_code(REJECTED);
        let said: Value = serde_json::from_str(said.stdout.trim()).unwrap();
        assert_eq!(
            (&said["rows"], &said["shards"]),
            (&computed.into(), &4.into())
        );
        let content = job.check_whole();
        assert_eq!(content.rows.len(), computed);
        assert_eq!(job.status_of_finished()["rows"], computed);
        // Merged again, and run again, in shards and as a whole.
        let before = job.snapshot();
        let again = merge(&job, &[]).check_code(REJECTED);
        assert!(again.stdout.contains("merged already"), "{}", again.stdout);
        job.is_told = true;
        for wrapper in [vec!["RUNNER_SHARD=2/4".to_owned()], vec![]] {
            job.wrapper = wrapper;
            let done = job.run().check_code(REJECTED);
            let figures = (done.figure("resumed"), done.figure("computed"));
            assert_eq!(figures, (computed, 0));
            assert!(!done.stderr.contains("reader_started"));
            assert!(job.snapshot() == before);
        }
    });
}

#[test]
fn a_merged_output_is_compared_with_inputs_in_another_state() {
    in_shards(|mut job| {
        merge(&job, &[]).check_code(REJECTED);
        let before = job.snapshot();
        touch(&job.path("in.fa"));
        job.is_told = true;
        let done = job.run().check_code(REJECTED);
        assert_eq!(done.figure("computed"), 0);
        assert!(done.stderr.contains("reader_started"));
        as_shard(&mut job, 1, N_SHARDS);
        job.run()
            .check_refused(1, &["a shard cannot tell", "--shard 0/1"]);
        job.wrapper.clear();
        let text = read(&job.path("in.fa"));
        let other = text.replacen("p300", "q300", 1);
        let less = text.trim_end().rsplit_once('>').unwrap().0.to_owned();
        let more = format!("{text}>new one\nMKVLAAGICEMKVLAAGICE\n");
        for (text, message) in [
            (&other, "the input has changed since the output was begun"),
            (&less, "the input ends after record 599"),
            (&more, "the input goes on with record 601 (`new`)"),
        ] {
            fs::write(job.path("in.fa"), text).unwrap();
            job.run().check_refused(1, &[message]);
            assert!(job.snapshot() == before);
        }
    });
}

#[test]
fn parts_of_a_merged_folder_that_are_gone_are_computed_again() {
    for is_touched in [false, true] {
        let mut job = Job::new();
        "out/".clone_into(&mut job.output);
        run_shards(&mut job, N_SHARDS);
        merge(&job, &[]).check_code(REJECTED);
        let content = Content::of(&job.output_path());
        let commits = job.commits();
        let is_seam = |n: &usize| commits[*n]["before"] == commits[0]["before"];
        let seams: Vec<usize> = (1..commits.len()).filter(is_seam).collect();
        assert_eq!(seams.len(), N_SHARDS - 1);
        // Some within a shard, the last of one, the first of another, both sides of a seam.
        let mut n_lost = 0;
        let lost = [2, seams[0] - 1, seams[1], seams[2] - 1, seams[2]];
        for n in BTreeSet::from(lost) {
            fs::remove_file(job.part(&commits[n])).unwrap();
            n_lost += commits[n]["rows"].as_u64().unwrap() as usize;
        }
        if is_touched {
            touch(&job.path("in.fa"));
        }
        job.check_goes_on(content.rows.len() - n_lost);
        Content::of(&job.output_path()).check_is(&content);
        if is_touched {
            continue;
        }
        // And one that is damaged, which shows when another is gone.
        damage(&job.part(&commits[seams[0]]));
        fs::remove_file(job.part(&commits[1])).unwrap();
        job.run().check_code(REJECTED);
        job.check_whole();
    }
}

#[test]
fn shards_without_records_or_without_rows_are_merged() {
    let short = |n: usize| -> String { (0..n).map(|n| format!(">s{n}\nMKV\n")).collect() };
    for (text, n_shards) in [(proteins(5), 9), (short(6), 3), (String::new(), 2)] {
        for output in ["out.parquet", "out/"] {
            let mut job = Job::on(&text);
            output.clone_into(&mut job.output);
            run_shards(&mut job, n_shards);
            let done = merge(&job, &[]);
            let content = job.check_whole();
            let code = if content.n_rejected() > 0 {
                REJECTED
            } else {
                0
            };
            done.check_code(code);
            job.check_goes_on(content.rows.len());
        }
    }
}

#[test]
fn a_shard_that_is_killed_goes_on_where_it_was() {
    Job::of_both_kinds(|mut job| {
        for index in [0, 1, 3] {
            as_shard(&mut job, index, N_SHARDS);
            job.run().check_code(REJECTED);
        }
        as_shard(&mut job, 2, N_SHARDS);
        let mut running = job.start(SLOW);
        let shard = |job: &Job| job.status()["shards"][2].clone();
        running.wait_until(|| shard(&job)["rows"].as_u64().unwrap() > 20);
        assert_eq!(shard(&job)["state"], "being_made");
        let message = "shard 2/4 is being made by process";
        merge(&job, &[]).check_refused(1, &[message]);
        running.killed();
        let n_rows = shard(&job)["rows"].as_u64().unwrap() as usize;
        assert_eq!(shard(&job)["state"], "stopped");
        let message = "shard 2/4 is not finished";
        merge(&job, &[]).check_refused(1, &[message, "--shard 2/4"]);
        let done = job.run().check_code(REJECTED);
        assert_eq!(done.figure("resumed"), n_rows);
        job.wrapper.clear();
        merge(&job, &[]).check_code(REJECTED);
        job.check_whole();
    });
}

#[test]
fn shards_and_others_do_not_get_in_each_others_way() {
    in_shards(|mut job| {
        let before = job.snapshot();
        // As a whole.
        job.run()
            .check_refused(1, &["is made in shards", "runner merge"]);
        as_shard(&mut job, 1, 3);
        let message = "parts of different divisions";
        job.run()
            .check_refused(1, &[message, "go on with 4 shards"]);
        // With other inputs each shard would have other records.
        let text = read(&job.path("in.fa"));
        fs::write(job.path("in.fa"), format!("{text}>new\nMKVLAAGICEM\n")).unwrap();
        as_shard(&mut job, 1, N_SHARDS);
        job.run()
            .check_refused(1, &["the inputs are not those with which shard"]);
        fs::write(job.path("in.fa"), text).unwrap();
        // Another output.
        "pooling: \"max\",".clone_into(&mut job.options);
        job.run()
            .check_refused(1, &["pooling: it has mean", "`overwrite: true`"]);
        assert!(job.snapshot() == before);
        "pooling: \"max\", overwrite: true,".clone_into(&mut job.options);
        job.run().check_code(REJECTED);
        let message = "are of different outputs: pooling is mean and max";
        merge(&job, &[]).check_refused(1, &[message]);
        job.options.clear();
        "overwrite: true,".clone_into(&mut job.options);
        job.run().check_code(REJECTED);
        job.wrapper.clear();
        merge(&job, &[]).check_code(REJECTED);
        job.check_whole();
        as_shard(&mut job, 1, N_SHARDS);
        job.run()
            .check_refused(1, &["a shard of it replaces nothing"]);
    });
    // Shards of what was begun as a whole.
    Job::of_both_kinds(|mut job| {
        job.interrupt();
        let before = job.snapshot();
        as_shard(&mut job, 1, N_SHARDS);
        job.run().check_refused(1, &["was begun as a whole"]);
        assert!(job.snapshot() == before);
        job.wrapper.clear();
        merge(&job, &[]).check_refused(1, &["not made in shards"]);
    });
}

#[test]
fn a_merge_that_is_killed_is_done_again() {
    for n_try in 0..6 {
        in_shards(|job| {
            let mut child = merge_command(&job, &["-q"]).spawn().unwrap();
            thread::sleep(Duration::from_millis(4 * n_try));
            let _ = child.kill();
            child.wait().unwrap();
            merge(&job, &[]).check_code(REJECTED);
            job.check_whole();
        });
    }
}

#[test]
fn one_file_is_made_of_a_folder() {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    run_shards(&mut job, N_SHARDS);
    let before = job.snapshot();
    merge(&job, &["one.parquet"]).check_code(REJECTED);
    assert!(job.snapshot() == before);
    merge(&job, &[]).check_code(REJECTED);
    let before = job.snapshot();
    let content = Content::of(&job.output_path());
    Content::of(&job.path("one.parquet")).check_is(&content);
    merge(&job, &["other.parquet"]).check_code(REJECTED);
    Content::of(&job.path("other.parquet")).check_is(&content);
    assert!(job.snapshot() == before);
    // One that a single process made. What it is made of may be replaced by it.
    let mut whole = Job::new();
    "out/".clone_into(&mut whole.output);
    whole.check_ends_well();
    fs::write(whole.path("one.parquet"), "somebody's").unwrap();
    merge(&whole, &["one.parquet"]).check_refused(1, &["exists", "--overwrite"]);
    merge(&whole, &["one.parquet", "--overwrite"]).check_code(REJECTED);
    Content::of(&whole.path("one.parquet")).check_is(&content);
    // It is the file that the script would have made.
    "one.parquet".clone_into(&mut whole.output);
    let done = whole.run().check_code(REJECTED);
    assert_eq!(done.figure("computed"), 0);
    assert_eq!(files_in(&whole.path("")).len(), 6);
}

#[test]
fn inputs_that_are_read_from_their_beginning_are_shared_too() {
    for output in ["out.parquet", "out/"] {
        let mut job = Job::new();
        output.clone_into(&mut job.output);
        let zipped = Command::new("gzip").arg(job.path("in.fa")).status();
        assert!(zipped.unwrap().success());
        job.dataset = job.dataset.replace("in.fa", "in.fa.gz");
        run_shards(&mut job, N_SHARDS);
        merge(&job, &[]).check_code(REJECTED);
        let content = job.check_whole();
        job.check_goes_on(content.rows.len());
        if job.is_folder() {
            let commits = job.commits();
            let lost = &commits[commits.len() / 2];
            fs::remove_file(job.part(lost)).unwrap();
            let n_lost = lost["rows"].as_u64().unwrap() as usize;
            job.check_goes_on(content.rows.len() - n_lost);
        }
    }
}

#[test]
fn a_merge_is_rehearsed() {
    let job = Job::new();
    let script = "let model = esm2(args[0], #{ device: \"mock\" });
        embed(model, fasta(\"in.fa\"), #{ output: \"out/\" });
        let merged = merge(\"out/\", args[1]);
        print(embeddings(merged.output).len / merged.rows);";
    fs::write(job.path("job.rhai"), script).unwrap();
    let check = |file: &str| {
        let mut command = Command::new(RUNNER);
        command
            .args(["check", "job.rhai", "--", &job.model, file])
            .current_dir(job.path(""));
        let said = command.output().unwrap();
        (said.status.code(), String::from_utf8(said.stderr).unwrap())
    };
    let (code, said) = check("one.parquet");
    assert_eq!(code, Some(0), "{said}");
    assert!(job.names().is_empty());
    for (file, message) in [
        ("out/one.parquet", "holds nothing else"),
        ("in.fa", "ends like an input"),
        ("one/", "names a folder"),
    ] {
        let (code, said) = check(file);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn scripts_merge_what_is_there() {
    in_shards(|mut job| {
        let output = job.output.clone();
        let script = format!(
            "let merged = merge(\"{output}\");
            print(`rows ${{merged.rows}} shards ${{merged.shards}} old ${{merged.was_merged}}`);
            print(embeddings(merged.output).len);"
        );
        let done = job.start_script("merging", &script).done();
        let done = done.check_code(REJECTED);
        let n_rows = job.check_whole().rows.len();
        assert_eq!((done.figure("rows"), done.figure("shards")), (n_rows, 4));
        assert!(done.stdout.contains("old false"), "{}", done.stdout);
        job.start_script("merging", &script).done().check_code(0);
        let script = format!("merge(\"{output}\", #{{ flie: \"a.parquet\" }});");
        let done = job.start_script("merging", &script).done();
        done.check_refused(3, &["unknown option `flie`", "`file`"]);
        job.output.clear();
    });
}

#[test]
fn a_shard_begins_only_where_no_files_of_others_lie() {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    fs::create_dir(job.path("out")).unwrap();
    let name = "part-000000000000.parquet";
    fs::write(job.path("out").join(name), "somebody's").unwrap();
    let before = job.snapshot();
    as_shard(&mut job, 1, N_SHARDS);
    job.run().check_refused(1, &[name, "is in the way"]);
    assert!(job.snapshot() == before);
    fs::remove_file(job.path("out").join(name)).unwrap();
    run_shards(&mut job, N_SHARDS);
    // What a merge that was ended has left is none.
    let part = "out.ledger/shard-00000-of-00004/part-000000000000.parquet";
    fs::create_dir_all(job.path("out")).unwrap();
    fs::hard_link(job.path(part), job.path("out").join(name)).unwrap();
    as_shard(&mut job, 1, N_SHARDS);
    job.run().check_code(REJECTED);
    job.wrapper.clear();
    merge(&job, &[]).check_code(REJECTED);
    let content = job.check_whole();
    // A link to a part, and a merged folder without one.
    std::os::unix::fs::symlink(format!("out/{name}"), job.path("link.parquet")).unwrap();
    let into = ["link.parquet", "--overwrite"];
    merge(&job, &into).check_refused(1, &["would lie in"]);
    job.check_whole();
    let commits = job.commits();
    fs::remove_file(job.part(&commits[1])).unwrap();
    let expected = ["is missing or cut", "--shard 0/1"];
    merge(&job, &[]).check_refused(1, &expected);
    as_shard(&mut job, 1, N_SHARDS);
    job.run().check_refused(1, &expected);
    job.wrapper.clear();
    let n_lost = commits[1]["rows"].as_u64().unwrap() as usize;
    job.check_goes_on(content.rows.len() - n_lost);
}
