//! What a strange file may cost.

use super::{
    compression::gzip,
    job::{INPUT, Job},
};

/// A reader that has no more than 300 MB of address space.
const SMALL_READER: &str = "ulimit -v 300000; exec \"$REAL\" \"$@\"";

/// gzip of `head` and then 600 MB of one byte.
fn long(head: &[u8], byte: u8) -> Vec<u8> {
    let piece = gzip(&vec![byte; 10_000_000]);
    [gzip(head), piece.repeat(60)].concat()
}

#[test]
fn lines_that_never_end() {
    for (head, byte, parts) in [
        (
            &b">"[..],
            b'A',
            "a definition line has more than 1048576 bytes",
        ),
        (b">", b' ', "a definition line has more than 1048576 bytes"),
        (
            b"> ",
            b'\t',
            "a definition line has more than 1048576 bytes",
        ),
        (
            b">a\nM\n>",
            b'>',
            "after record 1 (`a`): a definition line has more",
        ),
        (b"", b'>', "a definition line has more than 1048576 bytes"),
        (b"", b'\0', "binary"),
        (b"", b'A', "other text"),
        (b">a\nM\n", b'\0', "NUL"),
    ] {
        let job = Job::new(&[("in.fa", &long(head, byte))]).reader(SMALL_READER);
        let done = job.run();
        assert_eq!(
            (done.exit_code, &*done.rows),
            (INPUT, ""),
            "{}",
            done.stderr
        );
        done.check_message(&["`in.fa`", parts]);
    }
}

#[test]
fn sequence_lines_of_any_length() {
    let letters = long(b">a\nMKT", b'A');
    let returns = [long(b">a\nMKT", b'\r'), gzip(b"\n")].concat();
    for (content, rows) in [(letters, "a:600000003+"), (returns, "a:3")] {
        Job::new(&[("in.fa", &content)])
            .reader(SMALL_READER)
            .check(rows);
    }
}

#[test]
fn long_names_are_short_in_messages() {
    let content = [&b">"[..], &b"n".repeat(900_000), b"\nMK1\n"].concat();
    let done = Job::new(&[("in.fa", &content)])
        .dataset("fasta(\"in.fa\").unknown_residues(\"error\")")
        .run();
    assert_eq!(done.exit_code, INPUT);
    assert!(done.stderr.len() < 2000, "{} bytes", done.stderr.len());
    done.check_message(&["the character `1` behind 2 residues"]);
}
