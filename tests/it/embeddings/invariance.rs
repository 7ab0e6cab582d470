//! An embedding depends on its sequence and on nothing else.

use super::common::{GOLDEN_MODELS, golden_sequences, load, one_batch, project};
use crate::{RUNNER, child::finish};
use runner::{embeddings::Embeddings, job::Pooling, model::Model};
use std::{collections::BTreeMap, fs, process::Command};

const DEMO: &str = GOLDEN_MODELS[4];

/// The embeddings of `sequences`, in input order, from one batch.
pub fn embed(model: &Model, sequences: &[String]) -> Vec<Vec<f32>> {
    let batch = one_batch(sequences);
    let values = model
        .encode(&batch, &[model.n_layers()], Pooling::Mean)
        .expect("finite embeddings");
    let mut by_index: Vec<_> = batch
        .rows
        .iter()
        .map(|row| row.index)
        .zip(values.chunks(model.hidden_size()).map(<[f32]>::to_vec))
        .collect();
    by_index.sort_by_key(|&(index, _)| index);
    by_index.into_iter().map(|(_, vector)| vector).collect()
}

/// Checks that a sequence of `golden` has the same bits alone, among others, and in a batch of another size and order.
pub fn check_bits(what: &str, model: &Model, golden: &str) {
    let sequences = golden_sequences(golden);
    let together = embed(model, &sequences);
    assert_eq!(together, embed(model, &sequences), "{what}: two runs");
    // A batch of another size and order, with each sequence at another place.
    let mut longer: Vec<String> = sequences.iter().rev().cloned().collect();
    longer.extend((3..700).map(|n| "ACDEFGHIKLMNPQRSTVWY".repeat(40)[..n].to_owned()));
    let elsewhere = embed(model, &longer);
    for (n, sequence) in sequences.iter().enumerate() {
        let what = format!("{what}, {} residues", sequence.len());
        let alone = embed(model, std::slice::from_ref(sequence));
        assert_eq!(alone[0], together[n], "{what}: alone");
        let elsewhere = &elsewhere[sequences.len() - 1 - n];
        assert_eq!(*elsewhere, together[n], "{what}: elsewhere");
    }
}

#[test]
fn a_sequence_alone_has_the_bits_that_it_has_in_a_batch() {
    for folder in GOLDEN_MODELS {
        let model = load(folder);
        let sequences = golden_sequences(folder);
        let together = embed(&model, &sequences);
        for (sequence, together) in sequences.iter().zip(&together) {
            let alone = &embed(&model, std::slice::from_ref(sequence))[0];
            assert_eq!(
                bits(alone),
                bits(together),
                "{folder}, {} residues",
                sequence.len()
            );
        }
    }
}

#[test]
fn mutating_one_sequence_leaves_the_bits_of_the_others() {
    let model = load(DEMO);
    let sequences = golden_sequences(DEMO);
    let before = embed(&model, &sequences);
    for mutated in 0..sequences.len() {
        let mut changed = sequences.clone();
        let first = if changed[mutated].starts_with('W') {
            "A"
        } else {
            "W"
        };
        changed[mutated].replace_range(..1, first);
        let after = embed(&model, &changed);
        for (n, (before, after)) in before.iter().zip(&after).enumerate() {
            let same = before
                .iter()
                .zip(after)
                .all(|(a, b)| a.to_bits() == b.to_bits());
            assert_eq!(
                same,
                n != mutated,
                "sequence {n} after a change of {mutated}"
            );
        }
    }
}

#[test]
fn two_runs_give_the_same_bits() {
    let model = load(DEMO);
    let sequences = golden_sequences(DEMO);
    assert_eq!(embed(&model, &sequences), embed(&model, &sequences));
    assert_eq!(embed(&model, &sequences), embed(&load(DEMO), &sequences));
}

#[test]
fn rows_of_padding_change_nothing() {
    let model = load(DEMO);
    let batch = one_batch(&golden_sequences(DEMO));
    let mut padded = batch.clone();
    padded.n_padding = 50;
    let encode = |batch| model.encode(batch, &[0, 1, model.n_layers()], Pooling::Mean);
    let (packed, padded) = (encode(&batch), encode(&padded));
    let (packed, padded) = (packed.expect("finite"), padded.expect("finite"));
    assert_eq!(bits(&packed), bits(&padded));
}

/// 90 proteins of 1 to 400 residues.
fn proteins() -> Vec<(String, String)> {
    let letters = b"ACDEFGHIKLMNPQRSTVWY";
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    };
    let protein = |n: usize| {
        let length = 1 + (n * n * 37) % 400;
        let residues = (0..length).map(|_| letters[next() % letters.len()] as char);
        (format!("p{n}"), residues.collect())
    };
    (0..90).map(protein).collect()
}

/// The bits of the embeddings that the program makes of `proteins`, by id.
fn embed_with_program(
    proteins: &[(String, String)],
    options: &str,
    n_threads: &str,
) -> BTreeMap<String, Vec<u32>> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let records = proteins
        .iter()
        .map(|(id, residues)| format!(">{id}\n{residues}\n"));
    fs::write(at("in.fa"), records.collect::<String>()).unwrap();
    let script = format!(
        "let model = esm2(\"{}\", #{{ device: \"cpu\" }});
        embed(model, fasta(\"in.fa\").long_sequences(\"truncate\", 400), #{{ output: \"out.parquet\", {options} }});",
        project(DEMO).display()
    );
    fs::write(at("job.rhai"), script).unwrap();
    let mut program = Command::new(RUNNER);
    program
        .args(["exec", "job.rhai"])
        .env("RAYON_NUM_THREADS", n_threads)
        .current_dir(folder.path());
    let done = finish(&mut program, b"");
    assert!(done.status.success(), "{options}: {done:?}");
    let found = Embeddings::read(&at("out.parquet")).unwrap();
    let ids = found.ids().iter().enumerate();
    ids.map(|(row, id)| (id.clone(), bits(found.vector(row))))
        .collect()
}

#[test]
fn the_program_gives_a_sequence_the_same_bits_whatever_runs_with_it() {
    let proteins = proteins();
    let expected = embed_with_program(&proteins, "token_budget: 4096", "2");
    assert_eq!(expected.len(), proteins.len());
    for (options, n_threads) in [
        // A batch holds one of the longest.
        ("token_budget: 402", "2"),
        ("token_budget: 1000", "1"),
        ("token_budget: 40000", "3"),
        ("token_budget: 3000, packing: false", "2"),
    ] {
        let found = embed_with_program(&proteins, options, n_threads);
        assert!(found == expected, "{options}, {n_threads} threads");
    }
    let mut reversed = proteins.clone();
    reversed.reverse();
    let found = embed_with_program(&reversed, "token_budget: 2000", "2");
    assert!(found == expected, "in another order");
    for protein in [&proteins[1], &proteins[50], &proteins[89]] {
        let alone = embed_with_program(std::slice::from_ref(protein), "", "2");
        assert!(
            alone[&protein.0] == expected[&protein.0],
            "{} alone",
            protein.0
        );
    }
}

/// Numbers as they are stored.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
