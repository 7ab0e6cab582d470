//! What scripts ask for, done: models loaded, shared and unloaded, and runs, really or as a rehearsal.
//!
//! *Input*: models, datasets and options as plain data. *Output*: models to embed with, and the figures of
//! runs. *Owns*: the models of a script, when they are downloaded and when their memory is given back, the files
//! that runs write about themselves, rehearsals. *Never*: knows the script language.

mod attention;
mod convert;
mod download;
mod forecast;
mod handle;
mod live;
mod models;
mod parity;
mod recording;
mod rehearsal;
mod rehearsed;
mod score;
mod score_folder;
mod scored;
mod written;

pub use crate::{
    model::{Conversion, Converted},
    pipeline::{Notice, Watcher},
    score::Extent,
    sink::{Exported, Merged, Outline},
};
pub use convert::convert;
pub use download::{Downloaded, download};
pub use forecast::{Forecast, Rate};
pub use handle::{ModelHandle, ModelInfo};
pub use live::LiveHost;
pub use models::model_files;
pub use parity::{Agreement, Difference, InInt8, Parity, ParityPlan, Reference, SameComputation};
pub use recording::Recording;
pub use rehearsal::{Forecasting, Rehearsal, Seen, ToDownload};
pub use scored::Scored;

use crate::{
    error::Error,
    fasta,
    job::{AttentionPlan, EmbedPlan, ExportPlan, MergePlan, ModelSpec, ScorePlan, Shard},
    report::RunSummary,
    sink,
};
use std::path::Path;

/// Looks for the inputs that a script would name so.
///
/// # Errors
/// One is missing, cannot be opened, or is named twice.
pub fn find_inputs(sources: &[String]) -> Result<(), Error> {
    fasta::resolve(sources)?;
    Ok(())
}

/// Checks what is known of an export before anything is written.
///
/// # Errors
/// There is no finished output, or what it holds cannot be in the format.
pub fn check_export(plan: &ExportPlan) -> Result<(), Error> {
    Ok(sink::check_export(plan)?)
}

/// Checks that whoever reads an output that is a finished folder reads what was written.
///
/// # Errors
/// Parts of it are missing, or there are others.
pub fn check_read(path: &Path) -> Result<(), Error> {
    Ok(sink::check_read(path)?)
}

/// Does what a script says: really ([`LiveHost`]), or as a rehearsal ([`Rehearsal`]).
pub trait Host {
    /// Makes the model ready. The same spec twice is one model.
    ///
    /// # Errors
    /// The model or its device cannot be used.
    fn load(&mut self, spec: &ModelSpec) -> Result<ModelHandle, Error>;

    /// Gives the memory of the model back. When it is used again, it is loaded again. One that is not
    /// loaded is left as it is.
    fn unload(&mut self, model: &ModelHandle);

    /// Does what `plan` says with `model`. `watcher` is told what happens.
    ///
    /// # Errors
    /// Whatever ends a run.
    fn embed(
        &mut self,
        model: &ModelHandle,
        plan: &EmbedPlan,
        watcher: &mut dyn Watcher,
    ) -> Result<RunSummary, Error>;

    /// Scores what `plan` says with `model`, as a run of which a table is made. `watcher` is told what happens.
    ///
    /// # Errors
    /// Whatever ends a run, what is wrong with mutants, and an output that must not be replaced.
    fn score(
        &mut self,
        model: &ModelHandle,
        plan: &ScorePlan,
        watcher: &mut dyn Watcher,
    ) -> Result<Scored, Error>;

    /// Writes the attention maps of one sequence.
    ///
    /// # Errors
    /// The model fails, or the file system refuses.
    fn attention(&mut self, model: &ModelHandle, plan: &AttentionPlan) -> Result<(), Error>;

    /// Puts the shards of an output together.
    ///
    /// # Errors
    /// Some of them are missing, or the file system refuses.
    fn merge(&mut self, plan: &MergePlan) -> Result<Merged, Error>;

    /// Writes a finished output again in another format.
    ///
    /// # Errors
    /// It is not finished, cannot be in that format, or the file system refuses.
    fn export(&mut self, plan: &ExportPlan) -> Result<Exported, Error>;

    /// Has runs write something about themselves to `path`, from the next one on. Nothing is opened
    /// before that run, of which the register of paths then knows all files.
    fn record(&mut self, recording: Recording, path: &Path);

    /// Which part of the records runs embed, if it is not all of them.
    fn shard(&self) -> Option<Shard>;

    /// Whether this is a rehearsal: outputs are not written and cannot be read back.
    fn is_rehearsal(&self) -> bool;
}
