//! Several reads that share the work.

use super::{
    files::{bgzip, bzip2, gzip, inputs, xz},
    reading::{How, Reading, read},
    *,
};
use crate::{fasta::Outcome, job::Shard};

/// Residues that compress as badly as those of proteins.
fn residues(seed: usize, n_residues: usize) -> String {
    let mut state = seed as u64 + 1;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        b"ACDEFGHIKLMNPQRSTVWY"[(state >> 33) as usize % 20] as char
    };
    (0..n_residues).map(next).collect()
}

/// A text of some records, as short as a letter or longer than what decompressing gives at once, and how it
/// is compressed.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![8 => 0..60usize, 2 => 0..700usize, 1 => 5000..9000usize];
    let record = (proptest::collection::vec(length, 0..4), 0..20usize);
    (
        proptest::collection::vec(record, 0..60),
        0..4usize,
        prop_oneof![4 => Just(""), 1 => Just("\n \n"), 1 => Just("\n\n\n\n\n\n"), 1 => Just("\n\n  ")],
        any::<bool>(),
        0..8,
        1..3000usize,
    )
        .prop_map(|(records, breaks, beginning, ends, kind, block_bytes)| {
            let line_end = ["\n", "\n", "\r\n", "\n\n"][breaks];
            let mut text = beginning.to_owned();
            for (n, (lines, name)) in records.iter().enumerate() {
                text += &format!(">r{n}{}{line_end}", "x".repeat(*name));
                for (line, length) in lines.iter().enumerate() {
                    text += &residues(n + 100 * line, *length);
                    text += line_end;
                }
            }
            let text = text.as_bytes();
            let text = if ends { text } else { text.trim_ascii_end() };
            match kind {
                0 | 1 => text.to_vec(),
                2 => bgzip(text, block_bytes),
                3 => gzip(text),
                4 => [gzip(&text[..text.len() / 3]), gzip(&text[text.len() / 3..])].concat(),
                5 => zstd::encode_all(text, 1).unwrap(),
                6 => bzip2(text),
                _ => xz(text),
            }
        })
}

fn share(inputs: &[Input], how: &How, index: u32, count: u32) -> Reading {
    let shard = Some(Shard::new(index, count).unwrap());
    read(
        inputs,
        &How {
            shard,
            ..how.clone()
        },
    )
}

fn outcomes(reading: &Reading) -> Vec<&Outcome> {
    reading.records.iter().map(|(outcome, _)| outcome).collect()
}

/// Records `r0`, `r1` …, of 1,000 residues each.
fn long_records(n_records: usize) -> Vec<u8> {
    let record = |n| format!(">r{n}\n{}\n", residues(n, 1000));
    (0..n_records).map(record).collect::<String>().into_bytes()
}

#[test]
fn what_comes_before_a_share_is_not_touched() {
    let text = long_records(400);
    for (content, can_be_entered) in [
        (text.clone(), true),
        (bgzip(&text, 3000), true),
        (gzip(&text), false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let how = How {
            unit_bytes: 1 << 20,
            ..How::default()
        };
        let whole = share(&inputs(&folder, std::slice::from_ref(&content)), &how, 1, 2);
        assert!(
            (190..=210).contains(&whole.records.len()),
            "{}",
            whole.records.len()
        );
        // All but what tells the compression.
        let mut damaged = content.clone();
        damaged[30..content.len() / 2 - 4000].fill(0x55);
        let second = share(&inputs(&folder, &[damaged]), &how, 1, 2);
        if can_be_entered {
            assert_eq!(second.error, None);
            assert!(second.records == whole.records);
            assert!(second.n_bytes <= (content.len() as u64).div_ceil(2));
        } else {
            assert!(second.error.is_some());
        }
    }
}

#[test]
fn what_comes_behind_a_share_is_hardly_read() {
    let text = long_records(2000);
    for content in [
        text.clone(),
        bgzip(&text, 3000),
        gzip(&text),
        zstd::encode_all(&text[..], 1).unwrap(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let how = How {
            unit_bytes: 1 << 20,
            ..How::default()
        };
        let first = share(&inputs(&folder, std::slice::from_ref(&content)), &how, 0, 4);
        let expect = content.len() as u64 / 4;
        // A buffer of text, and what it is decompressed from.
        assert!(
            first.n_bytes < expect + (400 << 10),
            "{} of {expect}",
            first.n_bytes
        );
        assert!(first.records.len() < 700, "{}", first.records.len());
    }
}

#[test]
fn only_the_share_with_all_of_a_file_says_that_it_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let contents = [b"".to_vec(), long_records(1), b"\n".to_vec(), b"".to_vec()];
    let inputs = inputs(&folder, &contents);
    let of = |index| share(&inputs, &How::default(), index, 3);
    let warnings: Vec<_> = (0..3)
        .map(|index| of(index).warnings().join("; "))
        .collect();
    assert!(
        warnings[0].contains("0.fa` holds no records") && !warnings[0].contains("1.fa"),
        "{warnings:?}"
    );
    assert_eq!(warnings[1], "");
    assert!(
        warnings[2].contains("2.fa` holds") && warnings[2].contains("3.fa` holds"),
        "{warnings:?}"
    );
}

#[test]
fn oddities_are_told_of_by_the_share_that_has_them() {
    let mut text = String::from_utf8(long_records(40)).unwrap();
    text = text.replace(">r30\n", ">r30\n; a comment\n");
    let cut = text.len() / 2;
    for (content, place) in [
        (
            text.as_bytes().to_vec(),
            format!(" behind byte {cut} (`r30`)"),
        ),
        (gzip(text.as_bytes()), "record 31 (`r30`)".to_owned()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let inputs = inputs(&folder, &[content]);
        assert!(share(&inputs, &How::default(), 0, 2).warnings().is_empty());
        let second = share(&inputs, &How::default(), 1, 2);
        assert!(
            second.warnings()[0].contains(&place),
            "{place}: {:?}",
            second.warnings()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn each_record_is_in_one_share(
        contents in proptest::collection::vec(content(), 1..5),
        count in 2..=17u32,
        sizes in proptest::collection::vec(1..5000u64, 17),
        frame_records in 1..4usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let inputs = inputs(&folder, &contents);
        let all = read(&inputs, &How { unit_bytes: 1 << 20, ..How::default() });
        prop_assert_eq!(&all.error, &None);
        let mut n_read = 0;
        for (index, unit_bytes) in (0..count).zip(sizes) {
            let how = How { unit_bytes, frame_records, ..How::default() };
            let part = share(&inputs, &how, index, count);
            prop_assert_eq!(&part.error, &None);
            let expect: Vec<_> = all.records[n_read..].iter().take(part.records.len()).collect();
            prop_assert_eq!(
                outcomes(&part),
                expect.iter().map(|(outcome, _)| outcome).collect::<Vec<_>>(),
                "shard {}/{}", index, count
            );
            for ((_, place), (_, expected)) in part.records.iter().zip(expect) {
                prop_assert_eq!(place.input, expected.input);
                if place.from == Offset::Beginning {
                    prop_assert_eq!(place.n_records, expected.before + expected.n_records);
                }
            }
            // A shard that was stopped goes on at each of its records, and behind the last one.
            for (n, (_, place)) in part.records.iter().enumerate().step_by(5) {
                for (n, start) in [(n, place.clone()), (n + 1, place.advanced(1))] {
                    let rest = share(&inputs, &How { start: Some(start), ..how.clone() }, index, count);
                    prop_assert_eq!(&rest.error, &None);
                    prop_assert_eq!(&rest.records[..], &part.records[n..]);
                }
            }
            n_read += part.records.len();
        }
        prop_assert_eq!(n_read, all.records.len());
    }
}
