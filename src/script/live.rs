//! The host that really works.

use super::{Host, ModelInfo, Record};
use crate::{
    device::DeviceError,
    error::Error,
    hint::Hint,
    job::{Dataset, EmbedOptions, ModelSpec},
    model::Model,
    paths::check_ours,
    pipeline::{self, Context, Watcher},
    report::{Failure, RunReport, RunSummary},
};
use std::path::{Path, PathBuf};

/// Loads models and runs the pipeline. Models and readers live until the script ends.
pub struct LiveHost {
    context: Context,
    models: Vec<(ModelSpec, Model)>,
    report: RunReport,
    /// Files that the next run begins, the latest of each kind.
    to_begin: Vec<(Record, PathBuf)>,
}

impl LiveHost {
    /// A host whose runs share `context`, for a script of this name.
    pub fn new(context: Context, script: &str) -> Self {
        Self {
            context,
            models: Vec::new(),
            report: RunReport::new(script),
            to_begin: Vec::new(),
        }
    }

    /// Begins the files that the script asked for since the last run.
    fn begin_records(&mut self) -> Result<(), Error> {
        let recorder = &self.context.recorder;
        for (record, path) in &self.to_begin {
            // Another program may have put a file there since the script asked for it.
            check_ours(record.role(), path)?;
            match record {
                Record::Report => self.report.write_to(path)?,
                Record::Metrics => recorder.record_metrics(path)?,
                Record::Trace => recorder.record_trace(path)?,
                Record::Prometheus => recorder.record_prometheus(path)?,
            }
        }
        self.to_begin.clear();
        Ok(())
    }

    /// Says why a model runs on the CPU. A machine without a driver or a GPU is not worth a warning.
    fn explain_cpu(&self, reason: &DeviceError) {
        match reason {
            DeviceError::NotBuilt(_) | DeviceError::NoDriver | DeviceError::NoGpu => {
                tracing::info!("models run on the CPU: {}", reason.in_full());
            }
            _ => self.context.events.warn(format!(
                "the GPU cannot be used, so the model runs on the CPU: {}",
                reason.in_full()
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
            n_parameters: model.n_parameters(),
        })
    }

    fn embed(
        &mut self,
        spec: &ModelSpec,
        dataset: &Dataset,
        options: &EmbedOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<RunSummary, Error> {
        self.begin_records()?;
        let (_, model) = self
            .models
            .iter()
            .find(|(loaded, _)| loaded == spec)
            .expect("scripts get a spec only with the model that was loaded for it");
        let result = pipeline::embed(&mut self.context, model, dataset, options, watcher);
        let title = format!("{} with {}", dataset.sources.join(", "), model.name());
        let outcome = match &result {
            Ok(summary) => Ok(summary.clone()),
            Err(error) => Err(Failure {
                error: error.in_full(),
                so_far: self.context.so_far.take().map(Box::new),
            }),
        };
        // A run that went well stays one, also where its report cannot be written.
        if let Err(error) = self.report.add(title, outcome) {
            self.context.events.warn(error.in_full());
        }
        result
    }

    fn record(&mut self, record: Record, path: &Path) {
        self.to_begin.retain(|(other, _)| *other != record);
        self.to_begin.push((record, path.to_owned()));
    }

    fn is_rehearsal(&self) -> bool {
        false
    }
}

impl Drop for LiveHost {
    fn drop(&mut self) {
        if let Err(error) = self.context.recorder.finish() {
            self.context.events.warn(error.in_full());
        }
    }
}
