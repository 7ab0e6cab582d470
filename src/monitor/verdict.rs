//! From measured times to what holds a run back.

mod case;
mod lag;
mod numbers;
mod reason;
mod words;

use super::{RunFacts, sampler::encoder_idle};
use crate::meter::{Activity, Bottleneck, Reading, Sample, Severity, Stage, StageTime};
use case::Case;
use lag::Lag;
use words::Words;

/// Fewer batches than this say nothing about a run.
const LEAST_BATCHES: u64 = 3;
/// Batches of which the last, half empty one does not change the mean.
const LEAST_BATCHES_FOR_FILL: u64 = 10;

/// What can hold a run back.
struct Rule {
    /// Whether it does, if no rule before this one applies.
    applies: fn(&Case) -> bool,
    /// The stage that all others wait for then.
    stage: Stage,
    /// What is the matter, and what would help.
    words: fn(&Case) -> Words,
}

/// The encoder is the dear part, so a run is as good as it is busy. Where it is not, the stage to blame is
/// found by walking against the waits: a stage that waits for input points upstream, one that waits for
/// room points downstream, one that does neither is it. The first rule that applies is the verdict.
const RULES: &[Rule] = &[
    // The others wait for a device that falls too far behind, which looks like a fault of theirs.
    Rule {
        applies: |case| case.lag.is_some(),
        stage: Stage::Encoding,
        words: words::lag,
    },
    Rule {
        applies: |case| case.idle <= case.facts.thresholds.gpu_idle,
        stage: Stage::Encoding,
        words: words::gaps_in_batches,
    },
    // Without overlap the stage waits for the GPU as part of its work, and the GPU for it.
    Rule {
        applies: |case| {
            let encoding = case.encoding();
            !case.facts.has_overlap && waits(encoding) < case.idle * encoding.total() / 2.0
        },
        stage: Stage::Encoding,
        words: words::no_overlap,
    },
    // On a GPU the stage only hands batches over: it is to blame if that alone takes its time.
    Rule {
        applies: |case| {
            let encoding = case.encoding();
            case.facts.has_overlap
                && case.facts.computes_beside()
                && encoding.working > waits(encoding)
        },
        stage: Stage::Encoding,
        words: words::small_batches,
    },
    Rule {
        applies: |case| case.is_starved() && case.longest(Stage::Packing) == Activity::Starved,
        stage: Stage::Reading,
        words: words::slow_reading,
    },
    Rule {
        applies: |case| case.is_starved(),
        stage: Stage::Packing,
        words: words::slow_packing,
    },
    Rule {
        applies: |case| case.longest(Stage::Collecting) == Activity::Blocked,
        stage: Stage::Writing,
        words: words::slow_writing,
    },
    Rule {
        applies: |case| case.longest(Stage::Collecting) == Activity::Working,
        stage: Stage::Collecting,
        words: words::slow_collecting,
    },
    // Batches do not come back fast enough, so what computes them is slow.
    Rule {
        applies: |case| !case.facts.has_overlap,
        stage: Stage::Encoding,
        words: words::no_overlap,
    },
    Rule {
        applies: |_| true,
        stage: Stage::Encoding,
        words: words::small_batches,
    },
];

/// What held a run back in the time that `span` is of. `gpu_utilization` is NVML's mean, and `samples` are those
/// of that time.
///
/// Without enough batches there is nothing to say, which is not the same as a bottleneck.
pub(super) fn judge(
    span: &Reading,
    facts: &RunFacts,
    gpu_utilization: Option<f64>,
    samples: &[Sample],
) -> Option<Bottleneck> {
    if span.counts.batches < LEAST_BATCHES {
        return None;
    }
    verdict(span, facts, gpu_utilization, samples)
}

/// As [`judge`], for the last while of a run that goes on and has had enough batches in all. A while
/// without any batch tells most.
pub(super) fn judge_so_far(
    span: &Reading,
    all_batches: u64,
    facts: &RunFacts,
    samples: &[Sample],
) -> Option<Bottleneck> {
    if all_batches < LEAST_BATCHES {
        return None;
    }
    verdict(span, facts, None, samples)
}

fn verdict(
    span: &Reading,
    facts: &RunFacts,
    gpu_utilization: Option<f64>,
    samples: &[Sample],
) -> Option<Bottleneck> {
    let idle = encoder_idle(
        span.lanes.iter(),
        span.depths.in_flight,
        facts.computes_beside(),
    );
    let case = Case {
        span,
        facts,
        idle: idle?,
        utilization: gpu_utilization.unwrap_or(1.0),
        lag: Lag::find(span, facts, samples),
    };
    // A lane that lags is worth a word even where all of them are busy.
    let lags = case.lag.as_ref().map(|_| Severity::Mild);
    let Some(severity) = case.severity().or(lags) else {
        return Some(Bottleneck {
            stage: Stage::Encoding,
            severity: Severity::Good,
            message: words::good(&case),
            remedy: words::more_gpus(facts),
        });
    };
    let rule = RULES.iter().find(|rule| (rule.applies)(&case))?;
    let Words {
        mut message,
        remedy,
    } = (rule.words)(&case);
    message += &words::figures(&case, rule.stage);
    Some(Bottleneck {
        stage: rule.stage,
        severity,
        message,
        remedy: Some(remedy),
    })
}

/// What is worth knowing about how full batches were, if anything is.
pub(super) fn fill_remark(fill: f64, batches: u64, facts: &RunFacts) -> Option<String> {
    // Fuller batches of packed sequences gain something on a GPU only; padding costs time everywhere.
    let would_help = !facts.is_packed || facts.lanes.iter().any(|lane| lane.gpu.is_some());
    let is_worth_it =
        would_help && batches >= LEAST_BATCHES_FOR_FILL && fill < facts.thresholds.fill;
    is_worth_it.then(|| words::fill(fill, facts))
}

/// Seconds that a stage did not work.
fn waits(time: StageTime) -> f64 {
    time.starved + time.blocked
}

#[cfg(test)]
pub(super) mod tests;
