//! `merge(...)`: the shards of an output, put together.

use super::value::option_map;
use crate::{
    error::Error,
    host::Merged,
    job::{MergePlan, OptionMap},
    script::{
        failure::{RhaiResultOf, raise_error},
        session::Session,
    },
};
use rhai::{Dynamic, INT, Map, plugin::*};
use std::path::{Path, PathBuf};

fn run_merge(context: &NativeCallContext, output: &str, options: OptionMap) -> RhaiResultOf<Map> {
    let session = Session::of(context);
    let mut host = session.host()?;
    let merge = || -> Result<Merged, Error> {
        let plan = MergePlan::from_map(Path::new(output), options);
        let plan = session.files().certain_option("file", plan)?;
        session.files().merge(&plan)?;
        let merged = host.merge(&plan)?;
        if host.is_rehearsal() {
            session.files().rehearse_merge(&plan)?;
        }
        Ok(merged)
    };
    let merged = merge().map_err(raise_error)?;
    if !merged.is_old {
        // The script ends as that of the run would have that made all of it.
        session.add_rejected(merged.rejected);
    }
    let path = |path: Option<PathBuf>| match path {
        Some(path) => path.to_string_lossy().into_owned().into(),
        None => Dynamic::UNIT,
    };
    let entries: [(&str, Dynamic); 7] = [
        ("output", path(merged.published.output)),
        ("rejects", path(merged.published.rejects)),
        ("records", (merged.records as INT).into()),
        ("rows", (merged.rows as INT).into()),
        ("rejected", (merged.rejected as INT).into()),
        ("shards", (merged.shards as INT).into()),
        ("was_merged", merged.is_old.into()),
    ];
    let entries = entries.into_iter();
    Ok(entries.map(|(name, value)| (name.into(), value)).collect())
}

#[export_module]
pub(super) mod merge_api {
    use super::*;

    /// Puts the shards of `output` together, which several processes made of it, as one process would have. All of them
    /// must be finished. An output that is merged already stays as it is. Returns a map: `output`, `rejects`
    /// (the list of rejected records, or `()`), `records`, `rows`, `rejected`, `shards`, and `was_merged`, whether
    /// there was nothing to do.
    ///
    /// # Example
    ///
    /// ```rhai
    /// print(merge("embeddings/").rows);
    /// ```
    #[rhai_fn(name = "merge", volatile, return_raw)]
    pub fn merge(context: NativeCallContext, output: &str) -> RhaiResultOf<Map> {
        run_merge(&context, output, OptionMap::new())
    }

    /// Makes one file of the shards of `output`, or of a folder that is finished, which stay as they are.
    ///
    /// # Example
    ///
    /// ```rhai
    /// merge("embeddings/", "embeddings.parquet");
    /// ```
    #[rhai_fn(name = "merge", volatile, return_raw)]
    pub fn merge_into(context: NativeCallContext, output: &str, file: &str) -> RhaiResultOf<Map> {
        let options = [("file".to_owned(), file.into())].into_iter().collect();
        run_merge(&context, output, options)
    }

    /// Puts the shards of `output` together. Options:
    ///
    /// {options of `merge`}
    ///
    /// # Example
    ///
    /// ```rhai
    /// merge("embeddings/", #{ file: "embeddings.parquet", overwrite: true });
    /// ```
    #[rhai_fn(name = "merge", volatile, return_raw)]
    pub fn merge_with(context: NativeCallContext, output: &str, options: Map) -> RhaiResultOf<Map> {
        let options = option_map(&context, options);
        run_merge(&context, output, options)
    }
}
