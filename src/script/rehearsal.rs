//! The host behind `runner check`: everything but the work.

use super::{Host, ModelInfo, Record};
use crate::{
    error::Error,
    fasta,
    job::{Dataset, EmbedOptions, ModelSpec},
    meter::{Bottleneck, Severity, Stage},
    model::Model,
    pipeline::Watcher,
    report::RunSummary,
};
use std::{cell::RefCell, collections::BTreeSet, num::NonZeroUsize, path::Path, rc::Rc, sync::Arc};

/// Finds inputs, reads configs and checks options; opens no device and writes nothing. Its runs
/// report zeros.
pub struct Rehearsal {
    seen: Rc<RefCell<Seen>>,
}

/// What a rehearsal came across.
#[derive(Debug, Default)]
pub struct Seen {
    /// Models, by the name in the script.
    pub models: BTreeSet<String>,
    /// Input files that exist.
    pub n_inputs: usize,
    /// Calls of `embed`.
    pub n_runs: usize,
}

impl Rehearsal {
    /// A rehearsal, and what it will have come across when the script has ended.
    pub fn new() -> (Self, Rc<RefCell<Seen>>) {
        let seen = Rc::<RefCell<Seen>>::default();
        (Self { seen: seen.clone() }, seen)
    }
}

impl Host for Rehearsal {
    fn load(&mut self, spec: &ModelSpec) -> Result<ModelInfo, Error> {
        let config = Model::check(spec)?;
        self.seen.borrow_mut().models.insert(spec.source.clone());
        Ok(ModelInfo {
            name: spec.source.clone(),
            device: spec.device.to_string(),
            dtype: spec.dtype.map_or("auto", |dtype| dtype.name()).to_owned(),
            hidden_size: config.hidden_size,
            n_layers: config.n_layers,
            n_parameters: None,
        })
    }

    fn embed(
        &mut self,
        spec: &ModelSpec,
        dataset: &Dataset,
        options: &EmbedOptions,
        _watcher: &mut dyn Watcher,
    ) -> Result<RunSummary, Error> {
        let config = Model::check(spec)?;
        let inputs = fasta::resolve(&dataset.sources)?;
        let mut seen = self.seen.borrow_mut();
        seen.n_inputs += inputs.len();
        seen.n_runs += 1;
        Ok(RunSummary {
            model: spec.source.clone(),
            device: spec.device.to_string(),
            dtype: spec.dtype.map_or("auto", |dtype| dtype.name()).to_owned(),
            hidden_size: config.hidden_size,
            readers: options.readers.get(),
            prefetch: options.prefetch.get(),
            token_budget: options.token_budget.map_or(0, NonZeroUsize::get),
            records: 0,
            sequences: 0,
            rejected: 0,
            truncated: 0,
            residues: 0,
            tokens: 0,
            batches: 0,
            packing_fill: 0.0,
            seconds: 0.0,
            encoder_seconds: 0.0,
            wait_seconds: 0.0,
            tflops: None,
            mfu: None,
            gpu_utilization: None,
            gpu: None,
            reader_restarts: 0,
            peak_memory_bytes: 0,
            output: options.output.clone(),
            rejects: None,
            // Scripts may look into it without asking whether there is one.
            bottleneck: Some(Bottleneck {
                stage: Stage::Encoding,
                severity: Severity::Good,
                message: "nothing was run".to_owned(),
                remedy: None,
            }),
            details: Arc::default(),
        })
    }

    fn record(&mut self, _record: Record, _path: &Path) -> Result<(), Error> {
        Ok(())
    }

    fn is_rehearsal(&self) -> bool {
        true
    }
}
