//! What can go wrong with a conversion.

use crate::{file::FileError, hint::Hint, job::Dtype, model::ModelError};
use std::path::PathBuf;

/// What can go wrong with a conversion.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The model that is converted.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The folder that is written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The model lies where it is to be written.
    #[error("`{}` holds the model that is to be converted", .0.display())]
    OverItself(PathBuf),
    /// Something would be lost that no conversion wrote.
    #[error("`{}` holds `{name}`, so it is not replaced", folder.display())]
    HoldsOthers {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        name: String,
    },
    /// A model would be lost that no conversion wrote.
    #[error("`{}` holds a model that no conversion wrote, so it is not replaced", .0.display())]
    HoldsModel(PathBuf),
    /// A number that the format has no place for.
    #[error("tensor `{name}` holds {value:e}, which {format} cannot hold")]
    TooLarge {
        /// The tensor.
        name: String,
        /// The number.
        value: f32,
        /// The format.
        format: String,
    },
    /// A format whose numbers need factors, for which files of weights have no place.
    #[error("files of weights are in {}, not in {}", Dtype::FLOAT_NAMES.join(", "), .0.name())]
    NotAFloat(Dtype),
    /// It was told to stop.
    #[error("the conversion was stopped; nothing was written")]
    Stopped,
}

impl Hint for ConvertError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Model(error) => error.hint(),
            Self::File(FileError::Exists(_)) => Some(
                "choose another name, or add `--overwrite` if it is an older conversion".to_owned(),
            ),
            Self::File(error) => error.hint(),
            Self::OverItself(_) => Some("write it into another folder".to_owned()),
            Self::HoldsOthers { .. } | Self::HoldsModel(_) => Some(
                "only folders with nothing but the files of a conversion are replaced: choose another name, or \
                 remove the folder"
                    .to_owned(),
            ),
            Self::TooLarge { .. } => {
                Some("use `--dtype bf16` or `f32`, which hold larger numbers".to_owned())
            }
            Self::NotAFloat(_) => Some(
                "int8 is made of any of them when the model is loaded: `dtype: \"int8\"`".to_owned(),
            ),
            Self::Stopped => None,
        }
    }
}
