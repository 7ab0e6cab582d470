//! Embeddings against HF transformers in f32.

use super::common::{GOLDEN_MODELS, golden_sequences, load, one_batch, project};
use runner::{job::Pooling, model::Model};
use safetensors::SafeTensors;
use std::collections::BTreeMap;

/// Reference outputs by name: `3.mean`, `3.cls`, … The standard deviations are computed here, from the
/// vectors of tokens.
pub fn references(folder: &str) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(project(folder).join("golden.safetensors")).expect("golden file");
    let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let mut references = BTreeMap::new();
    for (name, view) in tensors.iter() {
        let words = view.data().as_chunks::<4>().0.iter();
        let values: Vec<f32> = words.map(|&word| f32::from_le_bytes(word)).collect();
        if let Some(sequence) = name.strip_suffix(".tokens") {
            references.insert(format!("{sequence}.std"), deviations(&values, view.shape()));
        }
        references.insert(name.to_owned(), values);
    }
    references
}

/// The standard deviation of each component over residues, in f64, from the vectors of all tokens,
/// `[L, hidden]`.
fn deviations(tokens: &[f32], shape: &[usize]) -> Vec<f32> {
    let &[length, hidden] = shape else {
        panic!("a matrix, not {shape:?}");
    };
    // Neither BOS nor EOS.
    let residues = 1..length - 1;
    let deviation = |i: usize| {
        let n = residues.len() as f64;
        let column = residues
            .clone()
            .map(|token| f64::from(tokens[token * hidden + i]));
        let mean = column.clone().sum::<f64>() / n;
        (column.map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt() as f32
    };
    (0..hidden).map(deviation).collect()
}

/// All outputs but the logits, which are compared in `logits`.
pub const OUTPUTS: [&str; 5] = ["mean", "cls", "mean_all_layers", "tokens", "std"];

/// How close results have to be.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// The largest difference of a component.
    pub tolerance: f32,
    /// The least cosine between the vectors.
    pub least_cosine: f64,
}

/// f32 against f32 after a few layers: rounding alone explains some 1e-6.
const ON_CPU: Bounds = Bounds {
    tolerance: 1e-4,
    least_cosine: 0.999_999,
};

/// How close two vectors are.
pub struct Closeness {
    /// The largest difference of a component.
    pub difference: f32,
    /// The cosine of the angle between them.
    pub cosine: f64,
}

impl Closeness {
    pub fn of(got: &[f32], want: &[f32]) -> Self {
        let mut difference = 0f32;
        let (mut dot, mut got_square, mut want_square) = (0f64, 0f64, 0f64);
        for (&got, &want) in got.iter().zip(want) {
            difference = difference.max((got - want).abs());
            dot += f64::from(got) * f64::from(want);
            got_square += f64::from(got).powi(2);
            want_square += f64::from(want).powi(2);
        }
        // The deviations of a single residue: nothing has no direction, but is equal to itself.
        let are_zero = got_square == 0.0 && want_square == 0.0;
        let cosine = dot / (got_square * want_square).sqrt();
        Self {
            difference,
            cosine: if are_zero { 1.0 } else { cosine },
        }
    }
}

/// What transformers was asked for the layouts and the trained weights: all outputs but those of tokens. Returns the
/// largest difference.
pub fn check_outputs(folder: &str, model: &Model, bounds: Bounds) -> f32 {
    check(folder, model, &["mean", "cls", "mean_all_layers"], bounds)
}

/// Returns the largest difference.
pub fn assert_close(got: &[f32], want: &[f32], bounds: Bounds, name: &str) -> f32 {
    assert_eq!(got.len(), want.len(), "{name}: shape");
    let Closeness { difference, cosine } = Closeness::of(got, want);
    assert!(
        difference <= bounds.tolerance && cosine >= bounds.least_cosine,
        "{name}: largest difference {difference:e}, cosine {cosine}"
    );
    difference
}

/// The reference outputs of one model whose names have one of these endings, its sequences in one
/// batch. Returns the largest difference.
pub fn check(folder: &str, model: &Model, endings: &[&str], bounds: Bounds) -> f32 {
    let references = references(folder);
    let sequences = golden_sequences(folder);
    let batch = one_batch(&sequences);
    let hidden = model.hidden_size();
    let last = model.n_layers();
    let all_layers: Vec<_> = (0..=last).collect();

    let encode = |layers: &[usize], pooling| {
        model
            .encode(&batch, layers, pooling)
            .expect("finite embeddings")
    };
    let mean = encode(&[last], Pooling::Mean);
    let cls = encode(&[last], Pooling::Cls);
    let std = encode(&[last], Pooling::Std);
    let mean_all_layers = encode(&all_layers, Pooling::Mean);
    let tokens = model.encode_tokens(&batch, last).expect("token vectors");

    let (mut n_checked, mut largest) = (0, 0f32);
    for (row, range) in batch.rows.iter().zip(batch.ranges()) {
        let index = row.index as usize;
        let slot = batch
            .rows
            .iter()
            .position(|other| other.index == row.index)
            .expect("the row is in its own batch");
        let width = all_layers.len() * hidden;
        let outputs = [
            ("mean", &mean[slot * hidden..][..hidden]),
            ("cls", &cls[slot * hidden..][..hidden]),
            ("std", &std[slot * hidden..][..hidden]),
            ("mean_all_layers", &mean_all_layers[slot * width..][..width]),
            ("tokens", &tokens[range.start * hidden..range.end * hidden]),
        ];
        for (output, got) in outputs {
            let name = format!("{index}.{output}");
            // Token outputs are kept for some sequences only.
            if endings.contains(&output)
                && let Some(want) = references.get(&name)
            {
                let difference = assert_close(got, want, bounds, &format!("{folder} {name}"));
                largest = largest.max(difference);
                n_checked += 1;
            }
        }
    }
    let n_wanted = references
        .keys()
        .filter(|name| {
            endings
                .iter()
                .any(|ending| name.ends_with(&format!(".{ending}")))
        })
        .count();
    assert_eq!(n_checked, n_wanted, "every reference output was compared");
    assert!(n_checked >= endings.len(), "{folder}: {n_checked} outputs");
    largest
}

#[test]
fn embeddings_agree_with_hf_transformers() {
    for folder in GOLDEN_MODELS {
        check(folder, &load(folder), &OUTPUTS, ON_CPU);
    }
}

#[test]
fn max_pooling_is_the_largest_value_over_residues() {
    let folder = GOLDEN_MODELS[4];
    let model = load(folder);
    let batch = one_batch(&golden_sequences(folder));
    let hidden = model.hidden_size();
    let tokens = model
        .encode_tokens(&batch, model.n_layers())
        .expect("token vectors");
    let pooled = model
        .encode(&batch, &[model.n_layers()], Pooling::Max)
        .expect("finite embeddings");
    for (range, pooled) in batch.ranges().zip(pooled.chunks(hidden)) {
        // BOS and EOS are not residues.
        for (i, &got) in pooled.iter().enumerate() {
            let want = (range.start + 1..range.end - 1)
                .map(|token| tokens[token * hidden + i])
                .fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(got, want);
        }
    }
}
