//! The host that really works.

use super::{
    Exported, Host, Merged, ModelHandle, Recording, Scored, Watcher, attention,
    models::Models,
    score::{Scoring, logits_of},
};
use crate::{
    error::{Error, exit_code},
    fasta::{self, Input},
    hint::Hint,
    job::{AttentionPlan, EmbedPlan, ExportPlan, MergePlan, ModelSpec, ScorePlan, Shard},
    paths::check_ours,
    pipeline::{self, Context},
    report::{Failure, RunReport, RunSummary},
    sink,
};
use std::{
    cell::Cell,
    ops::ControlFlow,
    path::{Path, PathBuf},
    rc::Rc,
};

/// Loads models and runs the pipeline. Readers live until the script ends.
pub struct LiveHost {
    context: Context,
    models: Models,
    report: RunReport,
    /// Files that the next run begins, the latest of each kind.
    to_begin: Vec<(Recording, PathBuf)>,
    /// Whether the last run ended because all of its several devices were lost, and another process would go
    /// on with what is kept.
    is_for_another_process: Rc<Cell<bool>>,
}

impl LiveHost {
    /// A host whose runs share `context`, for a script of this name. It tells through
    /// `is_for_another_process` whether the last run failed as one does that another process can go on with.
    pub fn new(context: Context, script: &str, is_for_another_process: Rc<Cell<bool>>) -> Self {
        let shard = context.shard.map(|shard| format!(", shard {shard}"));
        let heading = format!("{script}{}", shard.unwrap_or_default());
        Self {
            is_for_another_process,
            models: Models::new(context.events.clone(), context.cancel.clone()),
            context,
            report: RunReport::new(&heading),
            to_begin: Vec::new(),
        }
    }

    /// Does what `plan` says with a model, and adds the run to the report. `then` makes something of
    /// its output, where that is not what the script asked for.
    fn run(
        &mut self,
        model: &ModelHandle,
        plan: &EmbedPlan,
        watcher: &mut dyn Watcher,
        then: impl FnOnce(&mut RunSummary) -> Result<(), Error>,
    ) -> Result<RunSummary, Error> {
        model.check(plan.question())?;
        self.begin_recordings()?;
        let model = self.models.get(model)?;
        let mut result = pipeline::embed(&mut self.context, model, plan, watcher);
        let is_for_another = result.as_ref().is_err_and(|failure| {
            failure.kept.is_some()
                && failure.error.exit_code() == exit_code::DEVICE
                && model.has_lost_several()
                // What came through a pipe does not come again.
                && fasta::resolve(&plan.dataset().sources)
                    .is_ok_and(|inputs| !inputs.iter().any(Input::is_stream))
        });
        self.is_for_another_process.set(is_for_another);
        if let Ok(summary) = &mut result
            && let Err(error) = then(summary)
        {
            result = Err(error.into());
        }
        let outcome = match &result {
            Ok(summary) => Ok(summary.clone()),
            Err(failure) => Err(Failure {
                error: failure.error.in_full(),
                so_far: failure.so_far.clone(),
            }),
        };
        // A run that went well stays one, also where its report cannot be written.
        let title = format!("{} with {}", plan.inputs(), model.name());
        if let Err(error) = self.report.add(title, outcome) {
            self.context.events.warn(error.in_full());
        }
        result.map_err(|failure| failure.error)
    }

    /// Begins the files that the script asked for since the last run.
    fn begin_recordings(&mut self) -> Result<(), Error> {
        let recorder = &self.context.recorder;
        for (recording, path) in &self.to_begin {
            // Another program may have put a file there since the script asked for it.
            check_ours(recording.role(), path)?;
            match recording {
                Recording::Report => self.report.write_to(path)?,
                Recording::Metrics => recorder.record_metrics(path)?,
                Recording::Trace => recorder.record_trace(path)?,
                Recording::Prometheus => recorder.record_prometheus(path)?,
            }
        }
        self.to_begin.clear();
        Ok(())
    }
}

impl Host for LiveHost {
    fn load(&mut self, spec: &ModelSpec) -> Result<ModelHandle, Error> {
        self.models.load(spec)
    }

    fn unload(&mut self, model: &ModelHandle) {
        self.models.unload(model);
    }

    fn embed(
        &mut self,
        model: &ModelHandle,
        plan: &EmbedPlan,
        watcher: &mut dyn Watcher,
    ) -> Result<RunSummary, Error> {
        self.run(model, plan, watcher, |_| Ok(()))
    }

    fn score(
        &mut self,
        model: &ModelHandle,
        plan: &ScorePlan,
        watcher: &mut dyn Watcher,
    ) -> Result<Scored, Error> {
        // A model without a head is told so before anything is read.
        model.check(logits_of(plan, "-", 1)?.question())?;
        let shard = self.context.shard;
        let cancel = self.context.cancel.clone();
        let mut scoring = Scoring::begin(self.models.get(model)?, plan, shard, &cancel)?;
        let warnings: Vec<_> = scoring.warnings.drain(..).collect();
        for warning in warnings.into_iter().chain(scoring.warning()) {
            self.context.events.warn(warning);
        }
        let Some(run) = scoring.run.take() else {
            return Ok(scoring.scored(None));
        };
        if let Some(shards) = scoring.shards()? {
            self.merge(&shards)?;
        }
        let run = self.run(model, &run, watcher, |run| scoring.finish(run))?;
        Ok(scoring.scored(Some(run)))
    }

    fn attention(&mut self, model: &ModelHandle, plan: &AttentionPlan) -> Result<(), Error> {
        attention::write(self.models.get(model)?, plan)
    }

    fn merge(&mut self, plan: &MergePlan) -> Result<Merged, Error> {
        let cancel = &self.context.cancel;
        let mut on_step = |_| match cancel.reason() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        };
        let merged = sink::merge(plan, &mut on_step);
        if let Ok(Merged {
            warning: Some(warning),
            ..
        }) = &merged
        {
            self.context.events.warn(warning.clone());
        }
        merged.map_err(|error| Error::of_merge(error, cancel.reason()))
    }

    fn export(&mut self, plan: &ExportPlan) -> Result<Exported, Error> {
        let cancel = &self.context.cancel;
        let mut on_step = |_| match cancel.reason() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        };
        let exported = sink::export(plan, &mut on_step);
        exported.map_err(|error| Error::of_merge(error, cancel.reason()))
    }

    fn record(&mut self, recording: Recording, path: &Path) {
        self.to_begin.retain(|(other, _)| *other != recording);
        self.to_begin.push((recording, path.to_owned()));
    }

    fn shard(&self) -> Option<Shard> {
        self.context.shard
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
