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
    file::{self, Existing, StagedFolder},
    job::{DeviceChoice, Dtype, ModelSpec},
};
use plan::Plan;
use std::{
    iter,
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
    let n_bytes = safetensors_file::write(&staged.path().join(WEIGHTS), &plan, on_step)?;
    for (name, text) in small_files::all(&config, &plan) {
        small_files::write(&staged.path().join(name), &text)?;
    }
    // Much may have come into the folder since.
    check_contents(target)?;
    staged.publish(existing)?;
    Ok(Converted {
        folder: target.clone(),
        n_tensors: plan.tensors.len(),
        n_bytes,
        left_out: plan.left_out,
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
    check_contents(target)
}

/// Checks that a folder is empty or missing, or holds an older conversion and nothing else. A model that somebody
/// fetched by hand has files of the same names.
fn check_contents(target: &Path) -> Result<(), ConvertError> {
    let entries = target.read_dir().into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.collect();
    let is_other =
        |name: &&String| *name != WEIGHTS && !small_files::NAMES.contains(&name.as_str());
    if let Some(name) = names.iter().find(is_other) {
        return Err(ConvertError::HoldsOthers {
            folder: target.to_owned(),
            name: name.clone(),
        });
    }
    match names.is_empty() || safetensors_file::is_of_a_conversion(target.join(WEIGHTS)) {
        true => Ok(()),
        false => Err(ConvertError::HoldsModel(target.to_owned())),
    }
}
