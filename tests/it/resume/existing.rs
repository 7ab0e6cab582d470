//! What stands where an output is to be: one that is finished, one that was begun, something else.

use super::{
    content::Content,
    damage::damage,
    inputs::touch,
    job::{Job, REJECTED, SLOW, names_in},
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// What tells a file from one that was written again.
fn state(job: &Job) -> Vec<(u64, i64, i64)> {
    let files = job.snapshot();
    let state = |path: &Path| {
        let found = path.metadata().unwrap();
        (found.ino(), found.mtime(), found.mtime_nsec())
    };
    files.iter().map(|(path, _)| state(path)).collect()
}

fn n_rows(job: &Job) -> usize {
    Content::of(&job.output_path()).rows.len()
}

#[test]
fn a_finished_output_is_not_touched() {
    Job::of_both_kinds(|mut job| {
        job.check_ends_well();
        let before = state(&job);
        job.is_told = true;
        for is_touched in [false, true] {
            if is_touched {
                // It is compared, and not computed.
                touch(&job.path("in.fa"));
            }
            let done = job.run().check_code(REJECTED);
            let figures = (done.figure("resumed"), done.figure("computed"));
            assert_eq!(figures, (n_rows(&job), 0));
            assert_eq!(done.stderr.contains("reader_started"), is_touched);
            assert_eq!(state(&job), before);
        }
        job.check_whole();
    });
}

#[test]
fn a_finished_output_of_another_input_stays() {
    Job::of_both_kinds(|mut job| {
        job.check_ends_well();
        let before = job.snapshot();
        let text = super::running::read(&job.path("in.fa"));
        let more = format!("{text}>new one\nMKVLAAGICEMKVLAAGICE\n");
        let less = text.trim_end().rsplit_once('>').unwrap().0.to_owned();
        let other = text.replacen("p0", "q0", 1);
        for (text, message) in [
            (&more, "the input goes on with record 601 (`new`)"),
            (&less, "the input ends after record 599"),
            (&other, "the input has changed since the output was begun"),
        ] {
            fs::write(job.path("in.fa"), text).unwrap();
            job.run().check_refused(1, &[message, "`overwrite: true`"]);
            assert!(job.snapshot() == before);
        }
        "overwrite: true,".clone_into(&mut job.options);
        job.check_goes_on(0);
    });
}

#[test]
fn what_the_script_says_about_what_is_there() {
    Job::of_both_kinds(|mut job| {
        // Nothing is there.
        for options in [
            "resume: false,",
            "overwrite: true,",
            "resume: false, overwrite: true,",
        ] {
            options.clone_into(&mut job.options);
            job.check_goes_on(0);
            // It is finished.
            let before = state(&job);
            if options == "resume: false," {
                job.run().check_refused(3, &["exists", "`overwrite: true`"]);
                assert_eq!(state(&job), before);
            } else {
                job.check_goes_on(0);
            }
            job.options.clear();
            job.remove();
            // It was begun.
            let n_committed = job.interrupt();
            options.clone_into(&mut job.options);
            let before = job.snapshot();
            match options {
                "resume: false," => {
                    // What stands where the script says is seen before anything is done.
                    let code = if job.is_folder() { 3 } else { 1 };
                    job.run()
                        .check_refused(code, &["exists", "`overwrite: true`"]);
                    assert!(job.snapshot() == before);
                }
                "overwrite: true," => job.check_goes_on(n_committed),
                _ => job.check_goes_on(0),
            }
            job.remove();
        }
    });
}

#[test]
fn an_output_that_is_replaced_stays_until_the_other_is_there() {
    let mut job = Job::new();
    job.check_ends_well();
    let before = Content::of(&job.output_path());
    fs::set_permissions(job.output_path(), Permissions::from_mode(0o600)).unwrap();
    "overwrite: true, pooling: \"max\",".clone_into(&mut job.options);
    let mut n_rows = 0;
    for _ in 0..2 {
        let mut running = job.start(SLOW);
        running.wait_until(|| job.n_committed() > n_rows + 50);
        running.killed();
        Content::of(&job.output_path()).check_is(&before);
        n_rows = job.n_committed();
    }
    // Nobody may read the new rows meanwhile who could not read the old ones.
    for commit in job.commits() {
        let mode = job.part(&commit).metadata().unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let done = job.run().check_code(REJECTED);
    assert_eq!(done.figure("resumed"), n_rows);
    job.check_whole();
    assert!(Content::of(&job.output_path()) != before);
}

#[test]
fn a_job_that_has_only_to_publish_computes_nothing() {
    let mut job = Job::new();
    // Something comes in the way while it works: all is committed, and nothing published.
    let mut running = job.start(SLOW * 4);
    running.wait_until(|| !job.commits().is_empty());
    fs::write(job.output_path(), "somebody's").unwrap();
    running
        .done()
        .check_refused(1, &["exists", "`overwrite: true`"]);
    assert_eq!(fs::read_to_string(job.output_path()).unwrap(), "somebody's");
    job.run().check_refused(3, &["exists", "`overwrite: true`"]);
    fs::remove_file(job.output_path()).unwrap();
    let kept = job.path("kept");
    copy(&job.bookkeeping(), &kept);
    let n_committed = job.n_committed();
    job.check_goes_on(n_committed);
    // It was killed when it had published, and before it had cleaned up.
    let before = fs::metadata(job.output_path()).unwrap().ino();
    copy(&kept, &job.bookkeeping());
    let done = job.check_ends_well();
    assert_eq!(done.figure("computed"), 0);
    assert_eq!(fs::metadata(job.output_path()).unwrap().ino(), before);
    // While it cleaned up: the ledger goes last, and then the lock.
    for is_left in [
        |name: &str| name > "part-000000000300" || name == "ledger.jsonl",
        |_: &str| false,
    ] {
        copy(&kept, &job.bookkeeping());
        for name in names_in(&job.bookkeeping()) {
            if !is_left(&name) {
                fs::remove_file(job.bookkeeping().join(name)).unwrap();
            }
        }
        let done = job.check_ends_well();
        assert_eq!(done.figure("computed"), 0);
    }
    // When it had published the list of what it rejected, and not the output.
    copy(&kept, &job.bookkeeping());
    fs::remove_file(job.output_path()).unwrap();
    job.check_goes_on(n_committed);
    // A part was damaged meanwhile.
    copy(&kept, &job.bookkeeping());
    fs::remove_file(job.output_path()).unwrap();
    let commits = job.commits();
    damage(&job.part(&commits[1]));
    touch(&job.path("in.fa"));
    let done = job.check_ends_well();
    assert_eq!(
        Some(done.figure("computed") as u64),
        commits[1]["rows"].as_u64()
    );
    // And so with an output that it replaces.
    copy(&kept, &job.bookkeeping());
    fs::write(job.output_path(), "somebody's").unwrap();
    "overwrite: true,".clone_into(&mut job.options);
    job.check_goes_on(n_committed);
}

#[test]
fn a_folder_that_has_only_to_be_published() {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    job.interrupt();
    job.check_ends_well();
    let n_rows = n_rows(&job);
    fs::remove_file(job.bookkeeping().join("manifest.json")).unwrap();
    job.check_goes_on(n_rows);
    fs::remove_file(job.path("out.rejects.tsv")).unwrap();
    fs::remove_file(job.bookkeeping().join("manifest.json")).unwrap();
    job.check_goes_on(n_rows);
}

#[test]
fn what_a_killed_job_left_half_written_goes_away() {
    Job::of_both_kinds(|job| {
        let n_rows = job.interrupt();
        let part = job.part(&job.commits()[0]);
        let (parts, bookkeeping, around) =
            (part.parent().unwrap(), job.bookkeeping(), job.path(""));
        let leave = |folders: &[&Path]| {
            for folder in folders {
                fs::write(folder.join(".runner-abc.partial"), "half").unwrap();
            }
        };
        // The owner before was on another machine, whose locks nobody sees here.
        for folder in [parts, &bookkeeping] {
            fs::write(folder.join(".runner-elsewhere-1-abc.partial"), "half").unwrap();
        }
        // As a process leaves them that is killed while it writes a part, a list, the output.
        leave(&[parts, &bookkeeping, &around]);
        // The owner before was on another machine, whose locks nobody sees here.
        for folder in [parts, &bookkeeping] {
            fs::write(folder.join(".runner-elsewhere-1-abc.partial"), "half").unwrap();
        }
        job.check_goes_on(n_rows);
        if job.is_folder() {
            // When all was written but the manifest.
            leave(&[parts, &bookkeeping]);
            fs::remove_file(job.bookkeeping().join("manifest.json")).unwrap();
            job.check_ends_well();
        }
    });
}

#[test]
fn files_of_others_are_in_the_way_and_stay() {
    for options in ["", "overwrite: true,", "overwrite: true, resume: false,"] {
        Job::of_both_kinds(|mut job| {
            options.clone_into(&mut job.options);
            let n_rows = {
                let options = std::mem::take(&mut job.options);
                let n_rows = job.interrupt();
                job.options = options;
                n_rows
            };
            let mut foreign = vec![job.bookkeeping().join("notes.txt")];
            if job.is_folder() {
                foreign.push(job.output_path().join("other.parquet"));
                foreign.push(job.output_path().join(".hidden"));
            }
            for path in foreign {
                fs::write(&path, "somebody's").unwrap();
                let before = job.snapshot();
                let name = path.file_name().unwrap().to_str().unwrap();
                job.run().check_refused(1, &[name, "is in the way"]);
                assert!(job.snapshot() == before);
                fs::remove_file(path).unwrap();
            }
            let is_anew = options.contains("resume: false");
            job.check_goes_on(if is_anew { 0 } else { n_rows });
        });
    }
}

#[test]
fn outputs_of_others_are_in_the_way_and_stay() {
    for (output, name, is_replaced) in [
        ("out.parquet", "out.parquet", true),
        ("out.parquet", "out.parquet.rejects.tsv", true),
        (
            "out.parquet",
            "out.parquet.parts/part-000000000000.parquet",
            false,
        ),
        ("out.parquet", "out.parquet.parts/theirs.txt", false),
        ("out.parquet", "out.parquet/a", false),
        ("out.parquet", "out.parquet.parts", false),
        ("out/", "out.rejects.tsv", true),
        ("out/", "out/part-000000000000.parquet", false),
        ("out/", "out/data.parquet", false),
        ("out/", "out.ledger/theirs.txt", false),
        ("out/", "out", false),
        ("out/", "out.ledger", false),
    ] {
        let mut job = Job::new();
        output.clone_into(&mut job.output);
        let path = job.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "somebody's").unwrap();
        for options in ["", "overwrite: true,"] {
            options.clone_into(&mut job.options);
            if is_replaced && !options.is_empty() {
                job.check_goes_on(0);
                continue;
            }
            let done = job.run();
            assert!(
                [Some(1), Some(3)].contains(&done.code),
                "{name}: {}",
                done.stderr
            );
            assert_eq!(
                fs::read(&path).unwrap(),
                b"somebody's",
                "{name}, {options}: {}",
                done.stderr
            );
        }
    }
}

/// Copies the files of a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names_in(from) {
        if name != "lock" {
            fs::copy(from.join(&name), to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_finished_folder_whose_ledger_is_damaged_stays() {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    job.check_ends_well();
    let ledger = fs::read(job.ledger()).unwrap();
    for left in [&[][..], &ledger[..100]] {
        fs::write(job.ledger(), left).unwrap();
        let before = job.snapshot();
        job.run()
            .check_refused(1, &["is empty or damaged", "`overwrite: true`"]);
        assert!(job.snapshot() == before);
    }
    fs::write(job.ledger(), &ledger).unwrap();
    job.check_ends_well();
}

#[test]
fn nothing_else_is_written_into_a_folder_of_parts() {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    job.check_ends_well();
    let before = job.snapshot();
    "out/other.parquet".clone_into(&mut job.output);
    job.run()
        .check_refused(1, &["`out/other.parquet` would lie in"]);
    assert!(job.snapshot() == before);
}

#[test]
fn two_names_of_a_folder_have_one_owner() {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    fs::create_dir(job.path("out")).unwrap();
    std::os::unix::fs::symlink("out", job.path("other")).unwrap();
    let mut running = job.start(SLOW);
    running.wait_until(|| job.ledger().exists());
    "other/".clone_into(&mut job.output);
    job.run().check_refused(1, &["is being written by process"]);
    running.done().check_code(REJECTED);
    let done = job.run().check_code(REJECTED);
    assert_eq!(done.figure("computed"), 0);
}
