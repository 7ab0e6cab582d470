//! Where the output of a run goes, and what it says about itself.

use super::{plan::Plan, summary::shard_setting};
use crate::{
    error::Error,
    job::{Effect, EmbedOptions, EmbedPlan, OutputTarget, Problems, Shard},
    model::{Model, NUMERICS},
    sink::{Circumstances, Identity, More, OutputPlan},
};
use std::num::NonZeroUsize;

/// Where the rows and the rejections of a run go, if anywhere.
pub(super) fn output_plan(
    model: &Model,
    wanted: &EmbedPlan,
    shard: Option<Shard>,
) -> Result<Option<OutputPlan>, Error> {
    let options = wanted.options();
    let Some(path) = &options.output else {
        return Ok(None);
    };
    let target = OutputTarget::of(path).map_err(|problem| Problems(vec![problem]))?;
    // Which layer is the last one; no batch changes a value.
    let resolved = wanted.used(NonZeroUsize::MIN);
    let identity = Identity {
        model: model.name().to_owned(),
        weights_hash: model.weights_hash()?.to_owned(),
        dtype: model.dtype(),
        gelu: model.gelu(),
        device_kind: model.device_kind(),
        numerics: NUMERICS,
        format: target.format,
        options: EmbedOptions::OPTIONS
            .with_effect(Effect::Values, &resolved)
            .chain(model.quantisation())
            .collect(),
        rules: (wanted.dataset().rules().into_iter())
            .filter_map(|(name, rule)| Some((name, rule?)))
            .collect(),
    };
    Ok(Some(OutputPlan {
        target,
        overwrite: options.overwrite,
        resume: options.resume,
        commit_every: options.commit_every,
        inputs: wanted.inputs().to_owned(),
        question: wanted.question().clone(),
        more: More {
            sequences: options.sequences,
            windows: wanted.dataset().policy.long_sequences.window().is_some(),
        },
        hidden_size: model.hidden_size(),
        identity,
        shard,
    }))
}

/// Under which circumstances a run computes.
pub(super) fn circumstances(
    plan: &Plan,
    model: &Model,
    wanted: &EmbedPlan,
    shard: Option<Shard>,
) -> Circumstances {
    let used = wanted.used(plan.token_budget);
    Circumstances {
        device: model.device().to_owned(),
        options: EmbedOptions::OPTIONS
            .with_effect(Effect::LastBits, &used)
            .chain(shard_setting(shard))
            .chain(origin(model))
            .chain(accuracy(model))
            .collect(),
    }
}

/// How close a model in int8 is to what it is in bf16. It follows from the identity.
fn accuracy(model: &Model) -> Option<(&'static str, String)> {
    let accuracy = model.accuracy()?;
    Some(("int8_accuracy", format!("{:.6}", accuracy.least)))
}

/// Where a model comes from, and what it is made of, if that is known. It is no part of the identity: the weights say more.
fn origin(model: &Model) -> impl Iterator<Item = (&'static str, String)> {
    let base = model.merged().into_iter().flat_map(|merged| {
        let commit = merged.base_origin.as_ref();
        let commit = commit.map(|origin| ("model_base_commit", origin.commit.clone()));
        [("model_base", merged.base.clone())]
            .into_iter()
            .chain(commit)
    });
    let origin = model.origin().into_iter();
    let origin = origin.flat_map(|origin| {
        [
            ("model_repository", origin.repository.clone()),
            ("model_revision", origin.revision.clone()),
            ("model_commit", origin.commit.clone()),
        ]
    });
    origin.chain(base)
}
