//! An embedding depends on its sequence and on nothing else.

use super::common::{GOLDEN_MODELS, golden_sequences, load, one_batch};
use runner::{job::Pooling, model::Model};

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

#[test]
fn a_sequence_alone_agrees_with_itself_in_a_batch() {
    for folder in GOLDEN_MODELS {
        let model = load(folder);
        let sequences = golden_sequences(folder);
        let together = embed(&model, &sequences);
        for (sequence, together) in sequences.iter().zip(&together) {
            let alone = &embed(&model, std::slice::from_ref(sequence))[0];
            let scale = alone.iter().fold(0f32, |scale, x| scale.max(x.abs()));
            for (alone, together) in alone.iter().zip(together) {
                assert!(
                    (alone - together).abs() <= 1e-6 * scale,
                    "{folder}, {} residues: {alone} alone, {together} in a batch",
                    sequence.len()
                );
            }
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
    let largest = packed.iter().zip(&padded).map(|(a, b)| (a - b).abs());
    // Another number of rows can make flex cut its products differently.
    assert!(largest.fold(0f32, f32::max) <= 1e-5);
}
