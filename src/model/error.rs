//! What can be wrong with a model or its weights.

use super::{
    inaccurate::{instead_of_int8, rounded_down},
    not_here::NotHere,
};
use crate::{
    alphabet::VocabularyError,
    device::DeviceError,
    file::Home,
    hint::Hint,
    hub::{HubError, id_of_folder},
    job::{Dtype, Products},
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

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
    /// A model of the Hub whose files are not on this machine and cannot be had.
    #[error(transparent)]
    NotHere(Box<NotHere>),
    /// A model of the Hub whose download failed.
    #[error("cannot download the model `{repository}`: {error}")]
    Download {
        /// Its id, and the revision that was asked for.
        repository: String,
        /// Why not. It is large, and most errors are not.
        error: Box<HubError>,
    },
    /// A model of the Hub of which files have gone since they were looked for.
    #[error("not all files of the model `{repository}` are on this machine")]
    Incomplete {
        /// Its id, and the revision that was asked for.
        repository: String,
    },
    /// A repository of the Hub that is not that of a model.
    #[error("cannot use `{repository}` of the Hugging Face Hub: it has no {lacks}{}", listed(.files))]
    BadRepository {
        /// Its id, and the revision that was asked for.
        repository: String,
        /// What is not in it.
        lacks: &'static str,
        /// The files that are.
        files: Vec<String>,
    },
    /// An adapter that cannot be merged into its model.
    #[error("cannot use the adapter in `{folder}`: {reason}")]
    BadAdapter {
        /// Its folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: Reason,
    },
    /// An adapter that changes an adapter.
    #[error("`{name}` is an adapter of an adapter")]
    TooManyAdapters {
        /// The first one.
        name: String,
    },
    /// A name that none of the models of the Hub can have.
    #[error("`{source_text}` is no model of the Hugging Face Hub: {reason}")]
    NoId {
        /// What was named.
        source_text: String,
        /// What is known of it.
        reason: Reason,
    },
    /// A revision of something that has none.
    #[error("`{folder}` is a file or a folder, which has no revision \"{revision}\"")]
    RevisionOfFolder {
        /// The folder.
        folder: PathBuf,
        /// What the script asks for.
        revision: String,
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
    #[error("{device} computes in {supported}, not in {}{}", .asked.name(), .reason.map_or_else(String::new, |reason| format!(": {reason}")))]
    Dtype {
        /// The device.
        device: String,
        /// What it supports.
        supported: &'static str,
        /// The format that was asked for.
        asked: Dtype,
        /// What it lacks, if there is more to say.
        reason: Option<&'static str>,
    },
    /// A model whose layers have sizes that the kernels for int8 do not take.
    #[error("the model `{name}` cannot be computed in int8: {reason}")]
    SizesInInt8 {
        /// The model, for people.
        name: String,
        /// Which sizes there are, and which there could be.
        reason: String,
    },
    /// A model that int8 changes more than is accepted.
    #[error(
        "in int8 ({}) the model `{name}` is not as accurate as it has to be: of {n_proteins} proteins that come with \
         the program, the pooled vector of `{id}` has a cosine of {} with that in bf16, and {accept} is asked for",
        products.names().collect::<Vec<_>>().join(", "), rounded_down(*cosine)
    )]
    Inaccurate {
        /// The model, for people.
        name: String,
        /// The products that are of 8-bit numbers.
        products: Products,
        /// Proteins that it was tried with.
        n_proteins: usize,
        /// The protein with the least cosine.
        id: String,
        /// That cosine.
        cosine: f64,
        /// The least one that is accepted.
        accept: f64,
    },
    /// A question for logits to a model without the head of the language model.
    #[error(
        "the model `{name}` gives no logits, as it has no head for the language model: {reason}"
    )]
    NoLogits {
        /// The model.
        name: String,
        /// What it lacks.
        reason: Reason,
    },
    /// A question for contacts to a model that does not predict them.
    #[error("the model `{name}` predicts no contacts: {reason}")]
    NoContacts {
        /// The model.
        name: String,
        /// What it lacks.
        reason: Reason,
    },
    /// An embedding is larger than the format has room for in which it is to be written.
    #[error(
        "the embedding of `{id}` ({length} residues) has a value that f16 has no room for (65,504 at most)"
    )]
    NoRoom {
        /// The sequence.
        id: String,
        /// Its residues.
        length: u32,
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

/// The first of some files, behind a semicolon.
fn listed(files: &[String]) -> String {
    const MOST: usize = 5;
    let shown: Vec<_> = (files.iter().take(MOST))
        .map(|name| format!("`{name}`"))
        .collect();
    match files.len() {
        0 => "; it is empty".to_owned(),
        n if n > MOST => format!("; it has {}, ...", shown.join(", ")),
        _ => format!("; it has {}", shown.join(", ")),
    }
}

/// What is done with a repository of these files.
fn of_the_repository(files: &[String]) -> String {
    let mut of_fair_esm = files.iter().filter(|name| name.ends_with(".pt"));
    match of_fair_esm.find(|name| !name.ends_with("-contact-regression.pt")) {
        Some(name) => format!(
            "if `{name}` is what fair-esm reads, download that file and name it, as in `esm2(\"{name}\")`"
        ),
        None => A_MODEL.to_owned(),
    }
}

fn behind_a_colon(reason: &Option<Reason>) -> String {
    let reason = reason.as_ref();
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

impl ModelError {
    /// What the Hub, or the way to it, has to do with it.
    pub fn of_the_hub(&self) -> Option<&HubError> {
        match self {
            Self::NotHere(not_here) => Some(&not_here.error),
            Self::Download { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// How the reason begins that a file is no JSON at all.
pub(super) const NO_JSON: &str = "not valid JSON";

/// How a broken file of the Hub's cache is mended.
fn fetched_again(path: &Path) -> Option<String> {
    let names = path
        .ancestors()
        .filter_map(|part| part.file_name()?.to_str());
    let id = names.filter_map(id_of_folder).next()?;
    // What it leads to has to go, too: it is not fetched again as long as it is there.
    let file = path.canonicalize().ok()?;
    Some(format!(
        "the file in the cache is damaged: delete `{}`, and `runner download {id}` fetches it again",
        file.display()
    ))
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
            Self::NotHere(not_here) => not_here.hint(),
            Self::Download { repository, error } => error.hint_for(repository),
            Self::Incomplete { repository } => {
                Some(format!("`runner download {repository}` fetches them"))
            }
            Self::BadRepository { files, .. } => Some(of_the_repository(files)),
            Self::NoId { reason, .. } | Self::NoContacts { reason, .. } => reason.hint.clone(),
            Self::RevisionOfFolder { .. } => {
                Some("only models of the Hugging Face Hub have revisions: leave it out".to_owned())
            }
            Self::NoLogits { reason, .. } => Some(reason.hint.clone().unwrap_or_else(|| {
                "published checkpoints such as `facebook/esm2_t12_35M_UR50D` have that head (`EsmForMaskedLM`); \
                 classifiers and encoders that were fine-tuned from them are saved without it"
                    .to_owned()
            })),
            Self::NoConfig { found, .. } => {
                let hint = found.as_ref().and_then(|found| found.hint.clone());
                Some(hint.unwrap_or_else(|| A_MODEL.to_owned()))
            }
            Self::NoWeights { found, .. } => found.as_ref().and_then(|found| found.hint.clone()),
            Self::NotAFolder { reason, .. }
            | Self::BadFile { reason, .. }
            | Self::BadWeights { reason, .. }
            | Self::BadLayout { reason, .. }
            | Self::BadTensor { reason, .. }
            | Self::BadAdapter { reason, .. } => reason.hint.clone(),
            Self::Vocabulary { source, .. } => source.hint(),
            Self::SizesInInt8 { .. }
            | Self::Dtype {
                asked: Dtype::Int8, ..
            } => Some("leave `dtype` out, and options of int8 with it".to_owned()),
            Self::Dtype { .. } => {
                Some("leave `dtype` out, set it to \"f32\", or use a GPU".to_owned())
            }
            Self::Inaccurate {
                products, cosine, ..
            } => Some(instead_of_int8(*products, *cosine)),
            Self::NoRoom { .. } => Some("add `output_dtype: \"f32\"`".to_owned()),
            Self::NotFinite { dtype, .. } => Some(format!(
                "the weights may be damaged, or their numbers too large for {dtype}"
            )),
            Self::TooManyAdapters { .. } | Self::DanglingLink { .. } | Self::Io { .. } => None,
            Self::Config { path, reasons } => match reasons.as_slice() {
                [reason] if reason.starts_with(NO_JSON) => fetched_again(path),
                _ => None,
            },
        }
    }
}
