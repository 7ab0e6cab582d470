//! Files that runs write about themselves.

use crate::{
    host::Recording,
    script::{
        failure::{RhaiResultOf, raise_error},
        session::Session,
    },
};
use rhai::plugin::*;
use std::path::Path;

fn record(context: &NativeCallContext, what: Recording, path: &str) -> RhaiResultOf<()> {
    let session = Session::of(context);
    let mut host = session.host()?;
    let path = session.own_file(Path::new(path));
    session.files().record(what, &path).map_err(raise_error)?;
    host.record(what, &path);
    Ok(())
}

#[export_module]
pub(super) mod recording_api {
    use super::*;

    /// Keeps a page about all runs of the script in `path`: figures, charts over time, what held each
    /// run back, settings, rejected records. It is written anew as each run ends, and any browser
    /// shows it without a network. An older page of that name is replaced.
    ///
    /// # Example
    ///
    /// ```rhai
    /// report("run.html");
    /// embed(esm2("models/esm2"), fasta("proteins.fa"), #{ output: "embeddings.parquet" });
    /// ```
    #[rhai_fn(volatile, return_raw)]
    pub fn report(context: NativeCallContext, path: &str) -> RhaiResultOf<()> {
        record(&context, Recording::Report, path)
    }

    /// Has runs write a line of measurements to `path` every ten batches, from the next run on: CSV
    /// with a header if it ends with `.csv`, a JSON object a line if it ends with `.jsonl`. The option
    /// `metrics_every` of `embed` names another number of batches. An older file of measurements of that name
    /// is replaced.
    ///
    /// # Example
    ///
    /// ```rhai
    /// metrics("run.csv");
    /// embed(esm2("models/esm2"), fasta("proteins.fa"), #{ metrics_every: 100 });
    /// ```
    #[rhai_fn(volatile, return_raw)]
    pub fn metrics(context: NativeCallContext, path: &str) -> RhaiResultOf<()> {
        record(&context, Recording::Metrics, path)
    }

    /// Has runs write what every stage does when to `path`, from the next run on. Perfetto
    /// (ui.perfetto.dev) and Chrome's `about:tracing` show such a file. An older trace of that name is
    /// replaced.
    ///
    /// # Example
    ///
    /// ```rhai
    /// trace("trace.json");
    /// embed(esm2("models/esm2"), fasta("proteins.fa").take(10_000));
    /// ```
    #[rhai_fn(volatile, return_raw)]
    pub fn trace(context: NativeCallContext, path: &str) -> RhaiResultOf<()> {
        record(&context, Recording::Trace, path)
    }

    /// Keeps the latest measurements in `path`, in the text format of Prometheus, for the textfile
    /// collector of its node exporter. An older file of gauges of that name is replaced.
    ///
    /// # Example
    ///
    /// ```rhai
    /// prometheus("/var/lib/node_exporter/runner.prom");
    /// embed(esm2("models/esm2"), fasta("proteins.fa"));
    /// ```
    #[rhai_fn(volatile, return_raw)]
    pub fn prometheus(context: NativeCallContext, path: &str) -> RhaiResultOf<()> {
        record(&context, Recording::Prometheus, path)
    }
}
