//! Weights in safetensors files, one or many.

use super::{
    Config, ModelError, foreign,
    layout::{Layout, layer_tensors, outer_tensors},
    plain_file,
    shard::{Shard, number_bytes},
};
use safetensors::tensor::TensorInfo;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

/// The weights of a model, read tensor by tensor and converted to f32.
pub(super) struct Weights {
    folder: PathBuf,
    shards: Vec<Shard>,
    layout: Layout,
}

/// The list of shards that HF writes beside them.
#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The list of a model of 15B parameters has 100 kB.
const MOST_INDEX_BYTES: u64 = 16 << 20;

impl Weights {
    /// Opens `model.safetensors` of `folder`, or the shards of `model.safetensors.index.json`, and
    /// checks by their headers that every tensor of `config` is there, in its shape.
    ///
    /// # Errors
    /// If there is neither, a file is missing, broken or cut short, or the tensors are not those of
    /// the model that `config` describes.
    pub(super) fn open(folder: &Path, config: &Config) -> Result<Self, ModelError> {
        let shards = shard_paths(folder)?
            .into_iter()
            .map(Shard::open)
            .collect::<Result<Vec<_>, _>>()?;
        let bad = |reason| ModelError::BadLayout {
            folder: folder.to_path_buf(),
            reason,
        };
        let names: Vec<String> = shards
            .iter()
            .flat_map(|shard| shard.metadata.offset_keys())
            .collect();
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
            return Err(bad(format!("`{twice}` is in two of its files").into()));
        }
        let names = names.iter().map(String::as_str);
        let layout = Layout::find(names.clone()).map_err(bad)?;
        layout.check(config, names).map_err(bad)?;
        let weights = Self {
            folder: folder.to_path_buf(),
            shards,
            layout,
        };
        for (name, shape) in outer_tensors(config) {
            weights.find(name, &shape)?;
        }
        for layer in 0..config.n_layers {
            for (name, shape) in layer_tensors(config) {
                weights.find(&format!("encoder.layer.{layer}.{name}"), &shape)?;
            }
        }
        Ok(weights)
    }

    /// The files, in the order in which they are hashed.
    pub(super) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The tensor `name`, row by row, in f32. The name is that of today's transformers, without a
    /// prefix.
    ///
    /// # Errors
    /// If it is missing, has another shape than `shape`, is not made of f32, f16 or bf16, or cannot be
    /// read.
    pub(super) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let (shard, info) = self.find(name, shape)?;
        shard.read(info)
    }

    /// The rotary frequencies, `[head_dim / 2]`, if the files have them. transformers saves them with
    /// the weights and uses what was saved, which Meta's checkpoints have rounded to f16.
    ///
    /// # Errors
    /// If there are different ones, and as [`read`](Self::read).
    pub(super) fn frequencies(&self, config: &Config) -> Result<Option<Vec<f32>>, ModelError> {
        let shape = [config.head_dim() / 2];
        let mut first: Option<(&str, Vec<f32>)> = None;
        for name in self.layout.frequencies() {
            let (shard, info) = self.find_exactly(name, &shape)?;
            let values = shard.read(info)?;
            match &first {
                None => first = Some((name, values)),
                Some((other, before)) => {
                    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect();
                    let (before, values): (Vec<_>, Vec<_>) = (bits(before), bits(&values));
                    if before != values {
                        return Err(self.bad(format!(
                            "rotary frequencies differ between `{other}` and `{name}`, and all layers \
                             of an ESM-2 have the same"
                        )));
                    }
                }
            }
        }
        Ok(first.map(|(_, values)| values))
    }

    /// The tensor `name` (without a prefix) and the shard that holds it.
    fn find(&self, name: &str, shape: &[usize]) -> Result<(&Shard, &TensorInfo), ModelError> {
        let mut names = self.layout.names(name);
        let found = names.find(|name| {
            self.shards
                .iter()
                .any(|shard| shard.metadata.info(name).is_some())
        });
        match found {
            Some(name) => self.find_exactly(&name, shape),
            None => {
                let name = self.layout.names(name).next().unwrap_or_default();
                Err(self.bad_tensor(
                    &name,
                    format!("it is missing (the weights have {})", self.layout),
                ))
            }
        }
    }

    /// The tensor of this full name and the shard that holds it.
    fn find_exactly(
        &self,
        name: &str,
        shape: &[usize],
    ) -> Result<(&Shard, &TensorInfo), ModelError> {
        let (shard, info) = self
            .shards
            .iter()
            .find_map(|shard| Some((shard, shard.metadata.info(name)?)))
            .ok_or_else(|| self.bad_tensor(name, "it is missing".into()))?;
        if info.shape != shape {
            let reason = format!(
                "its shape is {:?}, but config.json makes it {shape:?}",
                info.shape
            );
            return Err(self.bad_tensor(name, reason));
        }
        if number_bytes(info.dtype).is_none() {
            let reason = format!("its format is {:?}, not F32, F16 or BF16", info.dtype);
            return Err(self.bad_tensor(name, reason));
        }
        Ok((shard, info))
    }

    fn bad(&self, reason: String) -> ModelError {
        ModelError::BadLayout {
            folder: self.folder.clone(),
            reason: reason.into(),
        }
    }

    fn bad_tensor(&self, name: &str, reason: String) -> ModelError {
        ModelError::BadTensor {
            name: name.to_owned(),
            folder: self.folder.clone(),
            reason: reason.into(),
        }
    }
}

/// The weights files of a folder.
fn shard_paths(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let single = folder.join("model.safetensors");
    if plain_file::exists(&single) {
        return Ok(vec![single]);
    }
    let index_path = folder.join("model.safetensors.index.json");
    if !plain_file::exists(&index_path) {
        return Err(ModelError::NoWeights {
            folder: folder.to_path_buf(),
            found: foreign::in_the_folder(folder),
        });
    }
    let index = plain_file::read(&index_path, MOST_INDEX_BYTES)?;
    let bad = |reason: String| ModelError::BadFile {
        path: index_path.clone(),
        reason: reason.into(),
    };
    let index: Index = serde_json::from_str(&index)
        .map_err(|error| bad(format!("it is not a list of weights files: {error}")))?;
    let names: BTreeSet<_> = index.weight_map.into_values().collect();
    if names.is_empty() {
        return Err(bad("it lists no file".into()));
    }
    // A list from elsewhere must not make the program read other files of this machine.
    let leaves = |name: &&String| {
        let mut parts = Path::new(name).components();
        !matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        )
    };
    if let Some(name) = names.iter().find(leaves) {
        return Err(bad(format!(
            "it names `{name}`, which is not a file beside it"
        )));
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
