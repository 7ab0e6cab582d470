//! Weights that are not finite are never hidden: whatever is planted in them ends the run and names a
//! sequence.

use super::{
    common::{load_on, one_batch},
    files::{self, Tensors, tensors},
};
use crate::{RUNNER, child::finish};
use runner::{
    batch::PackedBatch,
    job::{DeviceChoice, Dtype, Pooling, Question},
    model::{Model, ModelError},
};
use std::{fs, process::Command};

const MODEL: &str = "tests/golden/hd16";
const EMBEDDINGS: &str = "esm.embeddings.word_embeddings.weight";
const HIDDEN: usize = 64;
const NOT_FINITE: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

/// A device, and what it computes in.
#[derive(Clone)]
pub struct Place {
    pub device: DeviceChoice,
    pub dtype: Dtype,
}

impl Place {
    fn load(&self, tensors: &Tensors) -> Model {
        let folder = files::folder(MODEL, tensors);
        let folder = folder.path().to_string_lossy();
        load_on(&folder, self.device.clone(), self.dtype)
    }
}

/// Sequences of one key, of several, and of more than one vector of keys; none has a tryptophan.
fn batch() -> PackedBatch {
    one_batch(&["M", "MKTAYIAKQR", &"ACDEFGHIKLMNPQRSTVY".repeat(4)])
}

/// Which sequence `encode` says is not finite.
fn found(
    model: &Model,
    batch: &PackedBatch,
    layer: usize,
    pooling: Pooling,
) -> Result<Option<String>, ModelError> {
    match model.encode(batch, &[layer], pooling) {
        Ok(_) => Ok(None),
        Err(ModelError::NotFinite { id, .. }) => Ok(Some(id)),
        Err(error) => Err(error),
    }
}

/// A number that is not finite, at the beginning, in the middle and at the end of each tensor that the
/// encoder has.
pub fn check_every_tensor(place: &Place) {
    let good = tensors(MODEL);
    let batch = batch();
    let names: Vec<_> = good
        .keys()
        .filter(|name| name.starts_with("esm."))
        .collect();
    assert!(names.len() > 30, "{} tensors", names.len());
    for name in names {
        let n = good[name].bytes.len() / 4;
        // The first token of the vocabulary is BOS, which every sequence has; the last ones nobody has.
        let places = match name.as_str() {
            EMBEDDINGS => vec![0, HIDDEN / 2, HIDDEN - 1],
            _ => vec![0, n / 2, n - 1],
        };
        for (index, value) in places
            .into_iter()
            .zip(NOT_FINITE.iter().cycle().skip(name.len()))
        {
            for value in [f32::NAN, *value] {
                let mut broken = good.clone();
                broken.insert(name.clone(), good[name].with(index, value));
                let model = place.load(&broken);
                for pooling in Pooling::ALL {
                    let found = found(&model, &batch, model.n_layers(), pooling);
                    let found = found.expect("the device works");
                    assert!(
                        found.is_some(),
                        "{value} at {index} of `{name}` is hidden by {pooling:?}"
                    );
                }
            }
        }
    }
}

/// A token's embedding counts where the token is, and nowhere else.
pub fn check_tokens(place: &Place) {
    let good = tensors(MODEL);
    let reference = place.load(&good);
    let without = batch();
    let with = one_batch(&["MKTA", "MKWTA", "AYIAK"]);
    let last = reference.n_layers();
    // `<pad>`, `<unk>`, tryptophan, `<mask>`.
    for token in [1, 3, 22, 32] {
        for value in NOT_FINITE {
            let mut broken = good.clone();
            let index = token * HIDDEN + 5;
            broken.insert(EMBEDDINGS.to_owned(), good[EMBEDDINGS].with(index, value));
            let model = place.load(&broken);
            // On a GPU this computes a batch of made-up sequences first.
            model.replicas()[0]
                .warm_up(512, &Question::pooled(&[last], Pooling::Mean))
                .expect("memory");
            let mut padded = without.clone();
            padded.n_padding = 40;
            for pooling in Pooling::ALL {
                for batch in [&without, &padded] {
                    let got = model.encode(batch, &[0, last], pooling).expect("finite");
                    let want = reference.encode(batch, &[0, last], pooling);
                    assert_eq!(got, want.expect("finite"), "token {token}: {value}");
                }
                // BOS is its own embedding at layer 0.
                if token == 22 && pooling != Pooling::Cls {
                    for layer in 0..=last {
                        let found = found(&model, &with, layer, pooling);
                        let found = found.expect("the device works");
                        assert_eq!(
                            found.as_deref(),
                            Some("s1"),
                            "{value} in layer {layer} by {pooling:?}"
                        );
                    }
                }
            }
        }
    }
}

/// Leucine is what a device is tried with before the first batch.
pub fn check_warm_up(place: &Place) {
    let good = tensors(MODEL);
    let mut broken = good.clone();
    let index = 4 * HIDDEN;
    broken.insert(
        EMBEDDINGS.to_owned(),
        good[EMBEDDINGS].with(index, f32::NAN),
    );
    let model = place.load(&broken);
    let last = model.n_layers();
    model.replicas()[0]
        .warm_up(512, &Question::pooled(&[last], Pooling::Mean))
        .expect("nobody looks at it");
    let batch = one_batch(&["MKTA", "MKLTA"]);
    let found = found(&model, &batch, last, Pooling::Mean).expect("the device works");
    assert_eq!(found.as_deref(), Some("s1"));
}

/// Finite weights whose numbers overflow on the way.
pub fn check_overflow(place: &Place) {
    let good = tensors(MODEL);
    for name in [
        EMBEDDINGS,
        "esm.encoder.layer.0.output.dense.weight",
        "esm.encoder.layer.1.output.dense.bias",
    ] {
        let mut broken = good.clone();
        let values: Vec<f32> = good[name].values().iter().map(|x| x * 1e25).collect();
        let huge = files::Stored::new(&good[name].shape, &values);
        broken.insert(name.to_owned(), huge);
        let model = place.load(&broken);
        for pooling in Pooling::ALL {
            let found = found(&model, &batch(), model.n_layers(), pooling);
            assert!(
                found.expect("the device works").is_some(),
                "an overflow in `{name}` is hidden by {pooling:?}"
            );
        }
    }
}

const CPU: Place = Place {
    device: DeviceChoice::Cpu,
    dtype: Dtype::F32,
};

#[test]
fn what_is_planted_in_any_tensor_is_reported() {
    check_every_tensor(&CPU);
}

#[test]
fn an_embedding_counts_where_its_token_is() {
    check_tokens(&CPU);
    check_warm_up(&CPU);
}

/// A model is fine whose numbers are only too large for the format in which they would be written.
#[test]
fn half_precision_may_have_no_room() {
    const NORM: &str = "esm.encoder.emb_layer_norm_after.weight";
    let mut large = tensors(MODEL);
    let values: Vec<f32> = large[NORM].values().iter().map(|x| x * 30_000.0).collect();
    large.insert(
        NORM.to_owned(),
        files::Stored::new(&large[NORM].shape, &values),
    );
    let folder = files::folder(MODEL, &large);
    fs::write(folder.path().join("in.fa"), ">s\nMKTAYIAKQRQISFVKSHFSRQ\n").unwrap();
    let model = folder.path().display();
    let run = |dtype: &str, policy: &str| {
        let options = format!("residues: true, output: \"x.arrow\", output_dtype: \"{dtype}\"");
        let script = format!(
            "embed(esm2(\"{model}\", #{{ device: \"cpu\" }}), fasta(\"in.fa\"){policy}, #{{ {options} }});"
        );
        fs::write(folder.path().join("run.rhai"), script).unwrap();
        let mut program = Command::new(RUNNER);
        program.args(["exec", "-q", "run.rhai"]);
        finish(program.current_dir(folder.path()), b"")
    };
    for policy in ["", ".long_sequences(\"window\", 10, #{ overlap: 4 })"] {
        let refused = run("f16", policy);
        let stderr = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success());
        for expect in [
            "`s` (22 residues)",
            "f16 has no room for",
            "output_dtype: \"f32\"",
        ] {
            assert!(stderr.contains(expect), "{stderr}");
        }
        // What was begun in one format is not gone on with in another one.
        fs::remove_dir_all(folder.path().join("x.arrow.parts")).ok();
    }
    let done = run("f32", "");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn numbers_that_overflow_are_reported() {
    check_overflow(&CPU);
}
