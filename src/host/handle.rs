//! A model, as scripts hold it.

use crate::{
    error::Error,
    job::{ModelSpec, Question},
    model::Lacks,
};
use std::rc::Rc;

/// A model, as scripts hold it. Clones are the same model. The host keeps one, too, and knows by the number
/// of the others whether the script has any use for the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelHandle(Rc<Held>);

#[derive(Debug, PartialEq)]
struct Held {
    spec: ModelSpec,
    info: ModelInfo,
}

/// What is known of a model.
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
    /// What it cannot answer, as far as that is known.
    pub lacks: Lacks,
}

impl ModelHandle {
    pub(super) fn new(spec: &ModelSpec, info: ModelInfo) -> Self {
        let spec = spec.clone();
        Self(Rc::new(Held { spec, info }))
    }

    /// What the script named it by.
    pub fn spec(&self) -> &ModelSpec {
        &self.0.spec
    }

    /// What was known of it when it was loaded first.
    pub fn info(&self) -> &ModelInfo {
        &self.0.info
    }

    /// Checks that the model has what it takes to answer a question, as far as that is known.
    ///
    /// # Errors
    /// It has no head for it.
    pub(super) fn check(&self, question: &Question) -> Result<(), Error> {
        let info = &self.0.info;
        Ok(info.lacks.check(&info.name, question)?)
    }

    /// Whether there are handles beside this one.
    pub(super) fn is_shared(&self) -> bool {
        Rc::strong_count(&self.0) > 1
    }
}
