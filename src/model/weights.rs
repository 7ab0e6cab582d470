//! Weights in safetensors files, one or many.

use super::ModelError;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The weights of a model, read tensor by tensor and converted to f32.
///
/// Tensors are read with positioned reads rather than through a memory map: a file that shrinks
/// under a map kills the process.
pub(super) struct Weights {
    folder: PathBuf,
    shards: Vec<Shard>,
    /// What stands before `embeddings.` and `encoder.` in the names: `esm.` or nothing.
    prefix: &'static str,
}

/// One safetensors file.
struct Shard {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the tensors begin in the file, in bytes.
    data_start: u64,
}

/// The list of shards that HF writes beside them.
#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Numbers that one thread reads and converts at a time.
const NUMBERS_PER_READ: usize = 1 << 20;

/// safetensors' own limit on the size of a header, in bytes.
const MOST_HEADER_BYTES: u64 = 100_000_000;

impl Weights {
    /// Opens `model.safetensors` of `folder`, or the shards of `model.safetensors.index.json`.
    ///
    /// # Errors
    /// If there is neither, or a file is missing, broken or cut short.
    pub(super) fn open(folder: &Path) -> Result<Self, ModelError> {
        let shards = shard_paths(folder)?
            .into_iter()
            .map(Shard::open)
            .collect::<Result<Vec<_>, _>>()?;
        // A model saved with its language-model head has the prefix, a bare encoder has not.
        let has_prefix = shards.iter().any(|shard| {
            let info = shard.metadata.info("esm.embeddings.word_embeddings.weight");
            info.is_some()
        });
        Ok(Self {
            folder: folder.to_path_buf(),
            shards,
            prefix: if has_prefix { "esm." } else { "" },
        })
    }

    /// The files, in the order in which they are hashed.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.shards.iter().map(|shard| shard.path.as_path())
    }

    /// Whether there is a tensor `name` (without the prefix).
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(&format!("{}{name}", self.prefix)).is_some()
    }

    /// The tensor of this full name and the shard that holds it.
    fn find(&self, name: &str) -> Option<(&Shard, &TensorInfo)> {
        self.shards
            .iter()
            .find_map(|shard| Some((shard, shard.metadata.info(name)?)))
    }

    /// The tensor `name` (without the prefix), row by row, in f32.
    ///
    /// # Errors
    /// If it is missing, has another shape than `shape`, or is not made of f32, f16 or bf16.
    pub(super) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let name = format!("{}{name}", self.prefix);
        let bad = |reason| ModelError::BadTensor {
            name: name.clone(),
            folder: self.folder.clone(),
            reason,
        };
        let (shard, info) = self
            .find(&name)
            .ok_or_else(|| bad("it is missing".into()))?;
        if info.shape != shape {
            return Err(bad(format!(
                "its shape is {:?}, but config.json makes it {shape:?}",
                info.shape
            )));
        }
        let size = number_bytes(info.dtype).ok_or_else(|| {
            bad(format!(
                "its format is {:?}, not F32, F16 or BF16",
                info.dtype
            ))
        })?;
        let (start, end) = info.data_offsets;
        let start = shard.data_start + start as u64;
        let mut values = vec![0f32; (end as u64 + shard.data_start - start) as usize / size];
        values
            .par_chunks_mut(NUMBERS_PER_READ)
            .enumerate()
            .try_for_each(|(n, values)| {
                let mut bytes = vec![0; values.len() * size];
                let offset = (n * NUMBERS_PER_READ * size) as u64;
                shard.file.read_exact_at(&mut bytes, start + offset)?;
                to_f32(info.dtype, &bytes, values);
                Ok(())
            })
            .map_err(|source| shard.io_error(source))?;
        Ok(values)
    }
}

impl Shard {
    fn open(path: PathBuf) -> Result<Self, ModelError> {
        let with_path = |source| ModelError::Io {
            path: path.clone(),
            source,
        };
        let bad = |reason: String| ModelError::BadWeights {
            path: path.clone(),
            reason,
        };
        let mut file = File::open(&path).map_err(with_path)?;
        let file_bytes = file.metadata().map_err(with_path)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length)
            .map_err(|_| bad("it is shorter than its own header".into()))?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MOST_HEADER_BYTES {
            return Err(bad("it does not begin with a safetensors header".into()));
        }
        let mut header = Vec::new();
        (&file)
            .take(header_bytes)
            .read_to_end(&mut header)
            .map_err(with_path)?;
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| bad(format!("its header is broken: {error}")))?;
        let data_start = 8 + header_bytes;
        let wanted_bytes = data_start + metadata.data_len() as u64;
        if file_bytes < wanted_bytes {
            return Err(bad(format!(
                "it has {file_bytes} bytes of {wanted_bytes}; was its download cut short?"
            )));
        }
        Ok(Self {
            path,
            file,
            metadata,
            data_start,
        })
    }

    fn io_error(&self, source: io::Error) -> ModelError {
        ModelError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// The weights files of a folder.
fn shard_paths(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let single = folder.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index_path = folder.join("model.safetensors.index.json");
    if !index_path.is_file() {
        let has_pickle = ["pytorch_model.bin", "pytorch_model.bin.index.json"]
            .iter()
            .any(|name| folder.join(name).exists());
        return Err(ModelError::NoWeights {
            folder: folder.to_path_buf(),
            has_pickle,
        });
    }
    let text = std::fs::read_to_string(&index_path).map_err(|source| ModelError::Io {
        path: index_path.clone(),
        source,
    })?;
    let index: Index = serde_json::from_str(&text).map_err(|error| ModelError::BadWeights {
        path: index_path,
        reason: error.to_string(),
    })?;
    let names: BTreeSet<_> = index.weight_map.into_values().collect();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// Bytes of a number in a file, or `None` for a format that no ESM-2 is stored in.
fn number_bytes(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F32 => Some(4),
        Dtype::F16 | Dtype::BF16 => Some(2),
        _ => None,
    }
}

/// Little-endian numbers of a file as f32.
fn to_f32(dtype: Dtype, bytes: &[u8], values: &mut [f32]) {
    if dtype == Dtype::F32 {
        for (value, &word) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(word);
        }
        return;
    }
    for (value, &word) in values.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *value = if dtype == Dtype::F16 {
            f16::from_le_bytes(word).to_f32()
        } else {
            bf16::from_le_bytes(word).to_f32()
        };
    }
}
