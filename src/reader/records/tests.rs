//! Reads that begin in the middle, without processes: a thread stands for the readers.

mod files;
mod reading;
mod shares;

use super::*;
use crate::fasta::resolve;
use files::{bgzip, gzip, inputs};
use proptest::prelude::*;
use reading::{How, read};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    time::Instant,
};

/// A text of some records of one to ten lines, and how it is compressed.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let record = (proptest::collection::vec(0..30usize, 0..10), 0..20usize);
    let text = (
        proptest::collection::vec(record, 0..8),
        any::<bool>(),
        prop_oneof![3 => Just(""), 1 => Just("\n \n")],
        any::<bool>(),
    );
    (text, 0..5, 1..60usize).prop_map(|((records, windows, beginning, ends), kind, block_bytes)| {
        let line_end = if windows { "\r\n" } else { "\n" };
        let mut text = beginning.to_owned();
        for (n, (lines, name)) in records.iter().enumerate() {
            text += &format!(">r{n}{}{line_end}", "x".repeat(*name));
            for length in lines {
                text += &format!("{}{line_end}", "M".repeat(*length));
            }
        }
        let text = text.as_bytes();
        let text = if ends { text } else { text.trim_ascii_end() };
        match kind {
            0 | 1 => text.to_vec(),
            2 => bgzip(text, block_bytes),
            3 => gzip(text),
            _ => zstd::encode_all(text, 1).unwrap(),
        }
    })
}

/// The number of a record in its file, from 0.
fn number(position: &Position) -> (usize, u64) {
    (position.input, position.before + position.n_records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn reading_goes_on_at_every_record(
        contents in proptest::collection::vec(content(), 1..5),
        unit_bytes in 1..60u64,
        other_unit_bytes in 1..60u64,
        frame_records in 1..4usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let inputs = inputs(&folder, &contents);
        let how = How { unit_bytes, frame_records, ..How::default() };
        let all = read(&inputs, &how);
        prop_assert_eq!(&all.error, &None);
        let total: u64 = inputs.iter().filter_map(Input::size_bytes).sum();
        prop_assert_eq!(all.told_bytes(), (total, 0));
        // Each record by its own position, and by that of the one before.
        let mut starts = vec![(0, Position::beginning_of(0))];
        for (n, (_, position)) in all.records.iter().enumerate() {
            starts.push((n, position.clone()));
            starts.push((n + 1, position.advanced(1)));
        }
        starts.push((all.records.len(), Position::beginning_of(inputs.len())));
        for (n, start) in starts {
            let expect = &all.records[n..];
            let told = serde_json::to_string(&start).unwrap();
            let start: Position = serde_json::from_str(&told).unwrap();
            let mut how = How { start: Some(start.clone()), ..how.clone() };
            let rest = read(&inputs, &how);
            prop_assert_eq!(&rest.error, &None, "from {}", told);
            prop_assert_eq!(&rest.records, expect, "from {}", told);
            let (n_read, n_skipped) = rest.told_bytes();
            prop_assert_eq!(n_read + n_skipped, total, "from {}", told);
            prop_assert!(n_skipped >= start.from.disk_bytes());
            let again = rest.events.iter().filter(|e| matches!(e, Event::SkippingRecords { .. }));
            let is_again = start.n_records > 0 && !inputs[start.input].is_shareable();
            prop_assert_eq!(again.count(), usize::from(is_again));

            how.unit_bytes = other_unit_bytes;
            how.take = Some(2);
            let few = read(&inputs, &how);
            prop_assert_eq!(&few.error, &None, "from {}", told);
            prop_assert_eq!(few.records.len(), expect.len().min(2));
            for ((outcome, position), (expected, place)) in few.records.iter().zip(expect) {
                prop_assert_eq!(outcome, expected);
                prop_assert_eq!(number(position), number(place));
            }
        }
    }
}

/// Records `r1`, `r2` …, of about 30 bytes each.
fn numbered(n_records: usize) -> Vec<u8> {
    let record = |n| format!(">r{n}\n{}\n", "MKTV".repeat(6));
    (1..=n_records).map(record).collect::<String>().into_bytes()
}

#[test]
fn what_comes_before_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.fa");
    let byte = 10 << 30;
    let file = File::create(&path).unwrap();
    file.write_all_at(b">a\nM\n", 0).unwrap();
    file.set_len(byte).unwrap();
    file.write_all_at(b"\n>b\nMKT\n>c\nMK\n>d\nM\n", byte)
        .unwrap();
    let inputs = resolve(&[path.to_str().unwrap().to_owned()]).unwrap();
    let how = How {
        start: Some(Position {
            input: 0,
            from: Offset::Plain { byte },
            before: 1000,
            n_records: 1,
        }),
        ..How::default()
    };
    let started = Instant::now();
    let rest = read(&inputs, &how);
    assert_eq!(rest.ids(), ["c", "d"]);
    assert_eq!(number(&rest.records[0].1), (0, 1001));
    assert_eq!(rest.told_bytes(), (19, byte));
    assert!(rest.n_bytes < 1000, "{}", rest.n_bytes);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn damage_before_a_position_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let mut content = bgzip(&numbered(100), 100);
    let all = read(&inputs(&folder, &[content.clone()]), &How::default());
    let (_, start) = &all.records[90];
    let Offset::Bgzip { block, .. } = start.from else {
        panic!("{start:?}");
    };
    assert!(start.n_records < 10, "{start:?}");
    // All but what tells its compression.
    content[18..block as usize].fill(0x55);
    let inputs = inputs(&folder, &[content]);
    let how = How {
        start: Some(start.clone()),
        ..How::default()
    };
    let rest = read(&inputs, &how);
    assert_eq!(rest.error, None);
    assert_eq!(rest.records, all.records[90..]);
    assert!(read(&inputs, &How::default()).error.is_some());
}

#[test]
fn inputs_before_a_position_are_neither_opened_nor_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    let contents = [numbered(3), b"\n".to_vec(), b"\n".to_vec(), numbered(2)];
    let inputs = inputs(&folder, &contents);
    fs::remove_file(&inputs[0].path).unwrap();
    fs::remove_file(&inputs[1].path).unwrap();
    let how = How {
        start: Some(Position::beginning_of(2)),
        ..How::default()
    };
    let rest = read(&inputs, &how);
    assert_eq!((rest.ids(), &rest.error), (vec!["r1", "r2"], &None));
    let warnings = rest.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("2.fa` holds no records"),
        "{warnings:?}"
    );
}

/// The same text in all forms in which it is divided, or not.
fn forms(text: &[u8]) -> [Vec<u8>; 3] {
    [text.to_vec(), bgzip(text, 100), gzip(text)]
}

#[test]
fn warnings_tell_of_what_comes_out_by_its_number_in_the_file() {
    let text = String::from_utf8(numbered(20)).unwrap();
    let text = text
        .replace(">r3\n", ">r3\n; a\n")
        .replace(">r12\n", ">r12\n; b\n; c\n");
    for content in forms(text.as_bytes()) {
        let folder = tempfile::tempdir().unwrap();
        let inputs = inputs(&folder, &[content]);
        let all = read(&inputs, &How::default());
        assert!(all.warnings()[0].contains("3 comment lines in 2 records"));
        let mut how = How::default();
        for (n, expect) in [
            (
                2,
                Some("3 comment lines in 2 records were skipped; first in record 3 (`r3`)"),
            ),
            (
                3,
                Some("2 comment lines in 1 record were skipped; first in record 12 (`r12`)"),
            ),
            (
                11,
                Some("2 comment lines in 1 record were skipped; first in record 12 (`r12`)"),
            ),
            (12, None),
        ] {
            how.start = Some(all.records[n].1.clone());
            let rest = read(&inputs, &how);
            let warnings = rest.warnings();
            assert_eq!(
                warnings.len(),
                usize::from(expect.is_some()),
                "{n}: {warnings:?}"
            );
            for (warning, part) in warnings.iter().zip(expect) {
                assert!(warning.contains(part), "`{part}` in: {warning}");
            }
        }
    }
}

#[test]
fn errors_name_a_record_by_its_number_in_the_file() {
    let text = String::from_utf8(numbered(20)).unwrap();
    let text = text.replace(">r15\n", ">r15\nJ\n");
    for content in forms(text.as_bytes()) {
        let folder = tempfile::tempdir().unwrap();
        let inputs = inputs(&folder, &[content]);
        let mut how = How {
            residues: ResiduePolicy::Error,
            ..How::default()
        };
        let all = read(&inputs, &how);
        assert_eq!(all.records.len(), 14);
        let error = all.error.as_deref().unwrap();
        assert!(error.contains("record 15 (`r15`)"), "{error}");
        for (_, position) in &all.records {
            how.start = Some(position.clone());
            assert_eq!(read(&inputs, &how).error.as_deref(), Some(error));
        }
    }
}

#[test]
fn a_position_of_another_file_is_refused() {
    let check = |content: &[u8], from: Offset, n_records: u64, part: &str| {
        let folder = tempfile::tempdir().unwrap();
        let inputs = inputs(&folder, &[content.to_vec(), numbered(5)]);
        let how = How {
            start: Some(Position {
                input: 0,
                from,
                before: 0,
                n_records,
            }),
            ..How::default()
        };
        let rest = read(&inputs, &how);
        assert!(rest.records.is_empty());
        let error = rest.error.expect(part);
        assert!(error.contains(part) && error.contains("0.fa"), "{error}");
    };
    let text = numbered(3);
    let moved = "is not the file of which a part was read before";
    check(&text, Offset::Plain { byte: 1000 }, 0, moved);
    check(&text, Offset::Bgzip { block: 3, text: 9 }, 0, moved);
    check(&gzip(&text), Offset::Plain { byte: 3 }, 0, moved);
    check(
        &bgzip(&text, 9),
        Offset::Bgzip {
            block: 9999,
            text: 9,
        },
        0,
        moved,
    );
    check(
        &bgzip(&text, 9),
        Offset::Bgzip { block: 3, text: 9 },
        0,
        "no bgzip block begins",
    );
    for content in forms(&text) {
        let part = "it has 3 records, and reading was to go on behind record 4";
        check(&content, Offset::Beginning, 4, part);
    }
}
