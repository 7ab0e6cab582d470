//! The input table of the README, row by row, through the real program: a file goes in, and either
//! the Parquet file holds its records or the program ends with exit code 4 and a message.
//!
//! Here is what every file has to do with: its form, its names, its lengths. Beside it:
//! - `sources`: how inputs are named and found
//! - `compression`: what is compressed, cut short, padded
//! - `changes`: files that change while they are read
//! - `oddities`: text that is FASTA by its form only
//! - `memory`: what a strange file may cost
//! - `job`: the job that all of them run

mod changes;
pub mod compression;
mod job;
mod memory;
mod oddities;
mod sources;

use job::Job;

/// Checks what becomes of one file under the default policies.
fn check(content: &[u8], rows: &str) {
    Job::new(&[("in.fa", content)]).check(rows);
}

fn check_stop(content: &[u8], parts: &[&str]) {
    Job::new(&[("in.fa", content)]).check_stop(parts);
}

const TWO: &[u8] = b">a first\nMKT\n>b\nMKTV\n";
const TWO_ROWS: &str = "a(first):3 b:4";

#[test]
fn plain_text() {
    check(TWO, TWO_ROWS);
}

#[test]
fn line_ends_of_windows() {
    check(b">a first\r\nMK\r\nT\r\n>b\r\nMKTV\r\n", TWO_ROWS);
}

#[test]
fn line_ends_of_old_macs() {
    check_stop(
        b">a\rMKT\r>b\rMKTV\r",
        &["`in.fa`", "carriage returns", "tr "],
    );
}

#[test]
fn lower_case() {
    check(b">a first\nmkt\n>b\nMkTv\n", TWO_ROWS);
}

#[test]
fn blank_lines_and_blanks() {
    check(b"\n\n>a first\n\nM K\n \nT\n\n>b\nMKTV\n\n", TWO_ROWS);
}

#[test]
fn no_final_line_feed() {
    check(b">a first\nMKT\n>b\nMKTV", TWO_ROWS);
}

#[test]
fn stops_at_the_end() {
    check(b">a first\nMKT*\n>b\nMKTV\n*\n", TWO_ROWS);
}

#[test]
fn stops_inside_and_characters_outside_the_alphabet() {
    let content = b">a first\nMKT\n>b\nM*K1J\n";
    let job = || Job::new(&[("in.fa", content)]);
    job()
        .check("a(first):3 b:5")
        .check_message(&["3 characters outside the alphabet in 1 record became `<unk>`"]);
    job()
        .dataset("fasta(\"in.fa\").unknown_residues(\"strip\")")
        .check("a(first):3 b:2")
        .check_message(&["were removed"]);
    job()
        .dataset("fasta(\"in.fa\").unknown_residues(\"error\")")
        .check_stop(&[
            "`in.fa`, record 2 (`b`): the character `*` behind 1 residues",
            "unk",
        ]);
}

#[test]
fn gaps_and_rare_letters_are_residues() {
    Job::new(&[("in.fa", b">a\nM-K.XBUZO\n")])
        .dataset("fasta(\"in.fa\").unknown_residues(\"error\")")
        .check("a:9");
}

#[test]
fn empty_records() {
    Job::new(&[("in.fa", b">a\n>b\nMK\n>c\n*\n")])
        .check_rejects("b:2", &["a\tempty sequence", "c\tempty sequence"]);
    Job::new(&[("in.fa", b">a\n11\n>b\nMK\n")])
        .dataset("fasta(\"in.fa\").unknown_residues(\"strip\")")
        .check_rejects("b:2", &["1\ta\tempty sequence"]);
}

#[test]
fn lengths_outside_the_limits() {
    let job = || Job::new(&[("in.fa", b">a\nM\n>b\nMKT\n>c\nMKTVA\n")]);
    job()
        .dataset("fasta(\"in.fa\").min_length(2).max_length(4)")
        .check_rejects(
            "b:3",
            &["fewer than min_length 2", "more than max_length 4"],
        );
    job()
        .dataset("fasta(\"in.fa\").long_sequences(\"truncate\", 3)")
        .check("a:1 b:3 c:5+");
    job()
        .dataset("fasta(\"in.fa\").long_sequences(\"skip\", 3)")
        .check_rejects("a:1 b:3", &["c\t5 residues, more than 3"]);
    job()
        .dataset("fasta(\"in.fa\").long_sequences(\"error\", 3)")
        .check_stop(&["`in.fa`, record 3 (`c`): 5 residues, more than 3"]);
}

#[test]
fn ids_that_come_twice() {
    check(b">a\nM\n>a\nMK\n", "a:1 a:2");
}

#[test]
fn records_without_a_name() {
    Job::new(&[("in.fa", b">\nM\n> b c\nMK\n")])
        .check(":1 b(c):2")
        .check_message(&["1 record has no name"]);
}

#[test]
fn names_that_are_not_utf8() {
    check(b">a\xff d\xe9\nM\n", "a\\xFF(d\\xE9):1");
}

#[test]
fn very_long_lines() {
    let mut content = b">a\n".to_vec();
    content.extend(b"MKTV>".repeat(1_000_000));
    content.extend(b"\n>b\nMK\n");
    check(&content, "a:5000000+ b:2");
    // The longest definition line, with its line end, and a longer one.
    let name = "n".repeat((1 << 20) - 2);
    check(format!(">{name}\nMK\n").as_bytes(), &format!("{name}:2"));
    check_stop(
        format!(">{name}n\nMK\n").as_bytes(),
        &["a definition line has more than 1048576 bytes"],
    );
}

#[test]
fn more_residues_than_any_protein_has() {
    let mut content = b">a\n".to_vec();
    content.resize(content.len() + (16 << 20) + 1, b'A');
    check(&content, "a:16777217+");
    Job::new(&[("in.fa", &content)])
        .dataset("fasta(\"in.fa\").long_sequences(\"truncate\", 20000000)")
        .check_stop(&["16777217 residues, which no protein has", "max_length"]);
}

#[test]
fn nucleotides() {
    // A, C, G, T and N are residues, too, and a short peptide may have no others.
    check(b">dna\nACGTNACGT\n", "dna:9");
}

#[test]
fn an_empty_file() {
    check(b"", "");
    for content in [&b""[..], b"\n \n", &compression::gzip(b"")] {
        Job::new(&[("in.fa", content), ("b.fa", b">b\nMK\n")])
            .dataset("fasta([\"in.fa\", \"b.fa\"])")
            .check("b:2")
            .check_message(&["`in.fa` holds no records"]);
    }
}

#[test]
fn a_file_that_is_not_fasta() {
    for (content, kind) in [
        (&b"@r\nACGT\n+\nIIII\n"[..], "FASTQ"),
        (b"<html>", "HTML"),
        (b"{\"id\": 1}\n", "JSON"),
        (b"LOCUS       AB000001\n", "GenBank"),
        (b"PK\x03\x04\x14\0", "zip"),
        (b"MKTV\n", "other text"),
        (b"\x7fELF\x00\x01", "a binary file"),
    ] {
        check_stop(content, &["`in.fa`: is not FASTA", kind]);
    }
}

#[test]
fn a_byte_order_mark() {
    check(b"\xef\xbb\xbf>a\nM\n", "a:1");
}
