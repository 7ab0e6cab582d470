//! ESM-2.
//!
//! *Input*: a model's folder, then packed batches. *Output*: one vector a sequence and layer, in
//! f32. *Owns*: the configuration, the weights, the forward pass, written once over `ops`.
//! *Never*: asks which device it runs on.

mod config;
mod error;
mod esm2;
mod fingerprint;
mod mock;
mod source;
mod weights;

pub use config::Config;
pub use error::ModelError;

use crate::{
    batch::{self, PackedBatch},
    device::{self, DeviceError},
    job::{DeviceChoice, Dtype, ModelSpec, Pooling},
};
use fingerprint::Fingerprint;
use std::path::Path;
use weights::Weights;

/// Turns batches into embeddings.
trait Encoder {
    /// One vector a sequence and layer, `[n, layers, hidden]`, row by row. `layers` are indices of
    /// hidden states, from 0 to the number of transformer layers.
    fn encode(&self, batch: &PackedBatch, layers: &[usize], pooling: Pooling) -> Vec<f32>;

    /// The vector of every token of the batch at one hidden state, `[T, hidden]`, row by row.
    fn encode_tokens(&self, batch: &PackedBatch, layer: usize) -> Vec<f32>;
}

/// The shape of an ESM-2, as its `config.json` gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Components of a hidden state.
    pub hidden_size: usize,
    /// Transformer layers.
    pub n_layers: usize,
}

/// A model on its device, ready to embed.
pub struct Model {
    name: String,
    device: String,
    config: Config,
    n_parameters: u64,
    default_token_budget: usize,
    fingerprint: Fingerprint,
    encoder: Box<dyn Encoder>,
}

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The model or its weights.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Tokens in a batch on the CPU: enough rows for good GEMMs, few enough that activations stay near
/// the cores.
const CPU_TOKEN_BUDGET: usize = 4096;
/// Tokens in a batch of the mock device: what a GPU would take.
const MOCK_TOKEN_BUDGET: usize = 32_768;

impl Model {
    /// Loads the model that `spec` names.
    ///
    /// # Errors
    /// If the device cannot be used, or the folder, its configuration or its weights are not those
    /// of an ESM-2.
    pub fn load(spec: &ModelSpec) -> Result<Self, LoadError> {
        let is_mock = spec.device == DeviceChoice::Mock;
        let chosen = if is_mock {
            None
        } else {
            Some(device::choose(&spec.device)?)
        };
        let label = chosen
            .as_ref()
            .map_or_else(|| "mock".to_owned(), |chosen| chosen.label.clone());
        if let Some(dtype) = spec.dtype.filter(|&dtype| dtype != Dtype::F32) {
            return Err(LoadError::Model(ModelError::Dtype {
                device: label,
                supported: Dtype::F32.name(),
                asked: dtype.name(),
            }));
        }
        let folder = source::locate(&spec.source)?;
        let config = Config::read(&folder)?;
        check_vocabulary(&folder)?;
        let n_parameters = n_parameters(&config);
        let (encoder, fingerprint, default_token_budget): (Box<dyn Encoder>, _, _) = match chosen {
            Some(chosen) => {
                let weights = Weights::open(&folder)?;
                let fingerprint = Fingerprint::start(&folder, &weights);
                let esm2 = esm2::Esm2::load(&config, &weights, &chosen.device)?;
                (Box::new(esm2), fingerprint, CPU_TOKEN_BUDGET)
            }
            None => {
                let hidden_size = config.hidden_size;
                let mock = mock::Mock { hidden_size };
                (Box::new(mock), Fingerprint::mock(), MOCK_TOKEN_BUDGET)
            }
        };
        Ok(Self {
            name: source::display_name(&spec.source, &folder),
            device: label,
            config,
            n_parameters,
            default_token_budget,
            fingerprint,
            encoder,
        })
    }

    /// Checks what can be checked without reading weights or opening a device: that the folder is
    /// there and its configuration is one of ESM-2.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn check(spec: &ModelSpec) -> Result<Config, ModelError> {
        let folder = source::locate(&spec.source)?;
        let config = Config::read(&folder)?;
        check_vocabulary(&folder)?;
        if spec.device != DeviceChoice::Mock {
            Weights::open(&folder)?;
        }
        Ok(config)
    }

    /// One vector a sequence and layer, `[n, layers, hidden]`, row by row, in f32.
    ///
    /// `layers` are indices of hidden states, from 0 to [`n_layers`](Self::n_layers).
    ///
    /// # Errors
    /// If a vector is not finite; the sequence is named.
    pub fn encode(
        &self,
        batch: &PackedBatch,
        layers: &[usize],
        pooling: Pooling,
    ) -> Result<Vec<f32>, ModelError> {
        let values = self.encoder.encode(batch, layers, pooling);
        let width = layers.len() * self.config.hidden_size;
        for (row, vector) in batch.rows.iter().zip(values.chunks_exact(width)) {
            if !vector.iter().all(|x| x.is_finite()) {
                return Err(ModelError::NotFinite {
                    id: row.id.clone(),
                    length: row.length,
                    dtype: self.dtype().name(),
                });
            }
        }
        Ok(values)
    }

    /// The vector of every token of the batch, BOS and EOS included, at one hidden state:
    /// `[T, hidden]`, row by row, in f32. Sequences lie as in `batch.cu_seqlens`.
    pub fn encode_tokens(&self, batch: &PackedBatch, layer: usize) -> Vec<f32> {
        self.encoder.encode_tokens(batch, layer)
    }

    /// The model, for people: its folder's name or its id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it runs, for people.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The number format of weights and activations.
    pub fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    /// Components of an embedding.
    pub fn hidden_size(&self) -> usize {
        self.config.hidden_size
    }

    /// Transformer layers.
    pub fn n_layers(&self) -> usize {
        self.config.n_layers
    }

    /// Numbers in the encoder's weights.
    pub fn n_parameters(&self) -> u64 {
        self.n_parameters
    }

    /// Tokens in a batch that suit the device.
    pub fn default_token_budget(&self) -> usize {
        self.default_token_budget
    }

    /// BLAKE3 of `config.json` and the weights files, in hexadecimal. It is computed beside the
    /// loading; the first call waits for it.
    ///
    /// # Errors
    /// If a file could not be read.
    pub fn weights_hash(&self) -> Result<&str, ModelError> {
        self.fingerprint.get()
    }
}

fn check_vocabulary(folder: &Path) -> Result<(), ModelError> {
    let path = folder.join("vocab.txt");
    // Many people copy only the two files that matter; without the list the alphabet is taken for
    // granted.
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(());
    };
    batch::check_vocab(&text).map_err(|source| ModelError::Vocabulary { path, source })
}

/// Numbers in the encoder's weights: embeddings, layers, final layer norm.
fn n_parameters(config: &Config) -> u64 {
    let hidden = config.hidden_size as u64;
    let intermediate = config.intermediate_size as u64;
    let layer = 4 * (hidden * hidden + hidden)
        + 2 * hidden * intermediate
        + intermediate
        + hidden
        + 2 * 2 * hidden;
    33 * hidden + config.n_layers as u64 * layer + 2 * hidden
}
