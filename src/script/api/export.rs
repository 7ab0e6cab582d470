//! `export(...)`: a finished output, written again in another format.

use super::{
    run::{ScriptRun as Run, output_of},
    value::option_map,
};
use crate::{
    error::Error,
    host::{Exported, check_export},
    job::{ExportPlan, OptionMap},
    script::{
        failure::{RhaiResultOf, raise_error},
        session::Session,
    },
};
use rhai::{Dynamic, INT, Map, plugin::*};
use std::path::Path;

fn run_export(
    context: &NativeCallContext,
    from: &Path,
    to: &str,
    options: OptionMap,
) -> RhaiResultOf<Map> {
    let session = Session::of(context);
    let mut host = session.host()?;
    let export = || -> Result<Exported, Error> {
        let plan = ExportPlan::new(from, Path::new(to), options)?;
        let is_rehearsed = session.files().rehearsed(from).is_some();
        session.files().export(&plan)?;
        if host.is_rehearsal() && !is_rehearsed {
            check_export(&plan)?;
        }
        let exported = host.export(&plan)?;
        if host.is_rehearsal() {
            session.files().rehearse_export(&plan)?;
        }
        Ok(exported)
    };
    let exported = export().map_err(raise_error)?;
    let file = exported.file.to_string_lossy().into_owned();
    let entries: [(&str, Dynamic); 3] = [
        ("output", file.into()),
        ("rows", (exported.rows as INT).into()),
        ("was_exported", exported.is_old.into()),
    ];
    let entries = entries.into_iter();
    Ok(entries.map(|(name, value)| (name.into(), value)).collect())
}

#[export_module]
pub(super) mod export_api {
    use super::*;

    /// Writes a finished output again, in the format that the name of the new file says: a folder of parts, or a file of
    /// any format, that `embed` or `export` wrote. What a format has no room for, such as descriptions in `.npy`, is not
    /// there any more. A file that is there and holds the same stays as it is. Returns a map: `output`, `rows`, and
    /// `was_exported`, whether there was nothing to do.
    ///
    /// # Example
    ///
    /// ```rhai
    /// print(export("embeddings.parquet", "embeddings.npy").rows);
    /// ```
    #[rhai_fn(name = "export", volatile, return_raw)]
    pub fn export(context: NativeCallContext, from: &str, to: &str) -> RhaiResultOf<Map> {
        run_export(&context, Path::new(from), to, OptionMap::new())
    }

    /// Writes a finished output again in another format. Options:
    ///
    /// {options of `export`}
    ///
    /// # Example
    ///
    /// ```rhai
    /// export("embeddings.parquet", "embeddings.npy", #{ columns: "embedding", overwrite: true });
    /// ```
    #[rhai_fn(name = "export", volatile, return_raw)]
    pub fn export_with(
        context: NativeCallContext,
        from: &str,
        to: &str,
        options: Map,
    ) -> RhaiResultOf<Map> {
        let options = option_map(&context, options);
        run_export(&context, Path::new(from), to, options)
    }

    /// Writes the output of a run again in another format.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"), #{ output: "run.parquet" });
    /// export(run, "run.safetensors");
    /// ```
    #[rhai_fn(name = "export", volatile, return_raw)]
    pub fn export_run(context: NativeCallContext, run: Run, to: &str) -> RhaiResultOf<Map> {
        run_export(&context, &output_of(&run, "export")?, to, OptionMap::new())
    }

    /// Writes the output of a run again in another format, with the same options.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"), #{ output: "run.parquet" });
    /// export(run, "run.arrow", #{ overwrite: true });
    /// ```
    #[rhai_fn(name = "export", volatile, return_raw)]
    pub fn export_run_with(
        context: NativeCallContext,
        run: Run,
        to: &str,
        options: Map,
    ) -> RhaiResultOf<Map> {
        let options = option_map(&context, options);
        run_export(&context, &output_of(&run, "export")?, to, options)
    }
}
