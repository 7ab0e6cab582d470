//! ESM-2, written once over `ops`.
//!
//! *Input*: a folder in the format of HF transformers and packed batches. *Output*: what was asked of
//! each sequence: vectors of it and of its residues. *Owns*: configuration, weights, the forward pass, pooling. *Never*: branches
//! on the kind of device, keeps what is known of a batch beside its tokens.

mod adapter;
mod attention;
mod check;
mod checkpoint;
mod config;
mod contact_head;
mod convert;
mod encoder;
mod error;
mod esm2;
mod fair_esm;
mod file_names;
mod files;
mod fingerprint;
mod flight;
mod foreign;
mod form;
mod head;
mod inaccurate;
mod lacks;
mod layer;
mod layer_parts;
mod layer_weights;
mod layout;
mod living;
mod load;
mod mock;
mod naming;
mod not_here;
mod number_format;
mod plain_file;
mod reader;
mod replica;
mod source;
mod token_budget;
mod trial;
mod weights;

pub use check::Checked;
pub use config::Config;
pub use convert::{Conversion, ConvertError, Converted, convert};
pub use error::{ModelError, Reason};
pub use flight::{Answer, InFlight, listed};
pub use lacks::Lacks;
pub use not_here::NotHere;
pub use replica::{Replica, padded_ids};
pub use source::{
    Origin,
    absent::{Absent, Offer},
};
pub use token_budget::{DeviceKind, usual_token_budget};
pub use trial::Accuracy;

use crate::{
    alphabet::VOCABULARY_SIZE,
    batch::{Flaw, PackedBatch, Row, Rows},
    device,
    job::{Column, Content, Dtype, GeluForm, OutputDtype, Pooling, Positions, Question},
    ops,
};
use encoder::Encoder;
use fingerprint::Fingerprint;
use form::Form;

pub use crate::ops::{Stager, StagerOptions, pool_sequence};

/// The number of this program's arithmetic. It is raised by every change after which some model gives
/// some sequence other bits on some device.
pub const NUMERICS: u32 = 1;

/// The number of the way in which weights are made int8, proteins included that the means of activations are of.
/// It is raised by every change after which some model has other weights in int8.
pub const INT8_RECIPE: u32 = 2;

/// A model, ready to embed: what it is, and a replica of it on each device that computes.
pub struct Model {
    name: String,
    origin: Option<Origin>,
    merged: Option<Merged>,
    device: String,
    dtype: Dtype,
    form: Form,
    /// How close it is to what it is without 8-bit numbers, if it has any.
    accuracy: Option<Accuracy>,
    config: Config,
    n_parameters: u64,
    default_token_budget: usize,
    fingerprint: Fingerprint,
    /// What it cannot answer.
    lacks: Lacks,
    /// At least one.
    replicas: Vec<Replica>,
}

/// What a model that was named by an adapter is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The model that the adapter changes, for people.
    pub base: String,
    /// Where that comes from, if that is known.
    pub base_origin: Option<Origin>,
    /// What of the adapter is not used, such as heads.
    pub unused: Vec<String>,
}

impl Model {
    /// Numbers in the weights of an encoder with this configuration.
    pub fn n_parameters_of(config: &Config) -> u64 {
        n_parameters(config)
    }

    /// The model on each of its devices: at least one.
    pub fn replicas(&self) -> &[Replica] {
        &self.replicas
    }

    fn first(&self) -> &Replica {
        self.replicas
            .first()
            .expect("a model is on a device at least")
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
        let rows = self.answer(batch, &Question::pooled(layers, pooling))?;
        let columns: Vec<_> = rows
            .columns
            .iter()
            .map(|column| column.values.to_f32())
            .collect();
        let hidden = self.config.hidden_size;
        let vectors = (0..rows.len()).flat_map(|row| {
            let columns = columns.iter();
            columns.flat_map(move |column| &column[row * hidden..][..hidden])
        });
        Ok(vectors.copied().collect())
    }

    /// What the model answers to a question about the sequences of a batch.
    ///
    /// # Errors
    /// If the device fails, or a value is not finite; the sequence is named.
    pub fn answer(&self, batch: &PackedBatch, question: &Question) -> Result<Rows, ModelError> {
        let answer = self.first().compute(batch, question)?;
        let rows = Rows::new(batch.rows.clone(), answer.columns);
        let rows = rows.expect("a model answers for each sequence of a batch");
        match rows.first_not_finite() {
            Some((row, flaw)) => Err(self.not_finite(row, flaw)),
            None => Ok(rows),
        }
    }

    /// The error that a sequence's vector holds what is no number.
    pub fn not_finite(&self, row: &Row, flaw: Flaw) -> ModelError {
        let (id, length) = (row.id.clone(), row.length);
        match flaw {
            Flaw::NoRoom => ModelError::NoRoom { id, length },
            Flaw::NotFinite => ModelError::NotFinite {
                id,
                length,
                dtype: self.dtype.name(),
            },
        }
    }

    /// The vector of every token of the batch, BOS and EOS included, at one hidden state:
    /// `[T, hidden]`, row by row, in f32. Sequences lie as in `batch.cu_seqlens`.
    ///
    /// # Errors
    /// If the device fails, or a value is not finite; the sequence is named.
    pub fn encode_tokens(&self, batch: &PackedBatch, layer: usize) -> Result<Vec<f32>, ModelError> {
        let positions = Positions::Tokens;
        let column = Column {
            name: String::new(),
            content: Content::States { layer, positions },
            dtype: OutputDtype::F32,
        };
        let columns = vec![column];
        let rows = self.answer(batch, &Question { columns })?;
        Ok(rows
            .columns
            .first()
            .map_or_else(Vec::new, |column| column.values.to_f32()))
    }

    /// The model, for people: its folder's name or its id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its files come from, if that is known.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// What it is made of, if an adapter was merged into it.
    pub fn merged(&self) -> Option<&Merged> {
        self.merged.as_ref()
    }

    /// Where it runs, for people.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Whether it runs on the CPU. The mock device stands for a GPU.
    pub fn is_on_cpu(&self) -> bool {
        let chosen = self.first().chosen.as_ref();
        chosen.is_some_and(|chosen| chosen.gpu.is_none())
    }

    /// The device of one of its replicas, in a word.
    pub fn lane_name(&self, replica: &Replica) -> String {
        let device = replica.short_device();
        let mut replicas = self.replicas.iter();
        match replicas.position(|other| std::ptr::eq(other, replica)) {
            // Mock devices have no name of their own.
            Some(number) if replica.gpu().is_none() && self.replicas.len() > 1 => {
                format!("{device}:{number}")
            }
            _ => device,
        }
    }

    /// What the bits of embeddings depend on beside [`NUMERICS`], the model, its form and the sequence:
    /// the kind of device, with the versions of what computes there. Its number or its cores do not count.
    pub fn device_kind(&self) -> String {
        let chosen = self.first().chosen.as_ref();
        chosen.map_or_else(
            || "mock".to_owned(),
            |chosen| ops::arithmetic(chosen, self.dtype),
        )
    }

    /// Why it does not run on a GPU, where the choice was left to the program.
    pub fn instead_of_gpu(&self) -> Option<&device::DeviceError> {
        self.first().chosen.as_ref()?.instead_of_gpu.as_ref()
    }

    /// GPUs of the kind of the one that it runs on which are left over, where the choice was the program's.
    pub fn n_gpus_left_over(&self) -> usize {
        let chosen = self.first().chosen.as_ref();
        let gpu = chosen.and_then(|chosen| chosen.gpu.as_ref());
        gpu.map_or(0, |gpu| gpu.n_left_over)
    }

    /// The number format of weights, and of activations on a GPU. In int8 activations are in bf16.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The form of GELU that it computes.
    pub fn gelu(&self) -> GeluForm {
        self.form.gelu
    }

    /// What its vectors depend on beside its number format and its weights, if it is in int8, by name.
    pub fn quantisation(&self) -> impl Iterator<Item = (&'static str, String)> {
        let products: Vec<_> = self.form.products.names().collect();
        let is_quantised = !products.is_empty();
        let entries = [
            ("int8_products", products.join(",")),
            ("int8_recipe", INT8_RECIPE.to_string()),
        ];
        entries.into_iter().filter(move |_| is_quantised)
    }

    /// How close it is to what it is in bf16, if it is in int8.
    pub fn accuracy(&self) -> Option<&Accuracy> {
        self.accuracy.as_ref()
    }

    /// What it cannot answer.
    pub fn lacks(&self) -> &Lacks {
        &self.lacks
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
        if self.first().chosen.is_none() {
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

    /// Tokens in a batch that suit the device.
    pub fn default_token_budget(&self) -> usize {
        self.default_token_budget
    }

    /// Bytes of the memory of all its GPUs together, without those that were lost, that were taken since it
    /// began to load.
    pub fn gpu_memory_bytes(&self) -> Option<u64> {
        let replicas = self
            .replicas
            .iter()
            .filter(|replica| replica.lost().is_none());
        replicas.map(Replica::gpu_memory_bytes).sum()
    }

    /// BLAKE3 of `config.json` and the weights files, in hexadecimal. It is computed beside the
    /// loading; the first call waits for it.
    ///
    /// # Errors
    /// If a file could not be read.
    pub fn weights_hash(&self) -> Result<&str, ModelError> {
        self.fingerprint.get()
    }

    /// Gives the memory that the model has on its devices back to the driver.
    pub fn unload(self) {
        self.replicas.into_iter().for_each(Replica::unload);
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
