//! Adapters of PEFT: changes of a model's weights, merged as these are read.
//!
//! *Input*: a folder with `adapter_config.json` and its weights. *Output*: tensors of the model, changed, in f32.
//! *Never*: leaves out what it does not understand, unless it belongs to a head.

mod config;
mod low_rank;
mod part;
mod scale;

use super::{
    Config, ModelError,
    checkpoint::Checkpoint,
    error::Reason,
    file_names::{ADAPTER_CONFIG, ADAPTER_WEIGHTS},
    foreign::MERGE_REMEDY,
    layout::{layer_tensors, outer_tensors},
    plain_file,
};
use config::AdapterConfig;
use low_rank::LowRank;
use part::{Matrix, Part};
use scale::Scales;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// What PEFT puts before the names of a model's modules.
const WRAPPED: &str = "base_model.model.";

/// An adapter, opened.
pub(super) struct Adapter {
    folder: PathBuf,
    /// Its configuration.
    pub(super) config_path: PathBuf,
    pub(super) checkpoint: Checkpoint,
    /// By the names of the tensors that are changed, without prefix.
    changes: BTreeMap<String, Change>,
    /// What of it is not used, such as heads.
    pub(super) unused: BTreeSet<String>,
}

/// What becomes of a tensor.
#[derive(Debug, Default)]
struct Change {
    /// The tensor that stands in its place, by its full name.
    instead: Option<String>,
    a: Option<String>,
    b: Option<String>,
    rank: usize,
    /// With what the product of the two is multiplied.
    scale: f32,
}

impl Adapter {
    /// Opens the adapter in `folder` of a model with this configuration, and checks that all of it can be merged.
    ///
    /// # Errors
    /// If a file is missing or broken, or holds what cannot be merged or is of another model.
    pub(super) fn open(folder: &Path, config: &Config) -> Result<Self, ModelError> {
        let AdapterConfig {
            scales,
            modules_to_save,
        } = AdapterConfig::read(folder)?;
        let bad = |reason| ModelError::BadAdapter {
            folder: folder.to_path_buf(),
            reason,
        };
        let paths = ADAPTER_WEIGHTS.map(|name| folder.join(name));
        let path = paths.into_iter().find(|path| plain_file::exists(path));
        let path = path.ok_or_else(|| bad(format!("it has no `{}`", ADAPTER_WEIGHTS[0]).into()))?;
        let mut adapter = Self {
            folder: folder.to_path_buf(),
            config_path: folder.join(ADAPTER_CONFIG),
            checkpoint: Checkpoint::open(path)?,
            changes: BTreeMap::new(),
            unused: BTreeSet::new(),
        };
        adapter.sort(&scales, &modules_to_save).map_err(bad)?;
        adapter.check(config).map_err(bad)?;
        Ok(adapter)
    }

    /// Whether it changes the tensor `name`, which is without a prefix.
    pub(super) fn changes(&self, name: &str) -> bool {
        self.changes.contains_key(name)
    }

    /// The numbers of the tensor `name`, which are those of `base` where nothing changes them.
    ///
    /// # Errors
    /// If a file cannot be read, or a number that is changed is not finite then.
    pub(super) fn read(
        &self,
        name: &str,
        base: impl FnOnce() -> Result<Vec<f32>, ModelError>,
    ) -> Result<Vec<f32>, ModelError> {
        let Some(change) = self.changes.get(name) else {
            return base();
        };
        let mut values = match &change.instead {
            Some(instead) => self.tensor(instead)?,
            None => base()?,
        };
        if let (Some(a), Some(b)) = (&change.a, &change.b) {
            let low_rank = LowRank {
                rank: change.rank,
                a: &self.tensor(a)?,
                b: &self.tensor(b)?,
                scale: change.scale,
            };
            low_rank.add_to(&mut values);
        }
        match values.iter().find(|value| !value.is_finite()) {
            None => Ok(values),
            Some(value) => Err(ModelError::BadAdapter {
                folder: self.folder.clone(),
                reason: Reason::new(
                    format!("merged into its model, tensor `{name}` holds {value}"),
                    "its weights or those of the model may be damaged, or its `lora_alpha` be far too large",
                ),
            }),
        }
    }

    fn tensor(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let stored = self.checkpoint.get(name);
        let stored = stored.expect("the changes name tensors of the file");
        self.checkpoint.read(stored)
    }

    /// Finds out what each tensor of the file is for.
    fn sort(&mut self, scales: &Scales, modules_to_save: &[String]) -> Result<(), Reason> {
        let mut encoder: Option<&str> = None;
        for name in self.checkpoint.names() {
            let (prefix, part) = Part::of(name, modules_to_save);
            if let Some(prefix) = prefix
                && *encoder.get_or_insert(prefix) != prefix
            {
                return Err(
                    format!("`{name}` is of another encoder than what comes before").into(),
                );
            }
            let (tensor, slot): (_, fn(&mut Change) -> &mut Option<String>) = match part {
                Part::LowRank { module, matrix } => {
                    let tensor = format!("{module}.weight");
                    // Patterns are about names as they were before PEFT put its own before them.
                    let prefix = prefix.unwrap_or_default();
                    let prefix = prefix.strip_prefix(WRAPPED).unwrap_or(prefix);
                    let module = format!("{prefix}{module}");
                    let change = self.changes.entry(tensor.clone()).or_default();
                    change.rank = scales.rank(&module);
                    change.scale = scales.scale(&module);
                    match matrix {
                        Matrix::A => (tensor, |change| &mut change.a),
                        Matrix::B => (tensor, |change| &mut change.b),
                    }
                }
                Part::Whole(tensor) => (tensor, |change| &mut change.instead),
                Part::Unused(what) => {
                    self.unused.insert(what);
                    continue;
                }
                Part::Strange(reason) => {
                    return Err(Reason::new(format!("`{name}`: {reason}"), MERGE_REMEDY));
                }
            };
            let slot = slot(self.changes.entry(tensor).or_default());
            if let Some(other) = slot.replace(name.to_owned()) {
                return Err(format!("`{other}` and `{name}` are for the same place").into());
            }
        }
        match self.changes.is_empty() {
            true => Err("none of its tensors belongs to the encoder of an ESM-2".into()),
            false => Ok(()),
        }
    }

    /// Checks that each tensor is one for a place that there is, in its shape.
    fn check(&self, config: &Config) -> Result<(), Reason> {
        for (tensor, change) in &self.changes {
            let found = [&change.instead, &change.a, &change.b];
            let first = found.into_iter().flatten().next();
            let name = first.expect("there is no change without a tensor");
            let shape = shape_of(tensor, config).ok_or_else(|| {
                let n_layers = config.n_layers;
                Reason::new(
                    format!("`{name}` is for no tensor of an ESM-2 of {n_layers} layers"),
                    "is it an adapter of another model?",
                )
            })?;
            if let Some(instead) = &change.instead {
                self.check_shape(instead, &shape)?;
            }
            let (a, b) = match (&change.a, &change.b) {
                (None, None) => continue,
                (Some(a), Some(b)) => (a, b),
                (Some(only), None) | (None, Some(only)) => {
                    return Err(format!("`{only}` has no counterpart").into());
                }
            };
            let &[n_outputs, n_inputs] = shape.as_slice() else {
                return Err(Reason::new(
                    format!("`{a}` is for no linear layer"),
                    MERGE_REMEDY,
                ));
            };
            let rank = change.rank;
            self.check_shape(a, &[rank, n_inputs])?;
            self.check_shape(b, &[n_outputs, rank])?;
        }
        Ok(())
    }

    fn check_shape(&self, name: &str, expected: &[usize]) -> Result<(), Reason> {
        let stored = self.checkpoint.get(name);
        let stored = stored.expect("the changes name tensors of the file");
        if stored.shape != expected {
            return Err(Reason::new(
                format!(
                    "`{name}` has the shape {:?}, and by both configurations it would be {expected:?}",
                    stored.shape
                ),
                "is it an adapter of another model?",
            ));
        }
        match stored.format.bytes() {
            Some(_) => Ok(()),
            None => Err(format!("`{name}` has numbers of the format {}", stored.format).into()),
        }
    }
}

/// The shape of a tensor of the encoder, if there is one of this name.
fn shape_of(name: &str, config: &Config) -> Option<Vec<usize>> {
    if let Some(layered) = name.strip_prefix("encoder.layer.") {
        let (layer, name) = layered.split_once('.')?;
        let number: usize = layer.parse().ok()?;
        if number >= config.n_layers || number.to_string() != layer {
            return None;
        }
        let mut tensors = layer_tensors(config).into_iter();
        return tensors.find_map(|(known, shape)| (known == name).then_some(shape));
    }
    // LoRA of embeddings has names of its own, so what comes here is saved whole.
    let mut tensors = outer_tensors(config).into_iter();
    tensors.find_map(|(known, shape)| (known == name).then_some(shape))
}
