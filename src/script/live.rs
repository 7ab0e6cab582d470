//! The host that really works.

use super::{Host, ModelInfo};
use crate::{
    error::Error,
    job::{Dataset, EmbedOptions, ModelSpec},
    model::Model,
    pipeline::{self, Context},
    report::RunSummary,
};

/// Loads models and runs the pipeline. Models and readers live until the script ends.
pub struct LiveHost {
    context: Context,
    models: Vec<(ModelSpec, Model)>,
}

impl LiveHost {
    /// A host whose runs share `context`.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            models: Vec::new(),
        }
    }
}

impl Host for LiveHost {
    fn load(&mut self, spec: &ModelSpec) -> Result<ModelInfo, Error> {
        let index = match self.models.iter().position(|(loaded, _)| loaded == spec) {
            Some(index) => index,
            None => {
                let model = Model::load(spec)?;
                self.models.push((spec.clone(), model));
                self.models.len() - 1
            }
        };
        let model = &self.models[index].1;
        Ok(ModelInfo {
            name: model.name().to_owned(),
            device: model.device().to_owned(),
            dtype: model.dtype().name().to_owned(),
            hidden_size: model.hidden_size(),
            n_layers: model.n_layers(),
            n_parameters: Some(model.n_parameters()),
        })
    }

    fn embed(
        &mut self,
        spec: &ModelSpec,
        dataset: &Dataset,
        options: &EmbedOptions,
    ) -> Result<RunSummary, Error> {
        let (_, model) = self
            .models
            .iter()
            .find(|(loaded, _)| loaded == spec)
            .expect("scripts get a spec only with the model that was loaded for it");
        pipeline::embed(&mut self.context, model, dataset, options)
    }

    fn is_rehearsal(&self) -> bool {
        false
    }
}
