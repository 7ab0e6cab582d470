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
