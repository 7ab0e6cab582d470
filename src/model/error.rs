//! What can be wrong with a model or its weights.

use crate::{batch::VocabError, device::DeviceError};
use std::path::PathBuf;

/// What can be wrong with a model or its weights.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The device that the model runs on.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// No folder of this name, and it does not look like an id of the Hub.
    #[error(
        "no model at `{0}`: expected a folder with `config.json` and `model.safetensors`, or an id \
         of the Hugging Face Hub such as `facebook/esm2_t12_35M_UR50D`"
    )]
    NotFound(String),
    /// An id of the Hub that is not in the local cache.
    #[error(
        "the model `{id}` is not on this machine, and downloads are not built in: fetch \
         https://huggingface.co/{id}/resolve/main/config.json and \
         https://huggingface.co/{id}/resolve/main/model.safetensors into a folder and name that \
         folder, or run `hf download {id} config.json model.safetensors`, whose cache is searched"
    )]
    NotDownloaded {
        /// The id.
        id: String,
    },
    /// A file could not be read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The configuration is broken or describes another architecture.
    #[error("cannot use `{path}`: {}", .reasons.join("; "))]
    Config {
        /// The file.
        path: PathBuf,
        /// Every reason.
        reasons: Vec<String>,
    },
    /// The folder has no weights in a format that is read.
    #[error(
        "no `model.safetensors` or `model.safetensors.index.json` in `{folder}`{}",
        if *.has_pickle {
            ": it holds PyTorch pickles, which are not read because they can run code; convert them \
             with `safetensors.torch.save_file`"
        } else {
            ""
        }
    )]
    NoWeights {
        /// The folder.
        folder: PathBuf,
        /// Whether it holds weights in PyTorch's own format.
        has_pickle: bool,
    },
    /// A weights file is broken.
    #[error("`{path}` is not a good safetensors file: {reason}")]
    BadWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor is missing or has another shape than the configuration says.
    #[error("tensor `{name}` of `{folder}`: {reason}")]
    BadTensor {
        /// The tensor's name.
        name: String,
        /// The model's folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `vocab.txt` is not the alphabet of ESM-2.
    #[error("`{path}` is not the alphabet of ESM-2: {source}")]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// The first difference.
        source: VocabError,
    },
    /// The device does not compute in this number format.
    #[error(
        "{device} computes in {supported}, not in {asked}: leave `dtype` out, set it to \"{supported}\", \
         or use a GPU"
    )]
    Dtype {
        /// The device.
        device: String,
        /// The format that it supports.
        supported: &'static str,
        /// The format that was asked for.
        asked: &'static str,
    },
    /// An embedding is not finite.
    #[error(
        "the embedding of `{id}` ({length} residues) is not finite: the weights may be damaged, or \
         their numbers too large for {dtype}"
    )]
    NotFinite {
        /// The sequence.
        id: String,
        /// Its residues.
        length: u32,
        /// The number format that was computed in.
        dtype: &'static str,
    },
}
