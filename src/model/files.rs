//! The files of a model, opened and checked as far as that needs no device.

use super::{
    Config, ModelError,
    adapter::Adapter,
    fair_esm,
    file_names::VOCABULARY,
    number_format, plain_file,
    source::{self, Base, Here, Place},
    weights::Weights,
};
use crate::{
    alphabet,
    job::{DeviceChoice, ModelSpec},
};
use std::path::Path;

/// The files of a model, opened.
pub(super) struct Files {
    pub(super) here: Here,
    /// Of an adapter, the model that it changes, whose configuration and weights these are.
    pub(super) base: Option<Here>,
    pub(super) config: Config,
    /// `None` for the mock device, which needs none.
    pub(super) weights: Option<Weights>,
}

impl Files {
    /// Opens the files of the model that `spec` names, and checks what they and `spec` say.
    ///
    /// # Errors
    /// If a file is missing or does not belong to an ESM-2, or the device never computes in the number
    /// format that is asked for.
    pub(super) fn open(spec: &ModelSpec) -> Result<Self, ModelError> {
        number_format::check(spec)?;
        let need = source::need(spec);
        let here = on_this_machine(source::locate(
            &spec.source,
            spec.revision.as_deref(),
            need,
        )?)?;
        let base = match Base::of_adapter(&here.folder)? {
            Some(base) => Some(on_this_machine(base.locate(&here.folder, need)?)?),
            None => None,
        };
        let folder = &base.as_ref().unwrap_or(&here).folder;
        if base.is_some() && source::is_adapter(folder) {
            return Err(ModelError::TooManyAdapters { name: here.name });
        }
        let has_weights = spec.device != DeviceChoice::Mock;
        let (config, weights) = if folder.is_file() {
            let (config, checkpoint) = fair_esm::open(folder)?;
            let weights = Weights::of_files(folder, vec![checkpoint], &config)?;
            (config, has_weights.then_some(weights))
        } else {
            let config = Config::read(folder)?;
            check_vocabulary(folder)?;
            let weights = has_weights
                .then(|| Weights::open(folder, &config))
                .transpose()?;
            (config, weights)
        };
        let adapter = match (&base, &weights) {
            (Some(_), Some(_)) => Some(Adapter::open(&here.folder, &config)?),
            _ => None,
        };
        let weights = weights.map(|weights| weights.with_adapter(adapter));
        Ok(Self {
            here,
            base,
            config,
            weights,
        })
    }
}

/// The configuration of the model in a folder, or in a file of fair-esm.
///
/// # Errors
/// If there is none, or it is not that of an ESM-2.
pub(super) fn config_of(place: &Path) -> Result<Config, ModelError> {
    match place.is_file() {
        true => fair_esm::open(place).map(|(config, _)| config),
        false => Config::read(place),
    }
}

fn on_this_machine(place: Place) -> Result<Here, ModelError> {
    match place {
        Place::Here(here) => Ok(here),
        Place::Absent(absent) => {
            let repository = absent.repository().to_string();
            Err(ModelError::Incomplete { repository })
        }
    }
}

fn check_vocabulary(folder: &Path) -> Result<(), ModelError> {
    /// The alphabet of ESM-2 has 93.
    const MOST_BYTES: u64 = 65_536;
    let path = folder.join(VOCABULARY);
    // Many people copy only the two files that matter; without the list the alphabet is taken for
    // granted.
    if !plain_file::exists(&path) {
        return Ok(());
    }
    let text = plain_file::read(&path, MOST_BYTES)?;
    alphabet::check_vocabulary(&text).map_err(|source| ModelError::Vocabulary { path, source })
}
