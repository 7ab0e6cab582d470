//! `esm2(...)`.

use super::value::option_map;
use crate::{
    error::Error,
    host::{ModelHandle, ModelInfo, model_files},
    job::{EmbedOptions, ModelSpec, OptionMap},
    script::{
        failure::{RhaiResultOf, raise_error},
        session::Session,
    },
    text::printable,
};
use rhai::{INT, Map, plugin::*};

/// A model in a script.
#[derive(Clone, PartialEq)]
pub(super) struct ScriptModel(ModelHandle);

impl ScriptModel {
    pub(super) fn handle(&self) -> &ModelHandle {
        &self.0
    }

    pub(super) fn info(&self) -> &ModelInfo {
        self.0.info()
    }
}

fn load(
    context: &NativeCallContext,
    source: &str,
    options: OptionMap,
) -> RhaiResultOf<ScriptModel> {
    let spec = ModelSpec::from_map(source, options).map_err(|problems| {
        raise_error(
            problems
                .at_home(&EmbedOptions::OPTIONS.names(), "embed")
                .into(),
        )
    })?;
    let session = Session::of(context);
    let mut host = session.host()?;
    let mut load = || -> Result<ModelHandle, Error> {
        session.files().model(&model_files(&spec)?)?;
        let model = host.load(&spec)?;
        // Loading may have brought them here.
        session.files().model(&model_files(&spec)?)?;
        Ok(model)
    };
    load().map(ScriptModel).map_err(raise_error)
}

#[export_module]
pub(super) mod model_api {
    use super::*;

    pub type Model = ScriptModel;

    /// Loads an ESM-2 model. `source` is a folder with `config.json` and `model.safetensors` or
    /// `pytorch_model.bin`, a folder with a LoRA adapter, a `.pt` file of Meta's fair-esm, or an id of the
    /// Hugging Face Hub, as `facebook/esm2_t33_650M_UR50D`, behind which `@` and a branch, a tag or a commit
    /// may stand. Meta's own models need no `facebook/`. What is not on this machine is downloaded first, into
    /// the cache that HF's own tools use, and what is there is used without asking anybody.
    ///
    /// The number format and the device are chosen by what the machine has. Loading the same model
    /// again returns the loaded one. A model that no variable holds any more gives its memory back when
    /// another one is loaded or used; see also `unload`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("facebook/esm2_t33_650M_UR50D");
    /// ```
    #[rhai_fn(name = "esm2", volatile, return_raw)]
    pub fn esm2(context: NativeCallContext, source: &str) -> RhaiResultOf<Model> {
        load(&context, source, OptionMap::new())
    }

    /// Loads an ESM-2 model. Options:
    ///
    /// {options of `esm2`}
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("facebook/esm2_t33_650M_UR50D", #{ device: "cuda", dtype: "f16" });
    /// ```
    #[rhai_fn(name = "esm2", volatile, return_raw)]
    pub fn esm2_with(
        context: NativeCallContext,
        source: &str,
        options: Map,
    ) -> RhaiResultOf<Model> {
        let options = option_map(&context, options);
        load(&context, source, options)
    }

    /// Gives the memory of the model back, on a GPU to the driver. Whatever holds the same model is meant;
    /// `embed` loads it again. A model that is not loaded is left as it is.
    ///
    /// A loop over models needs no `unload` where it makes them in its body: what it leaves behind goes
    /// before the next one is loaded.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("models/esm2_t33_650M_UR50D");
    /// embed(model, fasta("proteins.fa"), #{ output: "650M.parquet" });
    /// model.unload();
    /// model = esm2("models/esm2_t36_3B_UR50D");
    /// ```
    #[rhai_fn(volatile, pure, return_raw)]
    pub fn unload(context: NativeCallContext, model: &mut Model) -> RhaiResultOf<()> {
        let session = Session::of(&context);
        session.host()?.unload(model.handle());
        Ok(())
    }

    /// Returns the model's name: that of its folder, or its id.
    #[rhai_fn(get = "name", pure)]
    pub fn name(model: &mut Model) -> String {
        model.info().name.clone()
    }

    /// Returns where the model runs.
    #[rhai_fn(get = "device", pure)]
    pub fn device(model: &mut Model) -> String {
        model.info().device.clone()
    }

    /// Returns the number format of weights and activations.
    #[rhai_fn(get = "dtype", pure)]
    pub fn dtype(model: &mut Model) -> String {
        model.info().dtype.clone()
    }

    /// Returns the number of components of an embedding.
    #[rhai_fn(get = "hidden_size", pure)]
    pub fn hidden_size(model: &mut Model) -> INT {
        model.info().hidden_size as INT
    }

    /// Returns the number of transformer layers.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("models/esm2_t33_650M_UR50D");
    /// let run = embed(model, fasta("proteins.fa"), #{ layers: [model.layers - 1] });
    /// ```
    #[rhai_fn(get = "layers", pure)]
    pub fn layers(model: &mut Model) -> INT {
        model.info().n_layers as INT
    }

    /// Returns the number of weights.
    #[rhai_fn(get = "parameters", pure)]
    pub fn parameters(model: &mut Model) -> INT {
        model.info().n_parameters as INT
    }

    /// Returns the model's name, number format and device.
    #[rhai_fn(name = "to_string", pure)]
    pub fn to_text(model: &mut Model) -> String {
        let info = model.info();
        let text = format!("{}, {} on {}", info.name, info.dtype, info.device);
        printable(&text).into_owned()
    }

    /// Returns everything that is known about the model.
    #[rhai_fn(name = "to_debug", pure)]
    pub fn to_debug(model: &mut Model) -> String {
        format!("{:?}", model.info())
    }

    /// Returns whether two values are the same loaded model.
    #[rhai_fn(name = "==", pure)]
    pub fn equals(a: &mut Model, b: Model) -> bool {
        *a == b
    }

    /// Returns whether two values are different models.
    #[rhai_fn(name = "!=", pure)]
    pub fn differs(a: &mut Model, b: Model) -> bool {
        *a != b
    }
}
