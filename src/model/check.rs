//! What can be known of a model without loading it.

use super::{
    Config, Lacks, Model, ModelError,
    files::{Files, config_of},
    number_format,
    source::{
        self, Base, MOST_MODELS, Place,
        absent::{Absent, Described, Offer},
    },
};
use crate::{cancel::CancelToken, job::ModelSpec};
use std::path::PathBuf;

/// What is known of a model without loading it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The model, for people: its folder's name or its id.
    pub name: String,
    /// Its configuration.
    pub config: Config,
    /// What it cannot answer, as far as that is known.
    pub lacks: Lacks,
    /// What would be downloaded first.
    pub to_download: Vec<Offer>,
}

impl Model {
    /// Checks all that can be known without opening a device or writing a file: that the folder is there, that
    /// its configuration is one of ESM-2, that the weights have every tensor in its shape, and that no
    /// number format is asked for which the device never computes in. Of a model that is to be downloaded first
    /// it is that the Hub has it, and the configuration.
    ///
    /// # Errors
    /// As [`load`](Self::load), and if the Hub cannot be asked, or it is told to stop meanwhile.
    pub fn check(spec: &ModelSpec, cancel: &CancelToken) -> Result<Checked, ModelError> {
        if Self::absent(spec)?.is_some() {
            return ask(spec, cancel);
        }
        let Files {
            here,
            config,
            weights,
            ..
        } = Files::open(spec)?;
        if let Some(weights) = &weights {
            weights.frequencies(&config)?;
        }
        Ok(Checked {
            lacks: Lacks::of(&config, weights.as_ref()),
            name: here.name,
            config,
            to_download: Vec::new(),
        })
    }

    /// The first model that is to be downloaded before `spec` can be loaded: itself, or one that it is an
    /// adapter of.
    ///
    /// # Errors
    /// If there is no such folder, and no model of the Hub can be called so, or the device never computes in the
    /// number format that is asked for.
    pub fn absent(spec: &ModelSpec) -> Result<Option<Absent>, ModelError> {
        number_format::check(spec)?;
        for place in source::chain(spec) {
            if let Place::Absent(absent) = place? {
                return Ok(Some(absent));
            }
        }
        Ok(None)
    }

    /// The model of the Hub that is called so, whatever is on this machine.
    ///
    /// # Errors
    /// If there can be none.
    pub fn on_the_hub(source: &str, revision: Option<&str>) -> Result<Absent, ModelError> {
        source::on_the_hub(source, revision)
    }

    /// The files in the folder of the model that `spec` names, and of those that it is an adapter of: every one
    /// of them may be read. Of a model that is to be downloaded first there are none.
    ///
    /// # Errors
    /// If there is no such folder, and no model of the Hub can be called so.
    pub fn files(spec: &ModelSpec) -> Result<Vec<PathBuf>, ModelError> {
        let mut files = Vec::new();
        for place in source::chain(spec) {
            if let Place::Here(here) = place? {
                files.extend(source::files(&here.folder));
            }
        }
        Ok(files)
    }
}

/// As [`Model::check`], of a model of which something is to be downloaded.
fn ask(spec: &ModelSpec, cancel: &CancelToken) -> Result<Checked, ModelError> {
    let need = source::need(spec);
    let mut to_download = Vec::new();
    let mut place = source::locate(&spec.source, spec.revision.as_deref(), need)?;
    let name = match &place {
        Place::Here(here) => here.name.clone(),
        Place::Absent(absent) => absent.repository().id.clone(),
    };
    for _ in 0..MOST_MODELS {
        let mut folder = PathBuf::new();
        let described = match place {
            Place::Here(here) => match Base::of_adapter(&here.folder)? {
                Some(base) => {
                    folder = here.folder;
                    Described::Adapter(base)
                }
                None => Described::Model(config_of(&here.folder)?),
            },
            Place::Absent(absent) => {
                let offer = absent.offer(cancel)?;
                let described = offer.described(cancel)?;
                to_download.push(offer);
                described
            }
        };
        place = match described {
            Described::Model(config) => {
                return Ok(Checked {
                    name,
                    config,
                    lacks: Lacks::default(),
                    to_download,
                });
            }
            Described::Adapter(base) => base.locate(&folder, need)?,
        };
    }
    Err(ModelError::TooManyAdapters { name })
}
