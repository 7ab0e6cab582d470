//! The whole way from a file to outcomes, without processes.

use super::*;
use crate::alphabet;
use crate::hint::Hint;
use crate::job::{LongSequences, RecordPolicy, ResiduePolicy, Window};
use proptest::prelude::*;
use std::{fs, io::Write, path::Path};

pub(super) fn policy() -> RecordPolicy {
    RecordPolicy {
        min_length: None,
        max_length: None,
        long_sequences: LongSequences::Truncate(1022),
        residues: ResiduePolicy::Unk,
        remarks: true,
    }
}

/// Reads a file in units of `unit_bytes`.
fn read_file(
    path: &Path,
    policy: &RecordPolicy,
    unit_bytes: u64,
) -> Result<Vec<Outcome>, InputError> {
    let inputs = resolve(&[path.to_str().unwrap().to_owned()])?;
    let mut outcomes = Vec::new();
    let mut n_records = 0;
    for unit in Units::new(inputs, unit_bytes) {
        let last_id = outcomes
            .last()
            .map(|outcome: &Outcome| outcome.id().to_owned());
        let located = |fault: Fault| fault.locate("x.fa", n_records, last_id.as_deref(), "");
        let unit = unit.map_err(|plan_fault| located(plan_fault.fault))?;
        let mut reader = UnitReader::open(&unit, policy.clone()).map_err(located)?;
        let n_before = outcomes.len();
        while let Some(outcome) = reader.next_outcome().map_err(located)? {
            outcomes.push(outcome);
        }
        assert_eq!(reader.n_records() as usize, outcomes.len() - n_before);
        n_records += reader.n_records();
    }
    Ok(outcomes)
}

fn read(
    content: &[u8],
    policy: &RecordPolicy,
    unit_bytes: u64,
) -> Result<Vec<Outcome>, InputError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    read_file(file.path(), policy, unit_bytes)
}

/// `id:SEQUENCE` or `id:SEQUENCE/length` for each record, `id!reason` for a rejected one.
fn show(result: Result<Vec<Outcome>, InputError>) -> String {
    let show_one = |outcome: &Outcome| match outcome {
        Outcome::Rejected(rejection) => format!("{}!{}", rejection.id, rejection.reason),
        Outcome::Kept(record) => {
            let sequence = alphabet::text(&record.sequence);
            let description = &record.description;
            let description = if description.is_empty() {
                String::new()
            } else {
                format!("({description})")
            };
            let length = if record.is_truncated() {
                format!("/{}", record.length)
            } else {
                String::new()
            };
            format!("{}{description}:{sequence}{length}", record.id)
        }
    };
    match result {
        Ok(outcomes) => outcomes.iter().map(show_one).collect::<Vec<_>>().join(" "),
        Err(error) => error.in_full(),
    }
}

/// Checks what becomes of a text, in one unit and in units of 1 to 7 bytes.
fn check_with(policy: &RecordPolicy, text: &str, expect: &str) {
    check_bytes(policy, text.as_bytes(), expect);
}

fn check_bytes(policy: &RecordPolicy, text: &[u8], expect: &str) {
    for unit_bytes in [u64::MAX, 1, 2, 3, 7] {
        let got = show(read(text, policy, unit_bytes));
        let text = text.escape_ascii();
        assert_eq!(got, expect, "\"{text}\" in units of {unit_bytes} bytes");
    }
}

fn check(text: &str, expect: &str) {
    check_with(&policy(), text, expect);
}

/// Checks that reading fails, and that the message holds all the parts.
fn check_error(policy: &RecordPolicy, content: &[u8], parts: &[&str]) {
    let message = show(read(content, policy, u64::MAX));
    for part in parts {
        assert!(message.contains(part), "`{part}` in: {message}");
    }
}

#[test]
fn records_of_well_formed_text() {
    check(">a\nMKT\n", "a:MKT");
    check(">a\nMKT", "a:MKT");
    check(">a some words \nMK\nT\n>b\nA\n", "a(some words):MKT b:A");
    check(">a\tx y\nM\n", "a(x y):M");
    check(">sp|P1|X_Y d\nM\n", "sp|P1|X_Y(d):M");
    check(">a\nM\n>a\nM\n", "a:M a:M");
    check("", "");
}

#[test]
fn records_of_untidy_text() {
    check(">a\r\nMK\r\nT\r\n>b\r\nA\r\n", "a:MKT b:A");
    check(">a\nmkt\n>b\nMk\n", "a:MKT b:MK");
    check("\n\n  \n>a\n\nMK\n \nT\n\n>b\nA\n\n", "a:MKT b:A");
    check("\u{feff}>a\nM\n", "a:M");
    check("\u{feff}>a\nM\n\u{feff}>b\nK\n", "a:M b:K");
    check("\n\u{feff}\u{feff}>a\nM\n\u{feff}\n>b\nK\n", "a:M b:K");
    check(" \n >a\nM\n>b\nK\n", "a:M b:K");
    check(">a\nM\n; note\nK\n", "a:MK");
    check(">a\nMKT*\n>b\nM*K\n", "a:MKT b:M*K");
    check(">a\nM K\tT\n", "a:MKT");
    check(">a\nM>K\n", "a:M>K");
    check(">a\nM\n >b\nK\n", "a:M>BK");
    check(">a\n>b\nM\n>c", "a!empty sequence b:M c!empty sequence");
    check("\n \n", "");
}

#[test]
fn records_without_a_name_keep_their_sequence() {
    check(">\nM\n>\nK", ":M :K");
    check("> a b\nM\n>  \nK\n", "a(b):M :K");
    check(">a\nM\n>", "a:M !empty sequence");
}

#[test]
fn names_that_are_not_utf8_are_escaped() {
    check_bytes(
        &policy(),
        b">a\xffb \xe9t\xc3\xa9\nM\n",
        "a\\xFFb(\\xE9té):M",
    );
}

#[test]
fn lengths_follow_the_policy() {
    let mut short = policy();
    short.min_length = Some(2);
    short.max_length = Some(3);
    check_with(
        &short,
        ">a\nM\n>b\nMK\n>c\nMKTV\n",
        "a!1 residues, fewer than min_length 2 b:MK c!4 residues, more than max_length 3",
    );
    let mut long = policy();
    long.long_sequences = LongSequences::Truncate(2);
    check_with(&long, ">a\nMKTV*\n>b\nMK\n", "a:MK/4 b:MK");
    long.long_sequences = LongSequences::Skip(2);
    check_with(
        &long,
        ">a\nMKTV\n>b\nMK\n",
        "a!4 residues, more than 2 b:MK",
    );
    long.long_sequences = LongSequences::Error(2);
    check_with(
        &long,
        ">b\nMK\n>a\nMKTV\n",
        "`x.fa`, record 2 (`a`): 4 residues, more than 2 (`.long_sequences(\"truncate\", 2)` \
         embeds the first 2, `.long_sequences(\"window\", 2)` embeds all in windows, \
         `.long_sequences(\"skip\", 2)` rejects such records)",
    );
    long.long_sequences = LongSequences::Full(3);
    check_with(
        &long,
        ">a\nMKTV\n>b\nMKT\n",
        "a!4 residues, more than the 3 that a batch holds b:MKT",
    );
    // Who packs divides records into windows: readers give whole ones, within reason.
    let window = Window::new(2, 1);
    long.long_sequences = LongSequences::Window(window);
    check_with(&long, ">a\nMKTV\n>b\nMK\n", "a:MKTV b:MK");
    let endless = [b">a\n", "M".repeat((1 << 17) + 1).as_bytes(), b"\n>b\nMK\n"].concat();
    assert_eq!(
        show(read(&endless, &long, 1 << 20)),
        "a!131073 residues, more than the 131072 that are joined from windows b:MK"
    );
}

#[test]
fn characters_outside_the_alphabet_follow_the_policy() {
    let mut residues = policy();
    check(">a\nMj1-.K\n", "a:MJ1-.K");
    residues.residues = ResiduePolicy::Strip;
    check_with(&residues, ">a\nMJ1-.K\n>b\nJ\n", "a:M-.K b!empty sequence");
    residues.residues = ResiduePolicy::Error;
    check_with(
        &residues,
        ">b\nMK\n>a\nM\nK1\n",
        "`x.fa`, record 2 (`a`): the character `1` behind 2 residues is not in the model's \
         alphabet (`.unknown_residues(\"unk\")` embeds it as unknown, `.unknown_residues(\"strip\")` removes it)",
    );
}

#[test]
fn masks_are_residues_wherever_lines_and_units_end() {
    check(">a\nMK<mask>V\n>b\n<mask>\n", "a:MK<mask>V b:<mask>");
    check(">a\r\nMK<ma\r\nsk>V\r\n>b\nA", "a:MK<mask>V b:A");
    check(">a\nM<K>\n>b\n<mas\n>c\nK\n", "a:M<K> b:<MAS c:K");
    let mut short = policy();
    short.max_length = Some(4);
    short.long_sequences = LongSequences::Truncate(3);
    check_with(
        &short,
        ">a\n<mask>MK<mask>\n>b\nMK<mask>VA\n>c\nMK<mask>\n",
        "a:<mask>MK/4 b!5 residues, more than max_length 4 c:MK<mask>",
    );
    check_error(
        &policy(),
        b">b\nMK\n>a\nMK<mask\n>V\n",
        &["record 2 (`a`)", "ends within a `<mask>`", "in one line"],
    );
}

#[test]
fn what_is_not_fasta_is_named() {
    for (content, kind) in [
        ("@r1\nACGT\n+\nIIII\n", "FASTQ"),
        ("\n<!DOCTYPE html>", "HTML"),
        ("{\"a\": 1}", "JSON"),
        ("; old\n>a\nM\n", "`;`"),
        ("MKTV\n", "other text"),
        ("\x7fELF\0\0\0", "binary"),
        ("\u{feff}ID   A_B", "flat file"),
    ] {
        check_error(&policy(), content.as_bytes(), &["is not FASTA", kind]);
    }
    check_error(
        &policy(),
        b">a\rMKT\r>b\rM\r",
        &["carriage returns", "tr '"],
    );
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// bgzip with a block for each piece of `text`.
pub(super) fn bgzip(text: &[u8], block_bytes: usize) -> Vec<u8> {
    let mut writer = noodles_bgzf::io::Writer::new(Vec::new());
    for piece in text.chunks(block_bytes) {
        writer.write_all(piece).unwrap();
        writer.flush().unwrap();
    }
    writer.finish().unwrap()
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

/// Text that no compressor makes tiny, so that cutting it in the middle is possible.
fn long_text(n_records: u64) -> Vec<u8> {
    let mut state = 1u64;
    let mut text = Vec::new();
    for record in 0..n_records {
        writeln!(text, ">r{record}").unwrap();
        for _ in 0..60 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            text.push(b'A' + (state >> 59) as u8 % 20);
        }
        text.push(b'\n');
    }
    text
}

pub(super) type Compress = fn(&[u8]) -> Vec<u8>;

pub(super) const COMPRESSORS: [(&str, Compress); 5] = [
    ("gzip", gzip),
    ("bgzip", |text| bgzip(text, 1000)),
    ("zstd", zstd),
    ("bzip2", bzip2),
    ("xz", xz),
];

#[test]
fn every_compression_gives_the_same_records() {
    let text = long_text(100);
    let expect = read(&text, &policy(), u64::MAX).unwrap();
    assert_eq!(expect.len(), 100);
    for (name, compress) in COMPRESSORS {
        let compressed = compress(&text);
        assert_eq!(Compression::sniff(&compressed).name(), name);
        let got = read(&compressed, &policy(), 500).unwrap();
        assert!(got == expect, "{name}");
        // Two members, frames or streams, divided in the middle of a record.
        let parts = [compress(&text[..1234]), compress(&text[1234..])].concat();
        let got = read(&parts, &policy(), 500).unwrap();
        assert!(got == expect, "{name} in two parts");
        let got = read(&compress(b""), &policy(), 500).unwrap();
        assert!(got.is_empty(), "{name} of nothing");
    }
}

#[test]
fn data_that_are_cut_short_are_never_silently_lost() {
    let text = long_text(1000);
    for (name, compress) in COMPRESSORS {
        let compressed = compress(&text);
        for length in [
            compressed.len() / 2,
            compressed.len() - 9,
            compressed.len() - 1,
        ] {
            let result = read(&compressed[..length], &policy(), 10_000);
            let message = show(result);
            for part in ["`x.fa`", "cut short", "download it again", name, "record"] {
                assert!(message.contains(part), "{name}, {length} bytes: {message}");
            }
        }
    }
    // Without the last block, which is empty, all records are there.
    let compressed = bgzip(&text, 1000);
    check_error(
        &policy(),
        &compressed[..compressed.len() - 28],
        &["after record 1000", "bgzip writes last"],
    );
}

#[test]
fn the_record_before_the_damage_is_named() {
    let text = long_text(1000);
    let mut compressed = bgzip(&text, 1000);
    let middle = compressed.len() / 2;
    compressed[middle..middle + 20].fill(0x55);
    let message = show(read(&compressed, &policy(), 5000));
    let record: u64 = message
        .split_once("after record ")
        .and_then(|(_, rest)| rest.split([' ', ':']).next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{message}"));
    assert!((400..600).contains(&record), "{message}");
}

#[test]
fn sources_are_resolved_in_order_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["b.fa", "a.fa", "c.txt", "[d].fa"] {
        fs::write(at(name), ">a\nM\n").unwrap();
    }
    fs::create_dir(at("sub.fa")).unwrap();
    std::os::unix::fs::symlink(at("a.fa"), at("link")).unwrap();

    let check = |sources: &[&str], expect: Result<&[&str], &str>| {
        let sources: Vec<String> = sources.iter().map(|name| at(name)).collect();
        match (resolve(&sources), expect) {
            (Ok(inputs), Ok(names)) => {
                let got: Vec<_> = inputs.iter().map(|input| input.name.clone()).collect();
                let names: Vec<_> = names.iter().map(|name| at(name)).collect();
                assert_eq!(got, names);
            }
            (Err(error), Err(part)) => {
                let message = error.in_full();
                assert!(message.contains(part), "`{part}` in: {message}");
                assert!(error.hint.is_some(), "{message}");
            }
            (got, _) => panic!("{sources:?} gave {got:?}"),
        }
    };
    check(&["c.txt", "*.fa"], Ok(&["c.txt", "[d].fa", "a.fa", "b.fa"]));
    check(&["[d].fa"], Ok(&["[d].fa"]));
    check(&["[ab].fa"], Ok(&["a.fa", "b.fa"]));
    check(&["*.none"], Err("matches no file"));
    check(&["none.fa"], Err("no such file"));
    check(&["sub.fa"], Err("is a folder"));
    check(&["a.fa", "a.fa"], Err("is named twice"));
    check(&["a.fa", "link"], Err("is the same file as"));
    check(&["a***.fa"], Err("no valid pattern"));
}

/// Text in which line ends, record beginnings and odd characters are frequent.
fn fasta_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just(&b"\n"[..]),
        6 => Just(&b">"[..]),
        1 => Just(&b"\r"[..]),
        2 => Just(&b"\r\n"[..]),
        2 => Just(&b" "[..]),
        2 => Just(&b"*"[..]),
        2 => Just(&b"j"[..]),
        1 => Just(&b";"[..]),
        1 => Just(&b"\xef\xbb\xbf"[..]),
        1 => Just(&b"\xc3\xa9"[..]),
        1 => Just(&b"\xff"[..]),
        8 => Just(&b"A"[..]),
    ];
    let tail = proptest::collection::vec(piece, 0..80);
    (any::<bool>(), tail).prop_map(|(is_fasta, pieces)| {
        let beginning = if is_fasta { &b">"[..] } else { b"" };
        [beginning, &pieces.concat()].concat()
    })
}

proptest! {
    #[test]
    fn division_never_changes_the_records(text in fasta_like(), unit_bytes in 1..20u64) {
        let whole = show(read(&text, &policy(), u64::MAX));
        prop_assert_eq!(show(read(&text, &policy(), unit_bytes)), whole);
    }

    #[test]
    fn division_of_bgzip_never_changes_the_records(
        text in fasta_like(),
        unit_bytes in 1..20u64,
        block_bytes in 1..20usize,
    ) {
        let whole = show(read(&text, &policy(), u64::MAX));
        let compressed = bgzip(&text, block_bytes);
        prop_assert_eq!(show(read(&compressed, &policy(), unit_bytes)), whole);
    }
}
