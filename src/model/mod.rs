//! ESM-2.

use crate::{error::Error, event::EventSender, job::ModelSpec};

/// What can be wrong with a model or its weights.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {}

/// What a model's config says, without its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelShape {
    /// Components of an embedding.
    pub hidden_size: usize,
    /// Transformer layers.
    pub n_layers: usize,
}

/// A model on its device, ready to embed.
pub struct Model {}

impl Model {
    /// Reads the config and looks for the weights; loads nothing and opens no device.
    pub fn inspect(_spec: &ModelSpec) -> Result<ModelShape, Error> {
        todo!()
    }
    /// Loads the model.
    pub fn load(_spec: &ModelSpec, _events: &EventSender) -> Result<Self, Error> {
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
