//! Text that is FASTA by its form and no list of proteins, or not quite.

use super::job::{Done, Job};

/// Checks that a file is read with one warning, which holds the parts.
fn check_warned(content: impl AsRef<[u8]>, rows: &str, parts: &[&str]) {
    let done = Job::new(&[("in.fa", content.as_ref())]).check(rows);
    done.check_message(parts);
    assert_eq!(done.n_warnings(), 1, "{}", done.stderr);
}

fn check_silent(content: impl AsRef<[u8]>, rows: &str) {
    let done = Job::new(&[("in.fa", content.as_ref())]).check(rows);
    assert_eq!(done.n_warnings(), 0, "{}", done.stderr);
}

fn check_stop(content: impl AsRef<[u8]>, parts: &[&str]) {
    Job::new(&[("in.fa", content.as_ref())]).check_stop(parts);
}

fn read(content: &[u8], dataset: &str, rows: &str) -> Done {
    Job::new(&[("in.fa", content)]).dataset(dataset).check(rows)
}

#[test]
fn pir_files() {
    for kind in ["P1", "F1", "XX", "N1"] {
        check_stop(
            format!(">a\nMK\n>{kind};DEMO1\nALPHA LACTALBUMIN\n MKTAYIAKQR QISFVKSHFS*\n"),
            &["`in.fa`, after record 1 (`a`)", "PIR (NBRF)", "convert"],
        );
    }
    for line in [">dl;DEMO1", "> P1;DEMO1", ">n3; DEMO1"] {
        check_stop(format!("{line}\nA title\nMKT*\n"), &["PIR (NBRF)"]);
    }
    check_silent(b">P1\nMK\n>P1_;\nMK\n", "P1:2 P1_;:2");
}

#[test]
fn a_definition_line_behind_a_sequence() {
    let content = b">a one\nMKTAYIAKQRQISFVK*>b two\nMSTNPKPQRKTKRNTN\n>c\nMKV\n";
    let done = read(content, "fasta(\"in.fa\")", "a(one):38 c:3");
    done.check_message(&[
        "1 character `>` in 1 record stands inside sequence lines; first in record 1 (`a`)",
        "2 characters outside the alphabet in 1 record became `<unk>`: `*` 1, `>` 1",
    ]);
}

#[test]
fn a_byte_order_mark_before_any_record() {
    check_silent("\u{feff}>a\nMKT\n\u{feff}>b\nMK\n", "a:3 b:2");
    check_silent("\u{feff}\n>a\nMKT\n\u{feff}\n\u{feff}>b\nMK\n", "a:3 b:2");
}

#[test]
fn carriage_returns_without_line_feeds() {
    for content in [
        ">a\rMKT\r>b\rMKV\r",
        ">a\nMKT\r>b\rMKV\r",
        ">x\nMK\n>a\nMKT\n>b\rMKV\n",
        ">a\nMKT\rMKV\n",
        ">a\r\nMKT\r\n>b\r\nMK\rV\r\n",
        ">a\nMKT\n;note\rMKV\n",
    ] {
        check_stop(content, &["`in.fa`", "carriage returns", "tr "]);
    }
    check_silent(">a\r\r\nMKT\r\r\nK\r", "a:4");
}

#[test]
fn nul_bytes() {
    check_stop(b">a\nM\n>b\nMK\0T\n", &["record 2 (`b`)", "NUL bytes"]);
    check_warned(
        b">a\0b\nMK\n",
        "a\0b:2",
        &["1 NUL byte in 1 record stands in definition lines"],
    );
}

#[test]
fn text_of_wide_characters() {
    for text in [">a\nMKT\n", "MKT\n>a\n", "\n>a\nM\n", "\u{feff}>a\nM\n"] {
        let encoded = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        for (content, name) in [
            (encoded(u16::to_le_bytes), "UTF-16LE"),
            (encoded(u16::to_be_bytes), "UTF-16BE"),
        ] {
            let command = format!("iconv -f {name} -t UTF-8");
            check_stop(content, &["`in.fa`", name, &command]);
        }
        let encoded = |bytes: fn(u32) -> [u8; 4]| -> Vec<u8> {
            text.chars().flat_map(|c| bytes(c.into())).collect()
        };
        for (content, name) in [
            (encoded(u32::to_le_bytes), "UTF-32LE"),
            (encoded(u32::to_be_bytes), "UTF-32BE"),
        ] {
            let command = format!("iconv -f {name} -t UTF-8");
            check_stop(content, &["`in.fa`", name, &command]);
        }
    }
}

#[test]
fn comments_inside_records() {
    let content = b">a\nMK\n; MKT\nT\n>b\n# MKT\n! MKT\nMK\n";
    check_warned(
        content,
        "a:3 b:2",
        &["3 comment lines in 2 records were skipped; first in record 1 (`a`)"],
    );
    Job::new(&[("in.fa", content)])
        .dataset("fasta(\"in.fa\").unknown_residues(\"error\")")
        .check_stop(&["record 1 (`a`): the character `;` behind 2 residues"]);
}

#[test]
fn alignments() {
    check_warned(
        b">a\nMK-T\n>b\nM--T\n>c\nMKVT\n",
        "a:4 b:4 c:4",
        &[
            "2 records hold gaps",
            "all are 4 long, as in an alignment",
            "first record 1 (`a`)",
            "sed ",
        ],
    );
    check_warned(
        b">a\nMKVT\n>b\nM-kvT\n>c\nM-.T\n>d\nM.-Kv\n",
        "a:4 b:5 c:4 d:5",
        &[
            "3 records hold gaps, and some mix cases",
            "A3M",
            "first record 2 (`b`)",
        ],
    );
    for (content, name) in [
        ("CLUSTAL W (1.83)\n\na  MKT\n", "Clustal"),
        ("# STOCKHOLM 1.0\na MKT\n//\n", "Stockholm"),
        (" 2 3\na MKT\nb MKV\n", "PHYLIP"),
        ("#NEXUS\nbegin data;\n", "NEXUS"),
    ] {
        check_stop(content, &["is not FASTA", name]);
    }
}

#[test]
fn nucleotides() {
    let dna = "ACGTTGCAAC".repeat(5);
    let protein = ">p\nMKTAYIAKQRQISFVKSHFS\n".repeat(9);
    check_warned(
        format!("{protein}>d\n{dna}\n"),
        &format!("{}d:50", "p:20 ".repeat(9)),
        &[
            "1 record looks like nucleotides",
            "first record 10 (`d`)",
            "translate",
        ],
    );
    // Sequencers and assemblers write other letters where they are not sure.
    for ambiguous in ["RYKMSW", "nnnn", "BDHV"] {
        check_warned(
            format!(">d\n{dna}{ambiguous}{dna}\n"),
            &format!("d:{}", 100 + ambiguous.len()),
            &["1 record looks like nucleotides"],
        );
    }
    check_silent(
        format!(">p\n{dna}RYKMSWE\n>q\n{}\n", "RGSRYSGG".repeat(9)),
        "p:57 q:72",
    );
    check_warned(
        b">d\nACGTTGCAACTA\n>e\nAUGGCAUUGGCA\n>p\nMK\n",
        "d:12 e:12 p:2",
        &[
            "2 records are short and look like nucleotides",
            "first record 1 (`d`)",
        ],
    );
    // Peptides of few kinds of residues are no nucleotides, nor are short ones among others.
    check_silent(format!(">a\n{}\n", "GA".repeat(40)), "a:80");
    check_silent(
        format!(">a\nACGTTGCAACTA\n{protein}"),
        format!("a:12 {}", "p:20 ".repeat(9)).trim_end(),
    );
}

#[test]
fn structure_instead_of_residues() {
    let done = read(
        b">a\nMKVAAACCC\n(((...)))\n>b\nMKV\n",
        "fasta(\"in.fa\")",
        "a:18 b:3",
    );
    done.check_message(&[
        "1 line of dots and brackets in 1 record",
        "first in record 1 (`a`)",
        "dot-bracket",
    ]);
    // With an energy as RNAfold writes it, of two strands, and with letters for what is not paired.
    for line in [
        "((((....)))) (-5.40)",
        "((((&))))",
        "<<<,,,___>>>::",
        "(((( [[[ )))) ]]]",
    ] {
        let done = Job::new(&[("in.fa", format!(">a\nGGGGAAAACCCC\n{line}\n").as_bytes())]).run();
        done.check_message(&["1 line of dots and brackets in 1 record"]);
    }
    check_warned(
        b">x:A:sequence\nMKTAYIAKQRQISFVKSHFS\n>x:A:secstr\n  HHHHHHHTTT EEEEE GGG \n",
        "x:A:sequence:20 x:A:secstr:18",
        &[
            "1 record looks like secondary structure",
            "first record 2 (`x:A:secstr`)",
        ],
    );
    check_warned(
        b">a\nCCCHHHHHHHHCCEEEEEC\n",
        "a:19",
        &["1 record looks like secondary structure"],
    );
}

#[test]
fn numbers_among_the_residues() {
    check_warned(
        b">a\n        1 mktay iakqr\n       11 mk\n",
        "a:15",
        &["3 characters outside the alphabet in 1 record became `<unk>`: `1` 3"],
    );
}

#[test]
fn characters_of_several_bytes() {
    let content = "\u{feff}>a\nMé\u{a0}K\u{ad}T\u{200b}\u{201c}\n".as_bytes();
    let list = "`U+00A0` 1, `U+00AD` 1, `é` 1, `U+200B` 1, `“` 1";
    let n = "5 characters outside the alphabet in 1 record";
    check_warned(content, "a:8", &[n, list]);
    read(
        content,
        "fasta(\"in.fa\").unknown_residues(\"strip\")",
        "a:3",
    )
    .check_message(&[n, "were removed", list]);
    Job::new(&[("in.fa", content)])
        .dataset("fasta(\"in.fa\").unknown_residues(\"error\")")
        .check_stop(&["record 1 (`a`): the character `é` behind 1 residues"]);
    check_warned(
        b">a\nM\xff\xfeK\xe9T\n",
        "a:6",
        &["3 characters", "`\\xE9` 1, `\\xFE` 1, `\\xFF` 1"],
    );
}

#[test]
fn warnings_are_about_the_records_that_were_taken() {
    let content = b">a\nMJ\n>b\nMK\n>c\nM1\n>\nM2\n>e\nM\0\n";
    for (n, rows, part) in [
        (
            1,
            "a:2",
            Some(
                "1 character outside the alphabet in 1 record became `<unk>`: `J` 1; first in record 1 (`a`)",
            ),
        ),
        (
            2,
            "a:2 b:2",
            Some("1 character outside the alphabet in 1 record"),
        ),
        (
            3,
            "a:2 b:2 c:2",
            Some("2 characters outside the alphabet in 2 records became `<unk>`: `1` 1, `J` 1;"),
        ),
        (0, "", None),
    ] {
        let done = read(content, &format!("fasta(\"in.fa\").take({n})"), rows);
        assert_eq!(
            done.n_warnings(),
            usize::from(part.is_some()),
            "{}",
            done.stderr
        );
        done.check_message(part.as_slice());
    }
    // The last record stops the run, and the warnings about the others come.
    let done = Job::new(&[("in.fa", content)]).run();
    done.check_message(&[
        "3 characters outside the alphabet in 3 records",
        "1 record has no name",
        "NUL",
    ]);
}

#[test]
fn warnings_are_about_each_file() {
    let files: &[(&str, &[u8])] = &[
        ("a.fa", b">a\nMJ\n"),
        ("b.fa", b">b\nMK\n>c\nMKJ\n"),
        ("c.fa", b">d\nM1\n"),
    ];
    let done = Job::new(files)
        .dataset("fasta(\"*.fa\").take(3)")
        .check("a:2 b:2 c:3");
    done.check_message(&[
        "`a.fa`: 1 character",
        "`b.fa`: 1 character",
        "first in record 2 (`c`)",
    ]);
    assert_eq!(done.n_warnings(), 2, "{}", done.stderr);
}

#[test]
fn names_do_not_command_the_terminal() {
    let done = Job::new(&[("in\x1b[31m.fa", b">a\x1b[31m\nMJ\n")])
        .dataset("fasta(\"*.fa\")")
        .run();
    done.check_message(&["1 character outside the alphabet", r"(`a\u{1b}[31m`)"]);
    let warning = done
        .stderr
        .lines()
        .find(|line| line.contains("outside the alphabet"));
    assert!(!warning.unwrap().contains('\x1b'), "{warning:?}");
}
