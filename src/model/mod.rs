//! ESM-2, written once over `ops`.
//!
//! *Input*: a folder in the format of HF transformers and packed batches. *Output*: one vector a
//! sequence and layer. *Owns*: configuration, weights, the forward pass, pooling. *Never*: branches
//! on the kind of device.

mod config;
mod encoder;
mod error;
mod esm2;
mod files;
mod fingerprint;
mod flight;
mod foreign;
mod layout;
mod mock;
mod plain_file;
mod shard;
mod source;
mod weights;

pub use config::Config;
pub use error::ModelError;
pub use flight::{Computed, Encoded, InFlight, StagedBatch, Stager};

use crate::{
    alphabet::VOCABULARY_SIZE,
    batch::PackedBatch,
    device::{self, Chosen},
    job::{Dtype, GeluForm, ModelSpec, Pooling},
    ops,
};
use burn::tensor::DType;
use encoder::Encoder;
use files::Files;
use fingerprint::Fingerprint;
use std::{cell::Cell, path::PathBuf};

pub use crate::ops::StagerOptions;

/// A model on its device, ready to embed.
pub struct Model {
    name: String,
    /// `None` for the mock device.
    chosen: Option<Chosen>,
    dtype: Dtype,
    gelu: GeluForm,
    config: Config,
    n_parameters: u64,
    default_token_budget: usize,
    /// Whether the device's memory may be too small for a batch.
    is_memory_tried: bool,
    /// The largest token budget that the device's memory was tried with and holds, and for how many
    /// layers at once.
    warm: Cell<(usize, usize)>,
    /// Free bytes of the GPU's memory before the model was loaded.
    free_before: Option<u64>,
    fingerprint: Fingerprint,
    encoder: Box<dyn Encoder>,
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
    pub fn load(spec: &ModelSpec) -> Result<Self, ModelError> {
        let Files {
            folder,
            config,
            weights,
        } = Files::open(spec)?;
        let chosen = weights
            .is_some()
            .then(|| device::choose(&spec.device))
            .transpose()?;
        let dtype = dtype(spec, chosen.as_ref())?;
        let gelu = spec.gelu.form(dtype);
        let n_parameters = n_parameters(&config);
        let free_before = chosen.as_ref().and_then(device::free_bytes);
        let (encoder, fingerprint, default_token_budget): (Box<dyn Encoder>, _, _) =
            match chosen.as_ref().zip(weights) {
                Some((chosen, weights)) => {
                    ops::prepare(
                        chosen,
                        burn_dtype(dtype),
                        config.hidden_size,
                        config.head_dim(),
                    )?;
                    let fingerprint = Fingerprint::start(&folder, &weights)?;
                    let form = esm2::Form {
                        dtype: burn_dtype(dtype),
                        gelu,
                    };
                    let esm2 = esm2::Esm2::load(&config, &weights, chosen, form)?;
                    let budget = default_token_budget(chosen, &config, dtype, n_parameters);
                    (Box::new(esm2), fingerprint, budget)
                }
                None => {
                    let mock = mock::Mock::new(config.hidden_size, spec.mock);
                    (Box::new(mock), Fingerprint::mock(), MOCK_TOKEN_BUDGET)
                }
            };
        let is_gpu = chosen.as_ref().is_some_and(|chosen| chosen.gpu.is_some());
        let is_small_mock = chosen.is_none() && spec.mock.memory_tokens.is_some();
        Ok(Self {
            name: source::display_name(&spec.source, &folder),
            chosen,
            dtype,
            gelu,
            config,
            n_parameters,
            default_token_budget,
            is_memory_tried: is_gpu || is_small_mock,
            warm: Cell::new((0, 0)),
            free_before,
            fingerprint,
            encoder,
        })
    }

    /// Checks all that can be known without opening a device: that the folder is there, that its
    /// configuration is one of ESM-2, that the weights have every tensor in its shape, and that no
    /// number format is asked for which the device never computes in.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn check(spec: &ModelSpec) -> Result<Config, ModelError> {
        let Files {
            config, weights, ..
        } = Files::open(spec)?;
        if let Some(weights) = weights {
            weights.frequencies(&config)?;
        }
        Ok(config)
    }

    /// The files in the folder of the model that `spec` names: every one of them may be read.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn files(spec: &ModelSpec) -> Result<Vec<PathBuf>, ModelError> {
        Ok(source::files(&source::locate(&spec.source)?))
    }

    /// Numbers in the weights of an encoder with this configuration.
    pub fn n_parameters_of(config: &Config) -> u64 {
        n_parameters(config)
    }

    /// What brings batches to the model's device. It may go to another thread.
    ///
    /// # Errors
    /// If the device has no memory for them.
    pub fn stager(&self, options: StagerOptions) -> Result<Stager, ModelError> {
        let inner = match &self.chosen {
            Some(chosen) => {
                let dtype = burn_dtype(self.dtype);
                ops::Stager::new(chosen, dtype, self.config.head_dim(), options)?
            }
            None => ops::Stager::host(),
        };
        Ok(Stager::new(inner))
    }

    /// Starts to embed a batch: one vector a sequence and layer. On a GPU it only enqueues the work;
    /// batches are computed in the order of the calls.
    ///
    /// `layers` are indices of hidden states, from 0 to [`n_layers`](Self::n_layers).
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn submit(
        &self,
        batch: StagedBatch,
        layers: &[usize],
        pooling: Pooling,
    ) -> Result<InFlight, ModelError> {
        let results = self.encoder.submit(&batch.tokens, layers, pooling)?;
        Ok(InFlight::new(batch, results, self))
    }

    /// One vector a sequence and layer, `[n, layers, hidden]`, row by row, in f32.
    ///
    /// # Errors
    /// If the device fails, or a vector is not finite; the sequence is named.
    pub fn encode(
        &self,
        batch: &PackedBatch,
        layers: &[usize],
        pooling: Pooling,
    ) -> Result<Vec<f32>, ModelError> {
        let encoded = self.compute(batch, layers, pooling)?.check()?;
        Ok(encoded.embeddings)
    }

    /// Computes a batch that is alone on the device.
    fn compute(
        &self,
        batch: &PackedBatch,
        layers: &[usize],
        pooling: Pooling,
    ) -> Result<Computed, ModelError> {
        let staged = self.stager(alone(batch))?.stage(batch.clone())?;
        self.submit(staged, layers, pooling)?.wait()
    }

    /// The vector of every token of the batch, BOS and EOS included, at one hidden state:
    /// `[T, hidden]`, row by row, in f32. Sequences lie as in `batch.cu_seqlens`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode_tokens(&self, batch: &PackedBatch, layer: usize) -> Result<Vec<f32>, ModelError> {
        let staged = self.stager(alone(batch))?.stage(batch.clone())?;
        let mut values = self.encoder.encode_tokens(&staged.tokens, layer)?;
        values.truncate(batch.n_tokens() * self.config.hidden_size);
        Ok(values)
    }

    /// Embeds a batch of `token_budget` tokens for nothing, so that memory is taken and kernels are
    /// chosen before the first real batch. Later calls that ask for no more do nothing.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`](crate::device::DeviceError::OutOfMemory) if a batch of that size
    /// does not fit; a smaller one may.
    pub fn warm_up(&self, token_budget: usize, layers: &[usize]) -> Result<(), ModelError> {
        let (warm_budget, warm_layers) = self.warm.get();
        let is_warm = warm_budget >= token_budget && warm_layers >= layers.len();
        if !self.is_memory_tried || is_warm {
            return Ok(());
        }
        let batch = PackedBatch::synthetic(token_budget);
        let result = self.compute(&batch, layers, Pooling::Mean);
        if result.is_err()
            && let Some(chosen) = &self.chosen
        {
            // A smaller batch needs the memory that this one has taken.
            chosen.device.memory_cleanup();
        }
        // Nobody looks at the vectors: its tokens may be ones that no sequence has.
        result?;
        self.warm.set((token_budget, layers.len()));
        Ok(())
    }

    /// The model, for people: its folder's name or its id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it runs, for people.
    pub fn device(&self) -> &str {
        self.chosen.as_ref().map_or("mock", |chosen| &chosen.label)
    }

    /// Why it does not run on a GPU, where the choice was left to the program.
    pub fn instead_of_gpu(&self) -> Option<&device::DeviceError> {
        self.chosen.as_ref()?.instead_of_gpu.as_ref()
    }

    /// The number format of weights and activations.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The form of GELU that it computes.
    pub fn gelu(&self) -> GeluForm {
        self.gelu
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

    /// Useful floating-point operations of embedding sequences of `tokens` tokens each, BOS and EOS
    /// included: a product and a sum count as two, and padding for nothing. Per layer and token it is
    /// `8 d² + 4 d f` in linear layers and `4 d L` in attention, for hidden size d, intermediate size
    /// f and sequence length L.
    pub fn flops(&self, tokens: impl Iterator<Item = usize>) -> f64 {
        if self.chosen.is_none() {
            // Hashes are no such operations.
            return 0.0;
        }
        let (d, f) = (
            self.config.hidden_size as f64,
            self.config.intermediate_size as f64,
        );
        let per_layer: f64 = tokens
            .map(|length| {
                let length = length as f64;
                length * (8.0 * d * d + 4.0 * d * f + 4.0 * d * length)
            })
            .sum();
        self.config.n_layers as f64 * per_layer
    }

    /// The name and the UUID of the GPU that it runs on, as the driver gives them.
    pub fn gpu(&self) -> Option<(&str, &str)> {
        let gpu = self.chosen.as_ref()?.gpu.as_ref()?;
        Some((&gpu.name, &gpu.uuid))
    }

    /// Tokens in a batch that suit the device.
    pub fn default_token_budget(&self) -> usize {
        self.default_token_budget
    }

    /// Bytes of the GPU's memory that were taken since the model began to load. Memory that a batch
    /// needed stays taken, so after a run it is the run's peak.
    pub fn gpu_memory_bytes(&self) -> Option<u64> {
        let free = device::free_bytes(self.chosen.as_ref()?)?;
        Some(self.free_before?.saturating_sub(free))
    }

    /// BLAKE3 of `config.json` and the weights files, in hexadecimal. It is computed beside the
    /// loading; the first call waits for it.
    ///
    /// # Errors
    /// If a file could not be read.
    pub fn weights_hash(&self) -> Result<&str, ModelError> {
        self.fingerprint.get()
    }

    /// Gives the memory that the model has on its device back to the driver.
    pub fn unload(self) {
        drop(self.encoder);
        if let Some(chosen) = &self.chosen {
            device::release_unused(chosen);
        }
    }
}

/// The number format to compute in: the one asked for, else bf16 on a GPU and f32 on the CPU.
fn dtype(spec: &ModelSpec, chosen: Option<&Chosen>) -> Result<Dtype, ModelError> {
    match chosen {
        Some(chosen) if chosen.gpu.is_some() => Ok(spec.dtype.unwrap_or(Dtype::Bf16)),
        Some(chosen) => f32_only(spec, &chosen.label),
        None => f32_only(spec, "the mock device"),
    }
}

/// The number format of a device that computes in f32 only.
fn f32_only(spec: &ModelSpec, device: &str) -> Result<Dtype, ModelError> {
    match spec.dtype {
        None | Some(Dtype::F32) => Ok(Dtype::F32),
        Some(asked) => Err(ModelError::Dtype {
            device: device.to_owned(),
            supported: Dtype::F32.name(),
            asked: asked.name(),
        }),
    }
}

fn burn_dtype(dtype: Dtype) -> DType {
    match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
    }
}

/// Tokens in a batch that suit the device: on a GPU, as many as keep it busy for long enough to
/// hide everything else, as far as the memory that the weights leave allows.
fn default_token_budget(
    chosen: &Chosen,
    config: &Config,
    dtype: Dtype,
    n_parameters: u64,
) -> usize {
    /// The widest moment of a layer: input, normalised input, the four-fold intermediate state and
    /// the output, and one more in reserve.
    const WIDTHS: usize = 8;
    let Some(free) = device::free_bytes(chosen) else {
        return CPU_TOKEN_BUDGET;
    };
    let bytes = burn_dtype(dtype).size();
    // Weights may still be on their way, so their size is taken from what was free in any case.
    // The limits of a configuration keep these products far below 2^64.
    let room = free.saturating_sub(n_parameters * bytes as u64) / 2;
    let per_token = (WIDTHS * config.hidden_size * bytes) as u64;
    let fitting = usize::try_from(room / per_token).unwrap_or(usize::MAX);
    let wanted = if config.hidden_size < 1000 {
        65_536
    } else {
        32_768
    };
    // Powers of two need no rows of padding.
    let fitting = (fitting + 1).next_power_of_two() / 2;
    wanted.min(fitting).max(CPU_TOKEN_BUDGET)
}

/// The options for staging one batch.
fn alone(batch: &PackedBatch) -> StagerOptions {
    StagerOptions {
        token_budget: batch.n_tokens() + batch.n_padding,
        n_slots: 1,
        poisoned: false,
    }
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
    VOCABULARY_SIZE as u64 * hidden + config.n_layers as u64 * layer + 2 * hidden
}
