//! The weights of a model, in one file or many.

use super::{
    Config, ModelError,
    adapter::Adapter,
    checkpoint::{Checkpoint, Stored},
    error::Reason,
    file_names::{MOST_INDEX_BYTES, WEIGHTS},
    foreign,
    layout::{Layout, layer_tensors, outer_tensors},
    plain_file,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

/// The weights of a model, read tensor by tensor and converted to f32.
pub(super) struct Weights {
    folder: PathBuf,
    files: Vec<Checkpoint>,
    layout: Layout,
    /// What changes them, if something does.
    adapter: Option<Adapter>,
}

/// The list of shards that HF writes beside them.
#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens `model.safetensors` or `pytorch_model.bin` of `folder`, or the files of such a name with
    /// `.index.json` behind it, and checks by what they say they hold that every tensor of `config` is there,
    /// in its shape.
    ///
    /// # Errors
    /// If there is neither, a file is missing, broken or cut short, or the tensors are not those of
    /// the model that `config` describes.
    pub(super) fn open(folder: &Path, config: &Config) -> Result<Self, ModelError> {
        let files = file_paths(folder)?
            .into_iter()
            .map(Checkpoint::open)
            .collect::<Result<Vec<_>, _>>()?;
        Self::of_files(folder, files, config)
    }

    /// The weights in these files, which are checked as those of [`open`](Self::open) are. `folder` is their
    /// folder, or the only file.
    ///
    /// # Errors
    /// If the tensors are not those of the model that `config` describes.
    pub(super) fn of_files(
        folder: &Path,
        files: Vec<Checkpoint>,
        config: &Config,
    ) -> Result<Self, ModelError> {
        let bad = |reason| ModelError::BadLayout {
            folder: folder.to_path_buf(),
            reason,
        };
        let names = || files.iter().flat_map(Checkpoint::names);
        let mut seen = BTreeSet::new();
        if let Some(twice) = names().find(|name| !seen.insert(*name)) {
            return Err(bad(format!("`{twice}` is in two of its files").into()));
        }
        let layout = Layout::find(names()).map_err(bad)?;
        layout.check(config, names()).map_err(bad)?;
        let weights = Self {
            folder: folder.to_path_buf(),
            files,
            layout,
            adapter: None,
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

    /// The weights as an adapter changes them, which is one of such a model.
    pub(super) fn with_adapter(self, adapter: Option<Adapter>) -> Self {
        Self { adapter, ..self }
    }

    /// What changes them, if something does.
    pub(super) fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref()
    }

    /// Their folder, or the only file.
    pub(super) fn place(&self) -> &Path {
        &self.folder
    }

    /// The files, in the order in which they are hashed.
    pub(super) fn files(&self) -> &[Checkpoint] {
        &self.files
    }

    /// The tensor `name`, row by row, in f32. The name is that of today's transformers, without a
    /// prefix.
    ///
    /// # Errors
    /// If it is missing, has another shape than `shape`, is not made of f32, f16 or bf16, or cannot be
    /// read.
    pub(super) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let base = || {
            let (file, stored) = self.find(name, shape)?;
            file.read(stored)
        };
        match &self.adapter {
            Some(adapter) => adapter.read(name, base),
            None => base(),
        }
    }

    /// The tensor `name` as its file has it, and its name there.
    ///
    /// # Errors
    /// As [`read`](Self::read), but for the reading.
    pub(super) fn stored(
        &self,
        name: &str,
        shape: &[usize],
    ) -> Result<(String, &Stored), ModelError> {
        let full = self.full_name(name);
        let (_, stored) = self.find(name, shape)?;
        Ok((full.unwrap_or_else(|| name.to_owned()), stored))
    }

    /// Whether there is a tensor `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.full_name(name).is_some()
    }

    /// Whether the tensor `name` can be read.
    ///
    /// # Errors
    /// The reason why not.
    pub(super) fn check(&self, name: &str, shape: &[usize]) -> Result<(), Reason> {
        if !self.has(name) {
            return Err(format!("tensor `{name}` is missing").into());
        }
        match self.find(name, shape) {
            Ok(_) => Ok(()),
            Err(ModelError::BadTensor { name, reason, .. }) => {
                Err(format!("tensor `{name}`: {reason}").into())
            }
            Err(other) => Err(other.to_string().into()),
        }
    }

    /// The full names of all rotary frequencies.
    pub(super) fn frequency_names(&self) -> &[String] {
        self.layout.frequencies()
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
            let (file, stored) = self.find_exactly(name, &shape)?;
            let values = file.read(stored)?;
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

    /// The tensor `name` (without a prefix) and the file that holds it.
    fn find(&self, name: &str, shape: &[usize]) -> Result<(&Checkpoint, &Stored), ModelError> {
        match self.full_name(name) {
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

    /// The full name of the tensor `name`, if it is there.
    fn full_name(&self, name: &str) -> Option<String> {
        let mut names = self.layout.names(name);
        let found = names.find(|name| self.files.iter().any(|file| file.get(name).is_some()));
        found.or_else(|| {
            let mut names = self.files.iter().flat_map(Checkpoint::names);
            let of_head = names.find(|full| self.layout.is_of_head(full, name));
            of_head.map(str::to_owned)
        })
    }

    /// The tensor of this full name and the file that holds it.
    pub(super) fn find_exactly(
        &self,
        name: &str,
        shape: &[usize],
    ) -> Result<(&Checkpoint, &Stored), ModelError> {
        let (file, stored) = self
            .files
            .iter()
            .find_map(|file| Some((file, file.get(name)?)))
            .ok_or_else(|| self.bad_tensor(name, "it is missing".into()))?;
        if stored.shape != shape {
            let reason = format!(
                "its shape is {:?}, but the configuration makes it {shape:?}",
                stored.shape
            );
            return Err(self.bad_tensor(name, reason));
        }
        if stored.format.bytes().is_none() {
            let reason = format!("its format is {}, not F32, F16 or BF16", stored.format);
            return Err(self.bad_tensor(name, reason));
        }
        Ok((file, stored))
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
fn file_paths(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let mut index_path = None;
    for names in WEIGHTS {
        let single = folder.join(names.single);
        if plain_file::exists(&single) {
            return Ok(vec![single]);
        }
        let index = folder.join(names.index);
        if plain_file::exists(&index) {
            index_path = Some(index);
            break;
        }
    }
    let Some(index_path) = index_path else {
        return Err(ModelError::NoWeights {
            folder: folder.to_path_buf(),
            found: foreign::in_the_folder(folder),
        });
    };
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
