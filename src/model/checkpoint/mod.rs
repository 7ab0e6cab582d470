//! One file of weights, opened, of whatever format it is: told by its content, not by its name.
//!
//! *Input*: a file of safetensors, or a checkpoint of PyTorch in its format of today or that before 1.6. *Output*: the
//! names of its tensors and their shapes, each tensor in f32, and what the file says beside its tensors.
//! *Never*: holds more of a file in memory than the tensor that is read.

mod archive;
mod legacy;
mod number_format;
mod pickle;
mod safetensors;
mod scattered;
mod state;
mod stored;
mod value;

pub(in crate::model) use number_format::NumberFormat;
pub(in crate::model) use safetensors::CONVERTER_KEY;
pub(in crate::model) use stored::Stored;
pub(in crate::model) use value::Value;

use super::{ModelError, error::Reason, foreign::Foreign, plain_file};
use crate::hub::repository_of_file;
use std::{collections::BTreeMap, fs::File, io, path::PathBuf};

/// One opened file of weights.
///
/// It is read with positioned reads rather than through a memory map: a file that shrinks under a map
/// kills the process.
pub(in crate::model) struct Checkpoint {
    pub(in crate::model) path: PathBuf,
    pub(in crate::model) file: File,
    /// Bytes of the file when it was opened.
    pub(in crate::model) n_bytes: u64,
    contents: Contents,
}

/// What a file says that it holds.
struct Contents {
    tensors: BTreeMap<String, Stored>,
    arguments: Option<Value>,
    /// The program that converted the file, if it says so.
    converter: Option<String>,
}

/// Why a file is of no use.
enum Failure {
    /// It could not be read.
    Io(io::Error),
    /// It is broken, or something else.
    Bad(Reason),
}

impl Checkpoint {
    /// Opens a file and reads what it holds, but no tensor.
    ///
    /// # Errors
    /// If it is missing, broken, cut short or of another format.
    pub(in crate::model) fn open(path: PathBuf) -> Result<Self, ModelError> {
        let (file, n_bytes) = plain_file::open(&path)?;
        let contents = match Foreign::at(&path) {
            None | Some(Foreign::Safetensors) => safetensors::contents(&file, n_bytes),
            Some(Foreign::TorchArchive) => archive::contents(&file, n_bytes),
            Some(Foreign::Pickle) => legacy::contents(&file, n_bytes),
            Some(Foreign::Stub(stub)) => Err(stub.reason().into()),
        };
        match contents {
            Ok(contents) => Ok(Self {
                path,
                file,
                n_bytes,
                contents,
            }),
            Err(failure) => Err(failure.of(path)),
        }
    }

    /// The names of all tensors.
    pub(in crate::model) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.contents.tensors.keys().map(String::as_str)
    }

    /// The tensor of this name.
    pub(in crate::model) fn get(&self, name: &str) -> Option<&Stored> {
        self.contents.tensors.get(name)
    }

    /// What the file says beside its tensors: everything else that a checkpoint of PyTorch holds whose
    /// tensors are in one of its entries, as fair-esm and people's own training write it.
    pub(in crate::model) fn arguments(&self) -> Option<&Value> {
        self.contents.arguments.as_ref()
    }

    /// The program that converted the file, if it says so.
    pub(in crate::model) fn converter(&self) -> Option<&str> {
        self.contents.converter.as_deref()
    }

    /// The numbers of a tensor of this file, row by row, in f32.
    ///
    /// # Errors
    /// If they are in a format that no ESM-2 is stored in, or the file cannot be read.
    pub(in crate::model) fn read(&self, stored: &Stored) -> Result<Vec<f32>, ModelError> {
        stored
            .read(&self.file)
            .map_err(|failure| failure.of(self.path.clone()))
    }
}

impl Failure {
    /// The error, for the file at `path`.
    fn of(self, path: PathBuf) -> ModelError {
        match self {
            Self::Io(source) => ModelError::Io { path, source },
            Self::Bad(mut reason) => {
                let repository = repository_of_file(&path);
                if let Some(repository) = repository
                    && reason.hint.as_deref() == Some(CUT_SHORT)
                {
                    reason.hint = Some(format!("`runner download {repository}` repairs it"));
                }
                ModelError::BadWeights { path, reason }
            }
        }
    }
}

impl<T: Into<Reason>> From<T> for Failure {
    fn from(reason: T) -> Self {
        Self::Bad(reason.into())
    }
}

/// What is asked about a file that lacks its end.
const CUT_SHORT: &str = "was its download cut short?";

/// The failure of a file of `n_bytes` that should have more.
fn cut_short(n_bytes: u64, wanted_bytes: u64) -> Failure {
    let text = format!("it has {n_bytes} bytes of {wanted_bytes}");
    Reason::new(text, CUT_SHORT).into()
}

#[cfg(test)]
mod tests;
