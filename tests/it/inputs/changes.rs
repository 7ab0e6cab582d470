//! Files that change while they are read. The readers here are the real program behind a shell, which
//! changes the file at the wanted moment.

use super::{
    compression::COMPRESSORS,
    job::{INPUT, Job},
};
use std::{fs, os::unix::fs::symlink};

/// Enough that a reader is in the middle of it when it has sent 300,000 bytes, with all pipes full.
fn text(name: &str) -> Vec<u8> {
    let record = |index| format!(">{name}{index}\n{}\n", "MKTAYIAKQR".repeat(40));
    (0..10_000).map(record).collect::<String>().into_bytes()
}

const BEFORE_IT_IS_OPENED: &str = "CHANGE; exec \"$REAL\" \"$@\"";
const WHILE_IT_IS_READ: &str = "\"$REAL\" \"$@\" | { stdbuf -o0 head -c 300000; CHANGE; cat; }";

/// Shell commands, and what is said of each.
const CHANGES: [(&str, &str); 6] = [
    ("mv new.fa in.fa", "another file has its name"),
    ("rm in.fa", "cannot be found"),
    (
        "dd if=new.fa of=in.fa bs=8M conv=notrunc 2>/dev/null",
        "written to",
    ),
    ("cat new.fa >> in.fa", "it had"),
    ("truncate -s 1000 in.fa", "now 1000"),
    ("touch in.fa", "touched"),
];

fn check(old: &[u8], new: &[u8], when: &str, change: &str, part: &str, take: &str) {
    let job = Job::new(&[("in.fa", old), ("new.fa", new)])
        .dataset(&format!("fasta(\"in.fa\"){take}"))
        .reader(&when.replace("CHANGE", change));
    let done = job.run();
    let what = format!("{change}: {}", done.stderr);
    assert_eq!((done.exit_code, &*done.rows), (INPUT, ""), "{what}");
    done.check_message(&["`in.fa`: changed while it was read", part, "run again"]);
    let left = fs::read_dir(job.folder.path()).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name == "out.parquet"), "{names:?}");
}

#[test]
fn every_change_of_a_plain_file() {
    let (old, new) = (text("old"), text("new"));
    for (change, part) in CHANGES {
        for when in [BEFORE_IT_IS_OPENED, WHILE_IT_IS_READ] {
            check(&old, &new, when, change, part, "");
        }
    }
}

#[test]
fn files_of_every_compression() {
    for compress in COMPRESSORS {
        let (old, new) = (compress(&text("old")), compress(&text("new")));
        for (change, part) in [CHANGES[0], CHANGES[4]] {
            for when in [BEFORE_IT_IS_OPENED, WHILE_IT_IS_READ] {
                check(&old, &new, when, change, part, "");
            }
        }
    }
}

#[test]
fn a_file_of_which_only_the_beginning_is_taken() {
    // These records are more than those that were sent before the change.
    let (old, new) = (text("old"), text("new"));
    let (change, part) = CHANGES[0];
    check(&old, &new, WHILE_IT_IS_READ, change, part, ".take(2000)");
}

#[test]
fn a_link_that_leads_elsewhere() {
    for when in [BEFORE_IT_IS_OPENED, WHILE_IT_IS_READ] {
        let job = Job::new(&[("old.fa", &text("old")), ("new.fa", &text("new"))])
            .reader(&when.replace("CHANGE", "ln -sfn new.fa in.fa"));
        symlink("old.fa", job.folder.path().join("in.fa")).unwrap();
        job.check_stop(&["`in.fa`: changed while it was read", "another file"]);
    }
}

#[test]
fn a_later_file_of_several() {
    let (a, old, new) = (text("a"), text("old"), text("new"));
    Job::new(&[("a.fa", &a), ("in.fa", &old), ("new.fa", &new)])
        .dataset("fasta([\"a.fa\", \"in.fa\"])")
        .reader(&WHILE_IT_IS_READ.replace("CHANGE", "mv new.fa in.fa"))
        .check_stop(&["`in.fa`: changed while it was read"]);
}

#[test]
fn a_file_that_is_only_read_is_no_changed_file() {
    let job = Job::new(&[("in.fa", b">a\nMKT\n")])
        .reader(&BEFORE_IT_IS_OPENED.replace("CHANGE", "cat in.fa >/dev/null; ln in.fa other.fa"));
    job.check("a:3");
}

#[test]
fn a_pipe_in_the_place_of_a_file() {
    Job::new(&[("in.fa", &text("old"))])
        .reader(&BEFORE_IT_IS_OPENED.replace("CHANGE", "rm in.fa; mkfifo in.fa"))
        .check_stop(&["`in.fa`: changed while it was read"]);
}
