//! What a script asks of the rest of the program.

use crate::{
    error::Error,
    job::{Dataset, EmbedOptions, ModelSpec},
    pipeline::Watcher,
    report::RunSummary,
};
use std::path::Path;

/// Does what the script says: really ([`super::LiveHost`]), or as a rehearsal
/// ([`super::Rehearsal`]).
pub trait Host {
    /// Makes the model ready. The same spec twice is one model.
    ///
    /// # Errors
    /// The model or its device cannot be used.
    fn load(&mut self, spec: &ModelSpec) -> Result<ModelInfo, Error>;

    /// Embeds `dataset` with the model of `spec`, which [`Host::load`] has made ready. `watcher` is
    /// told what happens.
    ///
    /// # Errors
    /// Whatever ends a run.
    fn embed(
        &mut self,
        spec: &ModelSpec,
        dataset: &Dataset,
        options: &EmbedOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<RunSummary, Error>;

    /// Has runs write something about themselves to `path`, from the next one on. Nothing is opened
    /// before that run, of which the register of paths then knows all files.
    fn record(&mut self, record: Record, path: &Path);

    /// Whether this is a rehearsal: outputs are not written and cannot be read back.
    fn is_rehearsal(&self) -> bool;
}

/// What runs can write about themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A page with all runs of the script so far.
    Report,
    /// A line of measurements every few batches.
    Metrics,
    /// What every stage does when.
    Trace,
    /// The latest measurements, for Prometheus.
    Prometheus,
}

/// A model, as scripts see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// The model, for people: its folder's name.
    pub name: String,
    /// Where it runs, for people.
    pub device: String,
    /// The number format of weights and activations.
    pub dtype: String,
    /// Components of an embedding.
    pub hidden_size: usize,
    /// Transformer layers.
    pub n_layers: usize,
    /// Weights in the model.
    pub n_parameters: u64,
}
