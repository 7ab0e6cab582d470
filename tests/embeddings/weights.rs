//! The forms in which people have weights, and the faults that they have.

use crate::common::{golden_sequences, one_batch, project};
use half::{bf16, f16};
use runner::{
    job::{DeviceChoice, ModelSpec, Pooling},
    model::{Model, ModelError},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{collections::BTreeMap, fs, path::Path};
use tempfile::TempDir;

const MODEL: &str = "tests/golden/hd24";

/// A tensor of a weights file.
#[derive(Clone)]
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

type Tensors = BTreeMap<String, Stored>;

fn tensors() -> Tensors {
    let bytes = fs::read(project(MODEL).join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let stored = |view: TensorView| Stored {
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    file.iter()
        .map(|(name, view)| (name.to_owned(), stored(view)))
        .collect()
}

fn save(tensors: &Tensors, path: &Path) {
    let views = tensors.iter().map(|(name, stored)| {
        let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes);
        (name.as_str(), view.unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A model's folder with these weights in one file.
fn folder(tensors: &Tensors) -> TempDir {
    let folder = folder_without_weights();
    save(tensors, &folder.path().join("model.safetensors"));
    folder
}

fn folder_without_weights() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        project(MODEL).join("config.json"),
        folder.path().join("config.json"),
    )
    .unwrap();
    folder
}

fn load(folder: &Path) -> Result<Model, ModelError> {
    Model::load(&ModelSpec {
        device: DeviceChoice::Cpu,
        ..ModelSpec::new(&folder.to_string_lossy())
    })
}

/// Embeddings of the golden sequences.
fn embed(folder: &Path) -> Vec<f32> {
    let model = load(folder).expect("the model loads");
    let batch = one_batch(&golden_sequences(MODEL));
    model
        .encode(&batch, &[model.n_layers()], Pooling::Mean)
        .unwrap()
}

fn check_refused(folder: &Path, parts: &[&str]) {
    let error = load(folder).err().expect("the model must be refused");
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{message}` does not say `{part}`");
    }
}

/// The weights rounded by `round`, as `dtype` and again as f32.
fn rounded(dtype: Dtype, round: impl Fn(f32) -> ([u8; 2], f32)) -> (Tensors, Tensors) {
    let (mut small, mut large) = (tensors(), tensors());
    for (small, large) in small.values_mut().zip(large.values_mut()) {
        let words = large.bytes.as_chunks::<4>().0.iter();
        let (halves, floats): (Vec<_>, Vec<_>) =
            words.map(|&word| round(f32::from_le_bytes(word))).unzip();
        small.dtype = dtype;
        small.bytes = halves.concat();
        large.bytes = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
    }
    (small, large)
}

#[test]
fn a_bare_encoder_has_no_prefix() {
    let bare = tensors()
        .into_iter()
        .filter_map(|(name, stored)| Some((name.strip_prefix("esm.")?.to_owned(), stored)))
        .collect();
    assert_eq!(embed(folder(&bare).path()), embed(&project(MODEL)));
}

#[test]
fn shards_are_found_by_their_index() {
    let folder = folder_without_weights();
    let mut shards = [Tensors::new(), Tensors::new(), Tensors::new()];
    let mut weight_map = BTreeMap::new();
    for (n, (name, stored)) in tensors().into_iter().enumerate() {
        weight_map.insert(
            name.clone(),
            format!("model-0000{}-of-00003.safetensors", n % 3),
        );
        shards[n % 3].insert(name, stored);
    }
    for (n, shard) in shards.iter().enumerate() {
        let name = format!("model-0000{n}-of-00003.safetensors");
        save(shard, &folder.path().join(name));
    }
    let index = serde_json::json!({ "metadata": {}, "weight_map": weight_map });
    let index_path = folder.path().join("model.safetensors.index.json");
    fs::write(index_path, index.to_string()).unwrap();
    assert_eq!(embed(folder.path()), embed(&project(MODEL)));

    fs::remove_file(folder.path().join("model-00001-of-00003.safetensors")).unwrap();
    check_refused(folder.path(), &["model-00001-of-00003.safetensors"]);
}

#[test]
fn half_precision_files_are_read_exactly() {
    let (small, large) = rounded(Dtype::F16, |x| {
        let half = f16::from_f32(x);
        (half.to_le_bytes(), half.to_f32())
    });
    assert_eq!(embed(folder(&small).path()), embed(folder(&large).path()));
    let (small, large) = rounded(Dtype::BF16, |x| {
        let half = bf16::from_f32(x);
        (half.to_le_bytes(), half.to_f32())
    });
    assert_eq!(embed(folder(&small).path()), embed(folder(&large).path()));
}

#[test]
fn a_download_that_was_cut_short_is_noticed() {
    let folder = folder(&tensors());
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    check_refused(folder.path(), &["model.safetensors", "cut short"]);
    fs::write(&path, &bytes[..5]).unwrap();
    check_refused(folder.path(), &["shorter than its own header"]);
    fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").unwrap();
    check_refused(folder.path(), &["does not begin with a safetensors header"]);
}

#[test]
fn missing_and_misshapen_tensors_are_named() {
    const NAME: &str = "esm.encoder.layer.1.output.dense.bias";
    let mut without = tensors();
    without.remove(NAME);
    check_refused(folder(&without).path(), &[NAME, "missing"]);
    let mut misshapen = tensors();
    let stored = misshapen.get_mut(NAME).unwrap();
    stored.shape.insert(0, 1);
    check_refused(folder(&misshapen).path(), &[NAME, "[1, 96]", "[96]"]);
}

#[test]
fn other_formats_are_pointed_out() {
    let folder = folder_without_weights();
    check_refused(folder.path(), &["no `model.safetensors`"]);
    fs::write(folder.path().join("pytorch_model.bin"), "").unwrap();
    check_refused(folder.path(), &["pickles", "save_file"]);
}

#[test]
fn another_alphabet_is_refused() {
    let folder = folder(&tensors());
    let vocabulary = fs::read_to_string(project(MODEL).join("vocab.txt")).unwrap();
    let path = folder.path().join("vocab.txt");
    fs::write(&path, vocabulary.replace('L', "J")).unwrap();
    check_refused(folder.path(), &["vocab.txt", "`J`"]);
    fs::write(&path, vocabulary).unwrap();
    assert!(load(folder.path()).is_ok());
}

#[test]
fn weights_that_are_not_finite_end_the_run() {
    let mut broken = tensors();
    let bias = broken
        .get_mut("esm.encoder.emb_layer_norm_after.bias")
        .unwrap();
    bias.bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let folder = folder(&broken);
    let model = load(folder.path()).expect("the model loads");
    let batch = one_batch(&["MKTA"]);
    let error = model
        .encode(&batch, &[model.n_layers()], Pooling::Mean)
        .unwrap_err();
    assert!(error.to_string().contains("`s0`"), "{error}");
}
