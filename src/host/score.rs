//! Scores: a plan of sequences, a run that embeds them, and a table that is made of their logits.

use super::{Scored, score_folder};
use crate::{
    cancel::CancelToken,
    error::Error,
    job::{
        Dataset, EmbedOptions, EmbedPlan, Expected, LongSequences, MergePlan, Mutants,
        PerplexityMethod, Positions, Problems, ResiduePolicy, ScoreMethod, ScorePlan,
        ScoreQuestion, Shard,
    },
    model::{Model, NUMERICS},
    report::RunSummary,
    score::{Done, Extent, ScoreOutput, Survey, Task},
    sink,
};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// Scores on their way.
pub(super) struct Scoring {
    start: Instant,
    plan: ScorePlan,
    task: Task,
    column: String,
    extent: Extent,
    output: ScoreOutput,
    shard: Option<Shard>,
    /// What is odd about the inputs.
    pub(super) warnings: Vec<String>,
    /// The run that gives the logits. Nothing, if none are needed.
    pub(super) run: Option<EmbedPlan>,
    done: Option<Done>,
}

impl Scoring {
    /// Reads what is to be scored, and writes the sequences that the model has to see.
    ///
    /// # Errors
    /// What is to be scored is wrong or cannot be read, something is there that must not be replaced, or somebody
    /// tells to stop.
    pub(super) fn begin(
        model: &Model,
        plan: &ScorePlan,
        shard: Option<Shard>,
        cancel: &CancelToken,
    ) -> Result<Self, Error> {
        let start = Instant::now();
        let column = model.name().to_owned();
        let task = Task::new(&plan.question, cancel)?;
        task.check_column(&column, plan.run.overwrite)?;
        let Survey {
            extent,
            hash,
            warnings,
        } = task.survey()?;
        let output = ScoreOutput::new(plan, identity(model, plan, &hash)?, shard);
        let mut scoring = Self {
            start,
            plan: plan.clone(),
            done: output.finished()?,
            task,
            column,
            extent,
            output,
            shard,
            warnings,
            run: None,
        };
        if scoring.done.is_some() {
            scoring.remove_kept();
            return Ok(scoring);
        }
        if plan.run.overwrite {
            // What is kept of other tables goes when this one is there.
            let others = scoring.output.others();
            others
                .iter()
                .try_for_each(|other| score_folder::check_idle(other))?;
        }
        if extent.sequences > 0 {
            scoring.run = Some(scoring.run_plan()?);
        } else if shard.is_none() {
            scoring.write()?;
        }
        Ok(scoring)
    }

    /// The plan of the run that gives the logits.
    fn run_plan(&self) -> Result<EmbedPlan, Error> {
        let run = EmbedOptions {
            output: Some(self.output.logits()),
            // Where the table is made anew, what was computed for it still counts, unless nothing is to be gone on
            // with.
            overwrite: self.plan.run.overwrite && !self.plan.run.resume,
            ..self.plan.run.clone()
        };
        let plan = ScorePlan {
            run,
            ..self.plan.clone()
        };
        let sequences = self.output.plan();
        // A batch that is too small is told of before anything is written.
        let run = logits_of(&plan, &sequences.to_string_lossy(), self.extent.longest)?;
        let run = run.expecting(Expected {
            sequences: self.extent.sequences,
            tokens: self.extent.tokens,
        });
        let written = self.task.write_plan(&sequences);
        written.inspect_err(|_| self.output.remove_if_empty())?;
        Ok(run)
    }

    /// The shards of the logits that are to be put together before, if other processes have made some.
    ///
    /// # Errors
    /// If nobody can tell.
    pub(super) fn shards(&self) -> Result<Option<MergePlan>, Error> {
        if self.shard.is_some() {
            return Ok(None);
        }
        let logits = self.output.logits();
        let target = score_folder::logits(&self.output.folder())?;
        let has_shards = !sink::shards_of(&target)?.is_empty();
        Ok(has_shards.then(|| MergePlan::new(&logits)))
    }

    /// Makes the table of the logits of a run, unless that was a part of the work only.
    ///
    /// # Errors
    /// Logits are missing, or the file system refuses.
    pub(super) fn finish(&mut self, run: &mut RunSummary) -> Result<(), Error> {
        if self.shard.is_none() {
            let done = self.write()?;
            run.output = Some(done.output.clone());
            run.columns = done.columns.join(", ");
            Arc::make_mut(&mut run.details).scores = done.histogram.clone();
        }
        Ok(())
    }

    fn write(&mut self) -> Result<&Done, Error> {
        let done = self.task.write(&self.output, &self.column, &self.extent)?;
        self.remove_kept();
        Ok(self.done.insert(done))
    }

    /// What is to be said where there is nothing to score.
    pub(super) fn warning(&self) -> Option<String> {
        let (ScoreQuestion::Mutants(Mutants::AllSingle(dataset), _)
        | ScoreQuestion::Perplexity(dataset, _)) = &self.plan.question
        else {
            return None;
        };
        let sources = dataset.sources.join("`, `");
        match (self.extent.proteins, self.extent.rejected) {
            (0, 0) => Some(format!("`{sources}` holds no records")),
            (0, _) => Some(format!("all records of `{sources}` were rejected")),
            _ => None,
        }
    }

    /// Removes what is kept, and, of a table that replaces others, what is kept of those. What others have put there
    /// stays, and all of it in which a process works.
    fn remove_kept(&self) {
        score_folder::remove(&self.output.folder());
        if self.plan.run.overwrite {
            let others = self.output.others();
            others.iter().for_each(|other| score_folder::remove(other));
        }
        self.output.remove_if_empty();
    }

    /// What it came to.
    pub(super) fn scored(self, run: Option<RunSummary>) -> Scored {
        Scored {
            done: self.done,
            method: self.plan.question.method(),
            other_sites: self.plan.question.other_sites(),
            extent: self.extent,
            run,
            seconds: self.start.elapsed().as_secs_f64(),
            shard: self.shard,
        }
    }
}

/// The plan to ask for the logits that a plan of scores needs, of sequences in a file of which none is longer than so
/// many residues.
pub(super) fn logits_of(
    plan: &ScorePlan,
    sequences: &str,
    longest: usize,
) -> Result<EmbedPlan, Problems> {
    let mut dataset = Dataset::new(vec![sequences.to_owned()]);
    dataset.policy.long_sequences = LongSequences::Truncate(longest.max(1));
    dataset.policy.residues = ResiduePolicy::Unk;
    dataset.policy.remarks = false;
    let positions = match plan.question {
        ScoreQuestion::Mutants(_, ScoreMethod::WtMarginals)
        | ScoreQuestion::Perplexity(_, PerplexityMethod::OnePass) => Positions::Residues,
        _ => Positions::Masks,
    };
    let inputs = format!("{} ({})", plan.question.inputs(), plan.question.method());
    EmbedPlan::for_logits(dataset, plan.run.clone(), positions, inputs)
}

/// All that can change a score, by name.
fn identity(
    model: &Model,
    plan: &ScorePlan,
    hash: &blake3::Hash,
) -> Result<BTreeMap<String, String>, Error> {
    let entries = [
        ("method", plan.question.method().to_owned()),
        ("mutants_and_proteins", hash.to_hex().to_string()),
        ("model", model.name().to_owned()),
        ("weights_hash", model.weights_hash()?.to_owned()),
        ("dtype", model.dtype().name().to_owned()),
        ("gelu", model.gelu().name().to_owned()),
        ("device_kind", model.device_kind()),
        ("numerics", NUMERICS.to_string()),
    ];
    let entries = entries.into_iter().chain(model.quantisation());
    Ok(entries
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}
