//! A tiny model whose numbers are known, run as any model is.

mod generator;
mod reference;
mod weights;

use crate::{
    alphabet::{self, N_SPECIAL_TOKENS},
    batch::{PackedBatch, Row},
    error::Error,
    file::TemporaryFolder,
    hint::Hint,
    job::{DeviceChoice, Dtype, ModelSpec, Pooling},
    model::Model,
};
use reference::{EMBEDDINGS, TOLERANCES};
use std::{fs, io, path::Path, time::Instant};

/// Residues of the sequences that are embedded.
const LENGTHS: [usize; EMBEDDINGS.len()] = [33, 61, 150];
/// The first stream of numbers that sequences are made from.
const FIRST_STREAM: u32 = 100;
/// Which components are compared: every one of so many.
const STEP: usize = 8;

/// How far the numbers of a device are off.
pub(super) struct Outcome {
    /// The largest difference from what the numbers have to be; not finite if one of them is not.
    pub(super) error: f32,
    /// The largest difference that rounding explains.
    pub(super) tolerance: f32,
    /// How long it took, with loading.
    pub(super) seconds: f64,
}

impl Outcome {
    /// Whether rounding explains the differences.
    pub(super) fn is_right(&self) -> bool {
        self.error <= self.tolerance
    }
}

/// Why there are no numbers to compare.
pub(super) struct Failed {
    pub(super) message: String,
    pub(super) remedy: Option<String>,
}

/// Embeds sequences on a device, and compares them with what they have to be.
pub(super) fn run(device: &DeviceChoice, dtype: Dtype) -> Result<Outcome, Failed> {
    let start = Instant::now();
    let embedded = embed(device, dtype).map_err(|error| Failed {
        message: error.to_string(),
        remedy: error.hint(),
    })?;
    let tolerance = TOLERANCES.iter().find(|(of, _)| *of == dtype);
    let (_, tolerance) = tolerance.expect("every number format is in the table");
    Ok(Outcome {
        error: largest_difference(&embedded, &EMBEDDINGS),
        tolerance: *tolerance,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// The embeddings, a row a sequence.
fn embed(device: &DeviceChoice, dtype: Dtype) -> Result<Vec<f32>, Error> {
    let folder = TemporaryFolder::new()?;
    write(folder.path()).map_err(|error| {
        crate::file::FileError::io(
            "write the model of the self-test into",
            folder.path(),
            error,
        )
    })?;
    let spec = ModelSpec {
        dtype: Some(dtype),
        device: device.clone(),
        ..ModelSpec::new(&folder.path().display().to_string())
    };
    let model = Model::load(&spec)?;
    let embedded = model.encode(&batch(), &[weights::N_LAYERS], Pooling::Mean);
    Ok(embedded?)
}

/// Writes a folder as transformers writes one.
fn write(folder: &Path) -> io::Result<()> {
    fs::write(folder.join("config.json"), weights::config())?;
    fs::write(folder.join("model.safetensors"), weights::safetensors())
}

/// The sequences, end to end.
fn batch() -> PackedBatch {
    let mut input_ids = Vec::new();
    let mut cu_seqlens = vec![0];
    let mut rows = Vec::new();
    for (n, &length) in LENGTHS.iter().enumerate() {
        let sequence = sequence(FIRST_STREAM + n as u32, length);
        alphabet::encode(&sequence, &mut input_ids);
        cu_seqlens.push(input_ids.len() as i32);
        rows.push(Row {
            index: n as u64,
            id: format!("self-test {n}"),
            description: String::new(),
            length: length as u32,
            truncated: false,
            piece: None,
            sequence: Vec::new(),
        });
    }
    let longest = LENGTHS.iter().max().expect("there are some");
    PackedBatch {
        token_budget: input_ids.len(),
        input_ids,
        cu_seqlens,
        max_seqlen: longest + N_SPECIAL_TOKENS,
        rows,
        n_padding: 0,
    }
}

/// Residues among the twenty common ones, whose tokens are the first ones behind the special ones.
fn sequence(stream: u32, length: usize) -> Vec<u8> {
    let common = &alphabet::RESIDUES[..20];
    let numbers = generator::integers(stream).take(length);
    numbers
        .map(|number| common[number as usize % common.len()])
        .collect()
}

/// The largest difference between embeddings and what some of their components have to be.
fn largest_difference<const N: usize>(embedded: &[f32], expected: &[[f32; N]]) -> f32 {
    let rows = embedded.chunks_exact(N * STEP).zip(expected);
    let differences = rows.flat_map(|(row, expected)| {
        let kept = row.iter().step_by(STEP).zip(expected);
        kept.map(|(number, expected)| (number - expected).abs())
    });
    // A number that is none is no small difference.
    differences.fold(0.0, |largest, difference| {
        match difference > largest || difference.is_nan() {
            true => difference,
            false => largest,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_right_and_any_other_number_is_wrong() {
        let embedded = embed(&DeviceChoice::Cpu, Dtype::F32).expect("the CPU computes");
        assert_eq!(embedded.len(), LENGTHS.len() * weights::HIDDEN);
        let (_, tolerance) = TOLERANCES[0];
        let judged = |embedded: &[f32], expected: &[[f32; 16]; 3]| Outcome {
            error: largest_difference(embedded, expected),
            tolerance,
            seconds: 0.0,
        };
        assert!(judged(&embedded, &EMBEDDINGS).is_right());
        // Every number counts.
        for row in 0..EMBEDDINGS.len() {
            for column in 0..EMBEDDINGS[0].len() {
                let mut altered = EMBEDDINGS;
                altered[row][column] += 3.0 * tolerance;
                assert!(!judged(&embedded, &altered).is_right(), "{row}, {column}");
                let mut altered = embedded.clone();
                altered[row * weights::HIDDEN + column * STEP] = f32::NAN;
                assert!(!judged(&altered, &EMBEDDINGS).is_right(), "{row}, {column}");
            }
        }
    }

    #[test]
    fn a_model_without_a_part_is_told_from_rounding_in_any_format() {
        // Without attention to others, in what a sequence becomes.
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path()).expect("it is written");
        let spec = ModelSpec {
            device: DeviceChoice::Cpu,
            ..ModelSpec::new(&folder.path().display().to_string())
        };
        let model = Model::load(&spec).expect("it loads");
        let shallow = model
            .encode(&batch(), &[weights::N_LAYERS - 1], Pooling::Mean)
            .expect("numbers");
        let cls = model
            .encode(&batch(), &[weights::N_LAYERS], Pooling::Cls)
            .expect("numbers");
        for (dtype, tolerance) in TOLERANCES {
            for wrong in [&shallow, &cls] {
                let error = largest_difference(wrong, &EMBEDDINGS);
                assert!(error > 3.0 * tolerance, "{dtype:?}: {error}");
            }
        }
    }
}
