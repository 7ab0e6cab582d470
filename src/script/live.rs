//! The host that really works.

use super::{Host, ModelInfo};
use crate::{
    device::DeviceError,
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

    /// Says why a model runs on the CPU. A machine without a driver or a GPU is not worth a warning.
    fn explain_cpu(&self, reason: &DeviceError) {
        match reason {
            DeviceError::NotBuilt(_) | DeviceError::NoDriver | DeviceError::NoGpu => {
                tracing::info!("models run on the CPU: {reason}");
            }
            _ => self.context.events.warn(format!(
                "the GPU cannot be used, so the model runs on the CPU: {reason}"
            )),
        }
    }
}

impl Host for LiveHost {
    fn load(&mut self, spec: &ModelSpec) -> Result<ModelInfo, Error> {
        let index = match self.models.iter().position(|(loaded, _)| loaded == spec) {
            Some(index) => index,
            None => {
                let model = Model::load(spec)?;
                if let Some(reason) = model.instead_of_gpu() {
                    self.explain_cpu(reason);
                }
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
