//! The files of a model, opened and checked as far as that needs no device.

use super::{Config, ModelError, f32_only, fair_esm, plain_file, source, weights::Weights};
use crate::{
    alphabet,
    job::{DeviceChoice, ModelSpec},
};
use std::path::{Path, PathBuf};

/// The files of a model, opened.
pub(super) struct Files {
    /// Their folder, or the only file.
    pub(super) folder: PathBuf,
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
        let label = match spec.device {
            DeviceChoice::Cpu => Some("the CPU"),
            DeviceChoice::Mock => Some("the mock device"),
            DeviceChoice::Auto | DeviceChoice::AllGpus | DeviceChoice::Gpus(_) => None,
        };
        if let Some(label) = label {
            f32_only(spec, label)?;
        }
        let folder = source::locate(&spec.source)?;
        let has_weights = spec.device != DeviceChoice::Mock;
        if folder.is_file() {
            let (config, checkpoint) = fair_esm::open(&folder)?;
            let weights = Weights::of_files(&folder, vec![checkpoint], &config)?;
            return Ok(Self {
                folder,
                config,
                weights: has_weights.then_some(weights),
            });
        }
        let config = Config::read(&folder)?;
        check_vocabulary(&folder)?;
        let weights = has_weights
            .then(|| Weights::open(&folder, &config))
            .transpose()?;
        Ok(Self {
            folder,
            config,
            weights,
        })
    }
}

fn check_vocabulary(folder: &Path) -> Result<(), ModelError> {
    /// The alphabet of ESM-2 has 93.
    const MOST_BYTES: u64 = 65_536;
    let path = folder.join("vocab.txt");
    // Many people copy only the two files that matter; without the list the alphabet is taken for
    // granted.
    if !plain_file::exists(&path) {
        return Ok(());
    }
    let text = plain_file::read(&path, MOST_BYTES)?;
    alphabet::check_vocabulary(&text).map_err(|source| ModelError::Vocabulary { path, source })
}
