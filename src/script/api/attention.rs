//! `attention_maps(...)`.

use super::{model::ScriptModel as Model, value::option_map};
use crate::{
    error::Error,
    job::AttentionPlan,
    script::{
        failure::{RhaiResultOf, raise_error},
        session::Session,
    },
};
use rhai::{Map, plugin::*};

#[export_module]
pub(super) mod attention_api {
    use super::*;

    /// Writes what each token of one sequence attends to each with, in every head of every layer, as an array of
    /// NumPy: `[layers, heads, T, T]`, where T is the number of residues and two more, for BOS and EOS. The numbers of
    /// a row add up to 1. `sequence` are the residues, among which `<mask>` may be. Options:
    ///
    /// {options of `attention_maps`}
    ///
    /// # Example
    ///
    /// ```rhai
    /// let model = esm2("facebook/esm2_t33_650M_UR50D");
    /// attention_maps(model, "MKTAYIAKQRQISFVK", #{ output: "maps.npy" });
    /// ```
    #[rhai_fn(volatile, return_raw)]
    pub fn attention_maps(
        context: NativeCallContext,
        model: Model,
        sequence: &str,
        options: Map,
    ) -> RhaiResultOf<()> {
        let session = Session::of(&context);
        let mut host = session.host()?;
        let options = option_map(&context, options);
        let write = || -> Result<(), Error> {
            let plan = AttentionPlan::from_map(sequence, options);
            let plan = session.files().certain_option("output", plan)?;
            session.files().attention(&plan)?;
            host.attention(model.handle(), &plan)
        };
        write().map_err(raise_error)
    }
}
