//! What can be wrong with a model or its weights.

use crate::{batch::VocabError, device::DeviceError};
use std::path::PathBuf;

/// What can be wrong with a model or its weights.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The device that the model runs on.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// No folder of this name, and it is not meant as an id of the Hub.
    #[error(
        "there is no folder `{source_text}`: {reason} (a model is a folder with `config.json` and \
         `model.safetensors`, or the id of one of the Hugging Face Hub such as \
         `facebook/esm2_t12_35M_UR50D`)"
    )]
    NoFolder {
        /// What the script names.
        source_text: String,
        /// How far the path goes.
        reason: String,
    },
    /// A name that only a shell understands.
    #[error("`{source_text}`: `~` is not expanded here: write the whole path, `{home}`")]
    Tilde {
        /// What the script names.
        source_text: String,
        /// What a shell would have made of it.
        home: PathBuf,
    },
    /// No folder of this name, and an id of the Hub that is not in the local cache.
    #[error(
        "there is no folder `{source_text}`, and the model `{id}` of the Hugging Face Hub is not on this \
         machine (downloads are not built in: fetch \
         https://huggingface.co/{id}/resolve/main/config.json and \
         https://huggingface.co/{id}/resolve/main/model.safetensors into a folder and name that \
         folder, or run `hf download {id} config.json model.safetensors`, whose cache is searched)"
    )]
    NotDownloaded {
        /// What the script names.
        source_text: String,
        /// The id.
        id: String,
    },
    /// A file or something else in place of a folder.
    #[error("`{path}` is not the folder of a model: {reason}")]
    NotAFolder {
        /// What the script names.
        path: PathBuf,
        /// What it is, and what to do.
        reason: String,
    },
    /// A link to nothing.
    #[error("`{path}` is a link to `{target}`, which does not exist")]
    DanglingLink {
        /// The link.
        path: PathBuf,
        /// What it points at.
        target: PathBuf,
    },
    /// A folder that is not that of a model.
    #[error(
        "no `config.json` in `{folder}`{found} (a model is a folder with `config.json` and \
         `model.safetensors`)"
    )]
    NoConfig {
        /// The folder.
        folder: PathBuf,
        /// What is there instead, behind a colon.
        found: String,
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
    /// A small file is not what its name says.
    #[error("cannot use `{path}`: {reason}")]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder has no weights in a format that is read.
    #[error("no `model.safetensors` or `model.safetensors.index.json` in `{folder}`{found}")]
    NoWeights {
        /// The folder.
        folder: PathBuf,
        /// What is there instead, behind a colon.
        found: String,
    },
    /// A weights file is broken.
    #[error("`{path}` is not a good safetensors file: {reason}")]
    BadWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The tensors are not those of the model that the configuration describes.
    #[error("cannot use the weights of `{folder}`: {reason}")]
    BadLayout {
        /// The model's folder.
        folder: PathBuf,
        /// What does not fit.
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
