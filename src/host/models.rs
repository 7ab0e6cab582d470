//! The models of a script: loaded when it asks for them, unloaded when it has no use for them.

use super::{ModelHandle, ModelInfo, download::download_missing};
use crate::{
    cancel::CancelToken,
    device::DeviceError,
    error::Error,
    event::EventSender,
    hint::Hint,
    job::{ModelSpec, Problems},
    model::Model,
};
use std::{path::PathBuf, time::Instant};

/// The models of a script, each once. A model that no value of the script stands for stays loaded, as it may
/// be asked for again, until another one is loaded or used: a device never holds what the script has left
/// behind beside what it works with.
pub(super) struct Models {
    entries: Vec<Entry>,
    events: EventSender,
    cancel: CancelToken,
    /// Whether it was said why models run on the CPU.
    is_cpu_explained: bool,
}

/// A model that the script has asked for.
struct Entry {
    handle: ModelHandle,
    /// Nothing, if it was unloaded.
    model: Option<Model>,
}

impl Models {
    /// No models yet.
    pub(super) fn new(events: EventSender, cancel: CancelToken) -> Self {
        Self {
            entries: Vec::new(),
            events,
            cancel,
            is_cpu_explained: false,
        }
    }

    /// The model of `spec`, loaded if it is not, and downloaded before if it is not on this machine.
    ///
    /// # Errors
    /// It or its device cannot be used, or it cannot be had.
    pub(super) fn load(&mut self, spec: &ModelSpec) -> Result<ModelHandle, Error> {
        if let Some(entry) = self.entry(spec)
            && entry.model.is_some()
        {
            return Ok(entry.handle.clone());
        }
        // Before the new weights come: there may not be room for both.
        self.drop_unused();
        download_missing(spec, &self.events, &self.cancel)?;
        let start = Instant::now();
        let model = Model::load(spec)?;
        let info = info(&model);
        tracing::info!(
            "loaded {}, {} on {}, in {:.1} s",
            info.name,
            info.dtype,
            info.device,
            start.elapsed().as_secs_f64()
        );
        if let Some(accuracy) = model.accuracy() {
            let products: Vec<_> = spec.int8.products.names().collect();
            tracing::info!(
                "{} of {} are in int8: of {} proteins, the pooled vector of {} has the least cosine with that in \
                 bf16, {:.6}",
                products.join(", "),
                info.name,
                accuracy.n_proteins,
                accuracy.least_id,
                accuracy.least
            );
        }
        if let Some(merged) = model.merged() {
            let unused = match merged.unused.as_slice() {
                [] => String::new(),
                unused => format!(", but for {}", unused.join(", ")),
            };
            tracing::info!(
                "{} is {} with an adapter merged into it{unused}",
                info.name,
                merged.base
            );
        }
        self.explain_cpu(&model);
        // Values from before it was unloaded stand for it still, unless its files are others now.
        let known = self.entry(spec).map(|entry| entry.handle.clone());
        let handle = known
            .filter(|handle| *handle.info() == info)
            .unwrap_or_else(|| ModelHandle::new(spec, info));
        self.entries.retain(|entry| entry.handle.spec() != spec);
        self.entries.push(Entry {
            handle: handle.clone(),
            model: Some(model),
        });
        Ok(handle)
    }

    /// The model of `handle`, loaded again if it was unloaded, and no model beside it that the script has
    /// no use for.
    ///
    /// # Errors
    /// It cannot be loaded again, or is another model now.
    pub(super) fn get(&mut self, handle: &ModelHandle) -> Result<&Model, Error> {
        self.drop_unused();
        let now = self.load(handle.spec())?;
        if now.info() != handle.info() {
            return Err(Problems::one(
                format!(
                    "the model `{}` was unloaded, and its files are those of another model now",
                    handle.info().name
                ),
                Some("call `esm2` again to have the model that is there now".to_owned()),
            )
            .into());
        }
        let entry = self.entry(handle.spec());
        let model = entry.and_then(|entry| entry.model.as_ref());
        Ok(model.expect("it was loaded just above"))
    }

    /// Gives the memory of a model back.
    pub(super) fn unload(&mut self, handle: &ModelHandle) {
        if let Some(entry) = self.entry(handle.spec()) {
            entry.unload();
        }
    }

    fn entry(&mut self, spec: &ModelSpec) -> Option<&mut Entry> {
        let mut entries = self.entries.iter_mut();
        entries.find(|entry| entry.handle.spec() == spec)
    }

    /// Drops the models that no value of the script stands for.
    fn drop_unused(&mut self) {
        self.entries.retain_mut(|entry| {
            let is_used = entry.handle.is_shared();
            if !is_used {
                entry.unload();
            }
            is_used
        });
    }

    /// Says why a model runs on the CPU, once. A machine without a driver or a GPU is not worth a warning.
    fn explain_cpu(&mut self, model: &Model) {
        let Some(reason) = model.instead_of_gpu() else {
            return;
        };
        if std::mem::replace(&mut self.is_cpu_explained, true) {
            return;
        }
        match reason {
            DeviceError::NotBuilt(_) | DeviceError::NoDriver | DeviceError::NoGpu => {
                tracing::info!("models run on the CPU: {}", reason.in_full());
            }
            _ => self.events.warn(format!(
                "the GPU cannot be used, so the model runs on the CPU: {}",
                reason.in_full()
            )),
        }
    }
}

impl Entry {
    fn unload(&mut self) {
        if let Some(model) = self.model.take() {
            model.unload();
            let info = self.handle.info();
            tracing::info!("unloaded {}, {} on {}", info.name, info.dtype, info.device);
        }
    }
}

/// The files in the folder of the model that `spec` names: every one of them may be read. Of a model that is to
/// be downloaded there are none before it is loaded.
///
/// # Errors
/// There is no such folder, and no model of the Hub can be called so.
pub fn model_files(spec: &ModelSpec) -> Result<Vec<PathBuf>, Error> {
    Ok(Model::files(spec)?)
}

fn info(model: &Model) -> ModelInfo {
    ModelInfo {
        name: model.name().to_owned(),
        device: model.device().to_owned(),
        dtype: model.dtype().name().to_owned(),
        hidden_size: model.hidden_size(),
        n_layers: model.n_layers(),
        n_parameters: model.n_parameters(),
        lacks: model.lacks().clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{DeviceChoice, Mock};
    use std::fs;

    fn models() -> Models {
        let (events, _) = EventSender::channel();
        Models::new(events, CancelToken::default())
    }

    /// A model, told apart from others by a seed.
    fn spec(source: &str, seed: u64) -> ModelSpec {
        ModelSpec {
            device: DeviceChoice::Mock,
            mock: Mock {
                seed,
                ..Mock::default()
            },
            ..ModelSpec::new(source)
        }
    }

    const DEMO: &str = "examples/models/esm2_t6_2M_demo";

    /// The seeds of the models that are loaded, and of those that are known.
    fn seeds(models: &Models) -> (Vec<u64>, Vec<u64>) {
        let seed = |entry: &Entry| entry.handle.spec().mock.seed;
        let loaded = models.entries.iter().filter(|entry| entry.model.is_some());
        (
            loaded.map(seed).collect(),
            models.entries.iter().map(seed).collect(),
        )
    }

    #[test]
    fn models_that_are_left_behind_go_when_another_one_comes() {
        let mut models = models();
        let kept = models.load(&spec(DEMO, 1)).unwrap();
        for seed in [2, 3, 3] {
            let turn = models.load(&spec(DEMO, seed)).unwrap();
            models.get(&turn).unwrap();
            assert_eq!(seeds(&models).0, [1, seed]);
        }
        assert_eq!(seeds(&models).0, [1, 3], "it may be asked for again");
        models.get(&kept).unwrap();
        assert_eq!(seeds(&models), (vec![1], vec![1]), "now another is used");
    }

    #[test]
    fn a_model_is_loaded_once() {
        let mut models = models();
        let first = models.load(&spec(DEMO, 1)).unwrap();
        let second = models.load(&spec(DEMO, 1)).unwrap();
        assert_eq!(first, second);
        assert_eq!(seeds(&models), (vec![1], vec![1]));
    }

    #[test]
    fn an_unloaded_model_comes_back_when_it_is_used() {
        let mut models = models();
        let model = models.load(&spec(DEMO, 1)).unwrap();
        let same = model.clone();
        models.unload(&same);
        models.unload(&model);
        assert_eq!(seeds(&models), (vec![], vec![1]));
        models.get(&model).unwrap();
        assert_eq!(seeds(&models).0, [1]);
        models.unload(&model);
        let again = models.load(&spec(DEMO, 1)).unwrap();
        assert_eq!(again, model);
        drop((model, same));
        models.load(&spec(DEMO, 2)).unwrap();
        assert_eq!(seeds(&models).0, [1, 2], "a value of it is left");
    }

    #[test]
    fn a_model_whose_files_were_exchanged_is_not_taken_for_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().to_string_lossy();
        let config = folder.path().join("config.json");
        let text = fs::read_to_string(format!("{DEMO}/config.json")).unwrap();
        fs::write(&config, &text).unwrap();
        let mut models = models();
        let old = models.load(&spec(&source, 1)).unwrap();
        models.unload(&old);
        let n_layers = format!("\"num_hidden_layers\": {}", old.info().n_layers);
        assert!(text.contains(&n_layers));
        fs::write(&config, text.replace(&n_layers, "\"num_hidden_layers\": 1")).unwrap();
        let error = models.get(&old).err().unwrap().to_string();
        assert!(error.contains("those of another model now"), "{error}");
        let new = models.load(&spec(&source, 1)).unwrap();
        assert_eq!(new.info().n_layers, 1);
        models.get(&new).unwrap();
    }
}
