//! A model of any form, written as a folder that HF transformers loads.
//!
//! *Input*: whatever can be loaded. *Output*: a folder with `config.json`, `model.safetensors`, the alphabet and what
//! tokenisers need. *Never*: holds more of a model in memory than a tensor; leaves half a folder behind.

mod error;
mod plan;
mod safetensors_file;
mod small_files;

pub use error::ConvertError;

use super::{Config, ModelError, file_names::SAFETENSORS, files::Files, source, weights::Weights};
use crate::{
    file::{self, Existing, FileError, StagedFolder},
    job::{DeviceChoice, Dtype, ModelSpec},
};
use plan::Plan;
use std::{
    ffi::OsString,
    io, iter,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// What is to be written, and where.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// The model, as a script names it.
    pub source: String,
    /// The folder that is made.
    pub folder: PathBuf,
    /// The number format of all tensors; without it each keeps its own.
    pub dtype: Option<Dtype>,
    /// Whether an older conversion of that name is replaced.
    pub overwrite: bool,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The folder.
    pub folder: PathBuf,
    /// Tensors in it.
    pub n_tensors: usize,
    /// Bytes of its weights.
    pub n_bytes: u64,
    /// Tensors of the model that embeddings do not need and transformers has no use for.
    pub left_out: Vec<String>,
    /// The first tensor with a number that is not finite, as the model has it, too.
    pub not_finite: Option<String>,
}

const WEIGHTS: &str = SAFETENSORS.single;

/// Writes the model. `on_step` is told after each tensor how many of how many are written, and may end it.
///
/// # Errors
/// If the model cannot be loaded, a number has no place in the format that is asked for, the folder cannot be
/// written or is not to be replaced, or `on_step` ends it. Then there is no folder that was not there before.
pub fn convert(
    conversion: &Conversion,
    on_step: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Converted, ConvertError> {
    let Conversion {
        source,
        folder: target,
        dtype,
        overwrite,
    } = conversion;
    if let Some(dtype) = dtype.filter(|dtype| !Dtype::FLOATS.contains(dtype)) {
        return Err(ConvertError::NotAFloat(dtype));
    }
    let existing = Existing::unless(*overwrite);
    let spec = ModelSpec {
        device: DeviceChoice::Cpu,
        ..ModelSpec::new(source)
    };
    let Files {
        here,
        base,
        config,
        weights,
    } = Files::open(&spec)?;
    let weights = weights.expect("the CPU needs weights");
    let places: Vec<&Path> = iter::once(&here)
        .chain(&base)
        .map(|here| here.folder.as_path())
        .collect();
    check_place(target, existing, &places)?;
    // An adapter comes before the model that it changes.
    let place = places.last().expect("a model is somewhere");
    let plan = Plan::new(&config, &weights, place, *dtype)?;

    let staged = StagedFolder::create(target, existing)?;
    let written = safetensors_file::write(&staged.path().join(WEIGHTS), &plan, on_step)?;
    for (name, text) in small_files::all(&config, &plan) {
        small_files::write(&staged.path().join(name), &text)?;
    }
    // Much may have come into the folder since, and something still may until nobody finds it any more.
    files_of_a_conversion(target, target)?;
    staged.publish(existing, |older| files_of_a_conversion(older, target))?;
    Ok(Converted {
        folder: target.clone(),
        n_tensors: plan.tensors.len(),
        n_bytes: written.n_bytes,
        left_out: plan.left_out,
        not_finite: written.not_finite,
    })
}

/// Checks that `target` may be made, and that nothing would be lost but an older conversion.
fn check_place(target: &Path, existing: Existing, models: &[&Path]) -> Result<(), ConvertError> {
    if let Ok(place) = target.canonicalize() {
        let mut files = models.iter().flat_map(|model| source::files(model));
        if files.any(|path| {
            path.canonicalize()
                .is_ok_and(|path| path.starts_with(&place))
        }) {
            return Err(ConvertError::OverItself(target.to_owned()));
        }
    }
    file::check_folder(target, existing)?;
    files_of_a_conversion(target, target).map(drop)
}

/// The files of a folder that is empty or missing, or holds an older conversion and nothing else. A model that
/// somebody fetched by hand has files of the same names. `shown` is how the user knows the folder.
fn files_of_a_conversion(folder: &Path, shown: &Path) -> Result<Vec<OsString>, ConvertError> {
    let failed = |error| FileError::io("list the files of", shown, error);
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error).into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        // A folder or a link may be called as a file is.
        let is_file = entry.file_type().map_err(failed)?.is_file();
        let is_known = name == WEIGHTS || small_files::NAMES.iter().any(|known| name == *known);
        if !is_file || !is_known {
            return Err(ConvertError::HoldsOthers {
                folder: shown.to_owned(),
                name: name.to_string_lossy().into_owned(),
            });
        }
        names.push(name);
    }
    match names.is_empty() || safetensors_file::is_of_a_conversion(folder.join(WEIGHTS)) {
        true => Ok(names),
        false => Err(ConvertError::HoldsModel(shown.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_listed_is_not_taken_for_empty() {
        let place = tempfile::tempdir().unwrap();
        let missing = place.path().join("missing");
        assert!(
            files_of_a_conversion(&missing, &missing)
                .unwrap()
                .is_empty()
        );
        // Who may do all may list every folder, so something else must do.
        let file = place.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = files_of_a_conversion(&file, Path::new("shown")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot list the files of `shown`"),
            "{error}"
        );
    }
}
