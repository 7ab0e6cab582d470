//! What can be wrong with a model or its weights.

use crate::{alphabet::VocabularyError, device::DeviceError, file::Home, hint::Hint};
use std::{fmt, path::PathBuf};

/// What can be wrong with a model or its weights.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The device that the model runs on.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// No folder of this name, and it is not meant as an id of the Hub.
    #[error("there is no folder `{source_text}`: {reason}")]
    NoFolder {
        /// What the script names.
        source_text: String,
        /// How far the path goes, or what is known of the id.
        reason: Reason,
    },
    /// A name that only a shell understands.
    #[error("`{source_text}`: `~` is not expanded here")]
    Tilde {
        /// What the script names.
        source_text: String,
        /// What a shell would have made of it.
        home: Home,
    },
    /// No folder of this name, and an id of the Hub that is not in the local cache.
    #[error(
        "there is no folder `{source_text}`, and the model `{id}` of the Hugging Face Hub is not on this \
         machine"
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
        /// What it is.
        reason: Reason,
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
    #[error("no `config.json` in `{folder}`{}", behind_a_colon(.found))]
    NoConfig {
        /// The folder.
        folder: PathBuf,
        /// What is there instead, if it explains the lack.
        found: Option<Reason>,
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
        reason: Reason,
    },
    /// The folder has no weights in a format that is read.
    #[error("no `model.safetensors` or `pytorch_model.bin`, nor a list of several such files, in `{folder}`{}", behind_a_colon(.found))]
    NoWeights {
        /// The folder.
        folder: PathBuf,
        /// What is there instead, if it explains the lack.
        found: Option<Reason>,
    },
    /// A weights file is broken.
    #[error("`{path}` is not a good file of weights: {reason}")]
    BadWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: Reason,
    },
    /// The tensors are not those of the model that the configuration describes.
    #[error("cannot use the weights of `{folder}`: {reason}")]
    BadLayout {
        /// The model's folder.
        folder: PathBuf,
        /// What does not fit.
        reason: Reason,
    },
    /// A tensor is missing or has another shape than the configuration says.
    #[error("tensor `{name}` of `{folder}`: {reason}")]
    BadTensor {
        /// The tensor's name.
        name: String,
        /// The model's folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: Reason,
    },
    /// `vocab.txt` is not the alphabet of ESM-2.
    #[error("`{path}` is not the alphabet of ESM-2: {source}")]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// The first difference.
        source: VocabularyError,
    },
    /// The device does not compute in this number format.
    #[error("{device} computes in {supported}, not in {asked}")]
    Dtype {
        /// The device.
        device: String,
        /// The format that it supports.
        supported: &'static str,
        /// The format that was asked for.
        asked: &'static str,
    },
    /// An embedding is not finite.
    #[error("the embedding of `{id}` ({length} residues) is not finite")]
    NotFinite {
        /// The sequence.
        id: String,
        /// Its residues.
        length: u32,
        /// The number format that was computed in.
        dtype: &'static str,
    },
}

/// What is wrong with a file or a name, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What is wrong.
    pub text: String,
    /// How to mend it, if there is something to say.
    pub hint: Option<String>,
}

/// What a folder must be to be a model.
pub(super) const A_MODEL: &str =
    "a model is a folder with `config.json` and `model.safetensors` or `pytorch_model.bin`";

impl Reason {
    /// What is wrong, with a remedy.
    pub(super) fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            hint: Some(hint.into()),
        }
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { text, hint: None }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn behind_a_colon(reason: &Option<Reason>) -> String {
    let reason = reason.as_ref();
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

impl Hint for ModelError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Device(error) => error.hint(),
            Self::NoFolder { reason, .. } => Some(reason.hint.clone().unwrap_or_else(|| {
                format!(
                    "{A_MODEL}, or the id of one of the Hugging Face Hub such as \
                     `facebook/esm2_t12_35M_UR50D`"
                )
            })),
            Self::Tilde { home, .. } => Some(match home {
                Home::Own(Some(path)) => format!("write the whole path, `{path}`"),
                Home::Own(None) | Home::OfUser => "write the whole path".to_owned(),
            }),
            Self::NotDownloaded { id, .. } => {
                let address = format!("https://huggingface.co/{id}/resolve/main");
                Some(format!(
                    "downloads are not built in: fetch {address}/config.json and \
                     {address}/model.safetensors into a folder and name that folder, or run \
                     `hf download {id} config.json model.safetensors`, whose cache is searched"
                ))
            }
            Self::NoConfig { found, .. } => {
                let hint = found.as_ref().and_then(|found| found.hint.clone());
                Some(hint.unwrap_or_else(|| A_MODEL.to_owned()))
            }
            Self::NoWeights { found, .. } => found.as_ref().and_then(|found| found.hint.clone()),
            Self::NotAFolder { reason, .. }
            | Self::BadFile { reason, .. }
            | Self::BadWeights { reason, .. }
            | Self::BadLayout { reason, .. }
            | Self::BadTensor { reason, .. } => reason.hint.clone(),
            Self::Vocabulary { source, .. } => source.hint(),
            Self::Dtype { supported, .. } => Some(format!(
                "leave `dtype` out, set it to \"{supported}\", or use a GPU"
            )),
            Self::NotFinite { dtype, .. } => Some(format!(
                "the weights may be damaged, or their numbers too large for {dtype}"
            )),
            Self::DanglingLink { .. } | Self::Io { .. } | Self::Config { .. } => None,
        }
    }
}
