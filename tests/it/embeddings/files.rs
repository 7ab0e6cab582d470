//! Model folders that tests make from a golden model: tensors changed, renamed or left out.

use super::common::project;
use runner::{
    cancel::CancelToken,
    hint::Hint,
    job::{DeviceChoice, ModelSpec},
    model::{Model, ModelError},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{collections::BTreeMap, fs, path::Path};
use tempfile::TempDir;

/// A tensor of a weights file.
#[derive(Clone)]
pub struct Stored {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// The tensors of a weights file, by name.
pub type Tensors = BTreeMap<String, Stored>;

impl Stored {
    /// A tensor of f32.
    pub fn new(shape: &[usize], values: &[f32]) -> Self {
        Self {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    /// The numbers of a tensor of f32.
    pub fn values(&self) -> Vec<f32> {
        let words = self.bytes.as_chunks::<4>().0.iter();
        words.map(|&word| f32::from_le_bytes(word)).collect()
    }

    /// The same with one number replaced.
    pub fn with(&self, index: usize, value: f32) -> Self {
        let mut changed = self.clone();
        changed.bytes[4 * index..][..4].copy_from_slice(&value.to_le_bytes());
        changed
    }
}

/// The tensors of a model of the project.
pub fn tensors(model: &str) -> Tensors {
    let bytes = fs::read(project(model).join("model.safetensors")).unwrap();
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

/// Writes a weights file.
pub fn save(tensors: &Tensors, path: &Path) {
    let views = tensors.iter().map(|(name, stored)| {
        let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes);
        (name.as_str(), view.unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A folder with the configuration of a model of the project, and these weights in one file.
pub fn folder(model: &str, tensors: &Tensors) -> TempDir {
    let folder = folder_without_weights(model);
    save(tensors, &folder.path().join("model.safetensors"));
    folder
}

/// A folder with the configuration of a model of the project.
pub fn folder_without_weights(model: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = project(model).join("config.json");
    fs::copy(config, folder.path().join("config.json")).unwrap();
    folder
}

/// Adds a key to the configuration of a folder.
pub fn configure(folder: &Path, key: &str, value: &str) {
    let path = folder.join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replacen('{', &format!("{{ \"{key}\": {value},"), 1);
    fs::write(path, text).unwrap();
}

/// The model of a folder, on the CPU.
pub fn load(folder: &Path) -> Result<Model, ModelError> {
    Model::load(&on_cpu(folder))
}

fn on_cpu(folder: &Path) -> ModelSpec {
    ModelSpec {
        device: DeviceChoice::Cpu,
        ..ModelSpec::new(&folder.to_string_lossy())
    }
}

/// Neither `load` nor `check` takes the model, and both say why with all of `parts`.
pub fn check_refused(folder: &Path, parts: &[&str]) {
    let loaded = load(folder).err().expect("the model must be refused");
    let checked = Model::check(&on_cpu(folder), &CancelToken::default())
        .expect_err("the model must be refused");
    for message in [loaded.in_full(), checked.in_full()] {
        for part in parts {
            assert!(message.contains(part), "`{message}` does not say `{part}`");
        }
    }
}
