//! The forms in which people have weights, and the faults that they have.

use super::{
    common::{golden_sequences, one_batch, project},
    files::{self, Tensors, check_refused, load, save},
};
use half::{bf16, f16};
use runner::job::Pooling;
use safetensors::Dtype;
use std::{collections::BTreeMap, fs, os::unix::fs::symlink, path::Path};
use tempfile::TempDir;

const MODEL: &str = "tests/golden/hd24";

fn tensors() -> Tensors {
    files::tensors(MODEL)
}

fn folder(tensors: &Tensors) -> TempDir {
    files::folder(MODEL, tensors)
}

fn folder_without_weights() -> TempDir {
    files::folder_without_weights(MODEL)
}

/// Embeddings of the golden sequences.
fn embed(folder: &Path) -> Vec<f32> {
    let model = load(folder).expect("the model loads");
    let batch = one_batch(&golden_sequences(MODEL));
    model
        .encode(&batch, &[model.n_layers()], Pooling::Mean)
        .unwrap()
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
    check_refused(folder.path(), &["model.safetensors", "git lfs pull"]);
    fs::write(&path, "a file of text that is longer than eight bytes").unwrap();
    check_refused(folder.path(), &["does not begin with a safetensors header"]);
    fs::write(&path, "<!DOCTYPE html>\n<html>").unwrap();
    check_refused(folder.path(), &["a web page", "/resolve/"]);
    fs::write(&path, b"PK\x03\x04 and so on").unwrap();
    check_refused(folder.path(), &["list of entries", "cut short"]);
    fs::remove_file(&path).unwrap();
    symlink("../blobs/abc", &path).unwrap();
    check_refused(folder.path(), &["is a link to `../blobs/abc`"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    check_refused(folder.path(), &["model.safetensors", "not a file"]);
}

#[test]
fn a_list_of_shards_names_files_beside_it() {
    let folder = folder_without_weights();
    let path = folder.path().join("model.safetensors.index.json");
    let check = |file: &str, parts: &[&str]| {
        let index = serde_json::json!({ "weight_map": { "a": file } });
        fs::write(&path, index.to_string()).unwrap();
        check_refused(folder.path(), parts);
    };
    let other = project(MODEL).join("model.safetensors");
    check(
        "../model.safetensors",
        &["`../model.safetensors`", "not a file beside it"],
    );
    check(other.to_str().unwrap(), &["not a file beside it"]);
    check("a/b.safetensors", &["not a file beside it"]);
    check("..", &["not a file beside it"]);
    check("missing.safetensors", &["missing.safetensors"]);
    fs::write(&path, r#"{ "weight_map": {} }"#).unwrap();
    check_refused(folder.path(), &["lists no file"]);
    fs::write(&path, "[]").unwrap();
    check_refused(folder.path(), &["not a list of weights files"]);
    fs::write(&path, vec![b' '; (16 << 20) + 1]).unwrap();
    check_refused(folder.path(), &["more than 16777216 bytes"]);
}

#[test]
fn headers_that_promise_too_much_are_refused() {
    let folder = folder_without_weights();
    let path = folder.path().join("model.safetensors");
    let check = |header: &str, parts: &[&str]| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.bytes());
        fs::write(&path, bytes).unwrap();
        check_refused(folder.path(), parts);
    };
    let most = 1u64 << 57;
    let huge = format!(
        r#"{{"a":{{"dtype":"F32","shape":[{}],"data_offsets":[0,{most}]}}}}"#,
        most / 4
    );
    check(&huge, &["model.safetensors", "cut short"]);
    check(
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        &["header is broken"],
    );
    check(r#"{"a":1}"#, &["header is broken"]);
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
    fs::write(folder.path().join("esm2.pth"), "").unwrap();
    check_refused(folder.path(), &["`esm2.pth`", "`pytorch_model.bin`"]);
}

#[test]
fn another_alphabet_is_refused() {
    let folder = folder(&tensors());
    let vocabulary = fs::read_to_string(project(MODEL).join("vocab.txt")).unwrap();
    let path = folder.path().join("vocab.txt");
    fs::write(&path, vocabulary.replace('L', "J")).unwrap();
    check_refused(folder.path(), &["vocab.txt", "`J`"]);
    fs::write(&path, b"<cls>\n\xff\xfe\n").unwrap();
    check_refused(folder.path(), &["vocab.txt", "not UTF-8 text (byte 6)"]);
    fs::write(&path, vec![b'\n'; 100_000]).unwrap();
    check_refused(folder.path(), &["vocab.txt", "more than 65536 bytes"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    check_refused(folder.path(), &["vocab.txt", "not a file"]);
    fs::remove_dir(&path).unwrap();
    fs::write(&path, vocabulary).unwrap();
    assert!(load(folder.path()).is_ok());
}
