//! ESM-2.

use crate::{error::Error, job::ModelSpec};

/// What can be wrong with a model or its weights.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {}

/// The shape of an ESM-2, as its `config.json` gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Components of a hidden state.
    pub hidden_size: usize,
    /// Transformer layers.
    pub n_layers: usize,
}

/// A model on its device, ready to embed.
pub struct Model {}

impl Model {
    /// Checks what can be checked without reading weights or opening a device.
    pub fn check(_spec: &ModelSpec) -> Result<Config, ModelError> {
        todo!()
    }
    /// Loads the model.
    pub fn load(_spec: &ModelSpec) -> Result<Self, Error> {
        todo!()
    }
    /// The model, for people: its folder's name.
    pub fn name(&self) -> &str {
        todo!()
    }
    /// Where it runs, for people.
    pub fn device(&self) -> &str {
        todo!()
    }
    /// The number format of weights and activations.
    pub fn dtype(&self) -> crate::job::Dtype {
        todo!()
    }
    /// Components of an embedding.
    pub fn hidden_size(&self) -> usize {
        todo!()
    }
    /// Transformer layers.
    pub fn n_layers(&self) -> usize {
        todo!()
    }
    /// Weights in the model.
    pub fn n_parameters(&self) -> u64 {
        todo!()
    }
}
