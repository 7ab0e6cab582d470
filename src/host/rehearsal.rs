//! The host behind `runner check`: everything but the work.

use super::{
    Exported, Forecast, Host, Merged, ModelHandle, ModelInfo, Notice, Recording, Scored, Watcher,
    forecast::is_on_gpu, rehearsed, score::logits_of,
};
use crate::{
    cancel::CancelToken,
    error::Error,
    fasta::{self, Share},
    job::{AttentionPlan, Dtype, EmbedPlan, ExportPlan, MergePlan, ModelSpec, ScorePlan, Shard},
    model::{Checked, Config, Lacks, Model},
    report::RunSummary,
    score::{Done, Extent, ScoreOutput, Task},
    sink::Published,
};
use std::{cell::RefCell, collections::BTreeSet, ops::ControlFlow, path::Path, rc::Rc};

/// Finds inputs, reads configs and checks options; opens no device and writes nothing. Its runs
/// report a single record that nobody read.
pub struct Rehearsal {
    seen: Rc<RefCell<Seen>>,
    shard: Option<Shard>,
    /// Whether it is told what runs would take.
    forecasting: Option<Forecasting>,
    /// Whether it must not take long: then tables of mutants are not read.
    is_quick: bool,
    cancel: CancelToken,
}

/// What a rehearsal came across.
#[derive(Debug, Default)]
pub struct Seen {
    /// Models, by the name in the script.
    pub models: BTreeSet<String>,
    /// Models that are to be downloaded first, each once.
    pub to_download: Vec<ToDownload>,
    /// Input files that exist.
    pub n_inputs: usize,
    /// Calls of `embed`.
    pub n_runs: usize,
    /// Calls of `score` and `perplexity`.
    pub n_scores: usize,
    /// How much each of them has to score, with its inputs, where that was looked at.
    pub extents: Vec<(String, Extent)>,
    /// What each call would take, if that was asked for.
    pub forecasts: Vec<Forecast>,
}

/// A model that is to be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToDownload {
    /// Its id, and the revision that was asked for.
    pub model: String,
    /// The commit that the Hub has.
    pub commit: String,
    /// Files that are to come.
    pub n_files: usize,
    /// Bytes of them.
    pub n_bytes: u64,
}

/// How what runs would take is told.
#[derive(Clone, Copy, Debug)]
pub struct Forecasting {
    /// Tokens that the devices do a second, all together, if that is known.
    pub tokens_per_sec: Option<f64>,
}

impl Rehearsal {
    /// A rehearsal of a shard, or of all, and what it will have come across when the script has ended.
    pub fn new(
        shard: Option<Shard>,
        forecasting: Option<Forecasting>,
        cancel: &CancelToken,
    ) -> (Self, Rc<RefCell<Seen>>) {
        let seen = Rc::<RefCell<Seen>>::default();
        let rehearsal = Self {
            seen: seen.clone(),
            shard,
            forecasting,
            is_quick: false,
            cancel: cancel.clone(),
        };
        (rehearsal, seen)
    }

    /// A rehearsal that must not take long, however much there is to read.
    pub fn quick(shard: Option<Shard>, cancel: &CancelToken) -> Self {
        let (rehearsal, _) = Self::new(shard, None, cancel);
        Self {
            is_quick: true,
            ..rehearsal
        }
    }

    /// Reads what is to be scored, as far as somebody wants to know, and says how much there is.
    fn look_through(&self, name: &str, plan: &ScorePlan) -> Result<Option<Extent>, Error> {
        if self.is_quick {
            return Ok(None);
        }
        let task = Task::new(&plan.question, &self.cancel)?;
        task.check_column(name, plan.run.overwrite)?;
        self.seen.borrow_mut().n_inputs += task.n_inputs();
        // Proteins may be many.
        let is_wanted = task.is_read() || self.forecasting.is_some();
        let extent = is_wanted.then(|| task.survey().map(|survey| survey.extent));
        Ok(extent.transpose()?)
    }
}

impl Host for Rehearsal {
    fn load(&mut self, spec: &ModelSpec) -> Result<ModelHandle, Error> {
        let Checked {
            name,
            config,
            lacks,
            to_download,
        } = Model::check(spec, &self.cancel)
            .map_err(|error| Error::of_model(error, self.cancel.reason()))?;
        let mut seen = self.seen.borrow_mut();
        seen.models.insert(spec.source.clone());
        for offer in to_download {
            let wanted = ToDownload {
                model: offer.repository.to_string(),
                commit: offer.commit,
                n_files: offer.n_files,
                n_bytes: offer.n_bytes,
            };
            if !seen.to_download.contains(&wanted) {
                seen.to_download.push(wanted);
            }
        }
        let info = ModelInfo {
            lacks,
            ..info(spec, name, &config)
        };
        Ok(ModelHandle::new(spec, info))
    }

    fn unload(&mut self, _model: &ModelHandle) {}

    fn embed(
        &mut self,
        model: &ModelHandle,
        plan: &EmbedPlan,
        watcher: &mut dyn Watcher,
    ) -> Result<RunSummary, Error> {
        model.check(plan.question())?;
        let inputs = fasta::resolve(&plan.dataset().sources)?;
        plan.check_shard(self.shard)?;
        let share = Share::of(self.shard, &inputs)?;
        let mut seen = self.seen.borrow_mut();
        seen.n_inputs += inputs.len();
        seen.n_runs += 1;
        if let Some(Forecasting { tokens_per_sec }) = self.forecasting {
            let model = (model.spec(), model.info());
            let forecast = Forecast::of(model, plan, (&inputs, &share), tokens_per_sec)?;
            seen.forecasts.push(forecast);
        }
        let summary = RunSummary {
            shard: self.shard,
            ..rehearsed::summary(model.info().clone(), is_on_gpu(model.spec()), plan)
        };
        tell(&summary, watcher)?;
        Ok(summary)
    }

    fn score(
        &mut self,
        model: &ModelHandle,
        plan: &ScorePlan,
        watcher: &mut dyn Watcher,
    ) -> Result<Scored, Error> {
        let inputs = plan.question.inputs();
        let run = logits_of(plan, &inputs, 1)?;
        model.check(run.question())?;
        let known = [
            ("method", plan.question.method()),
            ("model", model.info().name.as_str()),
        ];
        let known = known.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ScoreOutput::new(plan, known.into(), self.shard).check()?;
        let extent = self.look_through(&model.info().name, plan)?;
        // Whether the longest sequence fits into a batch.
        logits_of(plan, &inputs, extent.map_or(1, |extent| extent.longest))?;
        let mut seen = self.seen.borrow_mut();
        seen.n_scores += 1;
        seen.extents
            .extend(extent.map(|extent| (inputs.clone(), extent)));
        if let (Some(Forecasting { tokens_per_sec }), Some(extent)) = (self.forecasting, &extent) {
            let model = (model.spec(), model.info());
            let share = self
                .shard
                .map_or(1.0, |shard| 1.0 / f64::from(shard.count()));
            let forecast = {
                let asked = (&plan.question, inputs);
                Forecast::of_scores(model, asked, extent, share, tokens_per_sec)
            };
            seen.forecasts.push(forecast);
        }
        drop(seen);
        let extent = extent.unwrap_or(Extent::ONE);
        let summary = RunSummary {
            shard: self.shard,
            output: Some(plan.output.clone()),
            ..rehearsed::summary(model.info().clone(), is_on_gpu(model.spec()), &run)
        };
        tell(&summary, watcher)?;
        Ok(Scored {
            done: self.shard.is_none().then(|| Done {
                output: plan.output.clone(),
                columns: vec![model.info().name.clone()],
                method: plan.question.method().to_owned(),
                extent,
                spearman: Some(1.0),
                measured: extent.scores,
                histogram: None,
                rejects: None,
            }),
            method: plan.question.method(),
            other_sites: plan.question.other_sites(),
            extent,
            seconds: summary.seconds,
            run: Some(summary),
            shard: self.shard,
        })
    }

    fn attention(&mut self, _model: &ModelHandle, _plan: &AttentionPlan) -> Result<(), Error> {
        Ok(())
    }

    fn merge(&mut self, plan: &MergePlan) -> Result<Merged, Error> {
        let output = plan.file.as_ref().unwrap_or(&plan.output);
        Ok(Merged {
            published: Published {
                output: Some(output.clone()),
                rejects: None,
            },
            records: 1,
            rows: 1,
            rejected: 0,
            shards: 1,
            is_old: false,
            warning: None,
        })
    }

    fn export(&mut self, plan: &ExportPlan) -> Result<Exported, Error> {
        Ok(Exported {
            file: plan.to.path.clone(),
            rows: 1,
            is_old: false,
        })
    }

    fn record(&mut self, _recording: Recording, _path: &Path) {}

    fn shard(&self) -> Option<Shard> {
        self.shard
    }

    fn is_rehearsal(&self) -> bool {
        true
    }
}

/// Tells whoever follows a run what there is to tell.
fn tell(summary: &RunSummary, watcher: &mut dyn Watcher) -> Result<(), Error> {
    let sample = summary.details.timeline.first().cloned();
    let notices = [
        sample.map(Box::new).map(Notice::Sample),
        summary.bottleneck.clone().map(Notice::Bottleneck),
    ];
    for notice in notices.into_iter().flatten() {
        if let ControlFlow::Break(reason) = watcher.notice(notice) {
            return Err(Error::StoppedByScript(reason));
        }
    }
    Ok(())
}

/// A model as it would be, had it been loaded.
fn info(spec: &ModelSpec, name: String, config: &Config) -> ModelInfo {
    let dtype = spec.dtype.unwrap_or(match is_on_gpu(spec) {
        true => Dtype::Bf16,
        false => Dtype::F32,
    });
    ModelInfo {
        name,
        device: spec.device.to_string(),
        dtype: dtype.name().to_owned(),
        hidden_size: config.hidden_size,
        n_layers: config.n_layers,
        n_parameters: Model::n_parameters_of(config),
        lacks: Lacks::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Mutants, MutantsTable, OptionMap};

    #[test]
    fn tables_are_read_where_there_is_time() {
        let sequence = [("sequence".to_owned(), "MKT".into())];
        let table = MutantsTable::from_map(Path::new("not/there.csv"), sequence.into());
        let output: OptionMap = [("output".to_owned(), "scores.csv".into())].into();
        let plan = ScorePlan::of_mutants(Mutants::Table(table.unwrap()), output).unwrap();
        let cancel = CancelToken::default();
        let quick = Rehearsal::quick(None, &cancel);
        assert_eq!(quick.look_through("esm2", &plan).unwrap(), None);
        let (patient, _) = Rehearsal::new(None, None, &cancel);
        assert!(patient.look_through("esm2", &plan).is_err());
    }
}
