//! Where a script may put things.

use crate::script::{failure::RhaiResultOf, session::Session};
use rhai::plugin::*;

#[export_module]
pub(super) mod place_api {
    use super::*;

    /// Returns the path of `name` in a temporary folder that is removed when the script ends.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"), #{
    ///     output: temp_path("run.parquet"),
    /// });
    /// print(run.embeddings().len);
    /// ```
    #[rhai_fn(volatile, return_raw)]
    pub fn temp_path(context: NativeCallContext, name: &str) -> RhaiResultOf<String> {
        let path = Session::of(&context).temporary_path(name)?;
        Ok(path.to_string_lossy().into_owned())
    }
}
