//! The files in which PyTorch saves weights: each of them gives the embeddings of the same numbers in
//! safetensors, bit by bit.
//!
//! `scripts/golden/torch_files.py` has written them.

use super::{
    common::{golden_sequences, one_batch, project},
    files::{check_refused, folder_without_weights, load},
};
use runner::job::Pooling;
use std::{fs, path::Path};
use tempfile::TempDir;

const FILES: &str = "tests/golden/torch";
const SEQUENCES: &str = "tests/golden/hd16";

/// The bits of the embeddings of some sequences.
fn bits(folder: &Path) -> Vec<u32> {
    let model = load(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let batch = one_batch(&golden_sequences(SEQUENCES));
    let values = model.encode(&batch, &[0, 1], Pooling::Mean).unwrap();
    values.iter().map(|x| x.to_bits()).collect()
}

/// A model's folder with a file of the project under another name.
fn folder_with(file: &str, name: &str) -> TempDir {
    let folder = folder_without_weights(FILES);
    fs::copy(project(FILES).join(file), folder.path().join(name)).unwrap();
    folder
}

fn with_bin(file: &str) -> TempDir {
    folder_with(file, "pytorch_model.bin")
}

#[test]
fn every_form_gives_the_same_bits() {
    let expect = bits(&project(FILES));
    assert!(expect.iter().any(|&bits| bits != 0));
    for file in [
        "plain.bin",
        "old.bin",
        "protocol_5.bin",
        "f16.bin",
        "bf16.bin",
        "views.bin",
        "training.bin",
    ] {
        assert_eq!(bits(with_bin(file).path()), expect, "{file}");
    }
    // What a file is stands in it.
    let renamed = folder_with("plain.bin", "model.safetensors");
    assert_eq!(bits(renamed.path()), expect);
    assert_eq!(bits(with_bin("model.safetensors").path()), expect);
}

#[test]
fn several_files_are_found_by_their_list() {
    let folder = folder_with("parts.json", "pytorch_model.bin.index.json");
    for file in ["part-00001-of-00002.bin", "part-00002-of-00002.bin"] {
        fs::copy(project(FILES).join(file), folder.path().join(file)).unwrap();
    }
    assert_eq!(bits(folder.path()), bits(&project(FILES)));
    fs::remove_file(folder.path().join("part-00002-of-00002.bin")).unwrap();
    check_refused(folder.path(), &["part-00002-of-00002.bin"]);
}

#[test]
fn safetensors_win() {
    let folder = with_bin("two_models.bin");
    let file = folder.path().join("model.safetensors");
    fs::copy(project(FILES).join("model.safetensors"), file).unwrap();
    assert_eq!(bits(folder.path()), bits(&project(FILES)));
}

#[test]
fn what_is_not_one_dictionary_of_tensors_says_so() {
    check_refused(
        with_bin("two_models.bin").path(),
        &[
            "several dictionaries",
            "in `model`, in `ema`",
            "state_dict()",
        ],
    );
    check_refused(
        with_bin("whole_model.bin").path(),
        &["`torch.nn.modules.linear.Linear`", "nothing of it was run"],
    );
    check_refused(
        with_bin("script.bin").path(),
        &["TorchScript", "torch.jit.load"],
    );
    let big = with_bin("plain.bin");
    let path = big.path().join("pytorch_model.bin");
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(6).position(|word| word == b"little").unwrap();
    let mut bytes = [&bytes[..at], b"bigbig", &bytes[at + 6..]].concat();
    // Without checksums, as PyTorch writes where it is told so.
    for at in 0..bytes.len() - 20 {
        if bytes[at..].starts_with(b"PK\x01\x02") {
            bytes[at + 16..at + 20].fill(0);
        }
    }
    fs::write(&path, bytes).unwrap();
    check_refused(big.path(), &["pytorch_model.bin", "little-endian"]);
}

#[test]
fn files_that_were_cut_short_are_noticed() {
    for file in ["plain.bin", "old.bin"] {
        let folder = with_bin(file);
        let path = folder.path().join("pytorch_model.bin");
        let bytes = fs::read(&path).unwrap();
        for n in [bytes.len() - 1, bytes.len() / 2, 4000] {
            fs::write(&path, &bytes[..n]).unwrap();
            check_refused(folder.path(), &["pytorch_model.bin", "cut short?"]);
        }
        fs::write(&path, &bytes[..200]).unwrap();
        check_refused(folder.path(), &["not a good file of weights"]);
    }
}
