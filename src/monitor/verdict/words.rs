//! What is the matter, in words, and what would help.

use super::{
    case::Case,
    numbers::{percent, rate},
    reason::{self, Reason},
};
use crate::{alphabet::N_SPECIAL_TOKENS, meter::Stage, monitor::RunFacts};
use std::thread;

/// What is the matter, and what would help: a sentence each, without a final dot.
pub(super) struct Words {
    pub(super) message: String,
    pub(super) remedy: String,
}

/// Nothing holds the run back.
pub(super) fn good(case: &Case) -> String {
    let (idle, goal) = (case.idle, case.facts.thresholds.gpu_idle_goal);
    let mut message = format!(
        "the encoder is the limit, as it should be: it is busy {} of the time",
        percent(1.0 - idle)
    );
    if idle > goal {
        message += &format!(
            "; {} idle is above the goal of {}",
            percent(idle),
            percent(goal)
        );
    }
    message
}

/// What would make a run faster whose encoder is the limit.
pub(super) fn more_gpus(facts: &RunFacts) -> Option<String> {
    let others = match facts.n_gpus_left_over {
        0 => return None,
        1 => "the other GPU of its kind".to_owned(),
        n => format!("the {n} other GPUs of its kind"),
    };
    Some(format!("`device: \"cuda:all\"` takes {others}, too"))
}

/// What follows the message of a verdict on a stage.
pub(super) fn figures(case: &Case, stage: Stage) -> String {
    let mut figures = String::new();
    if case.idle > case.facts.thresholds.gpu_idle {
        figures += &format!("; the encoder is idle {} of the time", percent(case.idle));
    }
    let batches = case.span.counts.batches;
    let wait_ms = 1e3 * case.encoding().starved / batches as f64;
    if stage <= Stage::Packing && batches > 0 && wait_ms > case.facts.thresholds.wait_ms {
        figures += &format!("; it waited {wait_ms:.1} ms for each batch");
    }
    figures
}

/// A lane is slower than its like.
pub(super) fn lag(case: &Case) -> Words {
    let Some(lag) = &case.lag else {
        return small_batches(case);
    };
    let Reason { why, remedy } = reason::of(lag);
    Words {
        message: format!(
            "device {} lags behind: it embeds {} tokens/s while it has batches, and the others {}; at their pace the run \
             would be {} faster; {why}",
            lag.facts.device,
            rate(lag.rate),
            rate(lag.usual),
            percent(lag.gain - 1.0)
        ),
        remedy,
    }
}

/// The GPU always has a batch, and yet NVML sees it idle: there are gaps between the kernels of a batch.
pub(super) fn gaps_in_batches(case: &Case) -> Words {
    Words {
        message: format!(
            "the GPU always has a batch, but runs kernels only {} of the time",
            percent(case.utilization)
        ),
        remedy: larger_batches(case.facts),
    }
}

pub(super) fn no_overlap(_: &Case) -> Words {
    Words {
        message: "batches are brought to the GPU one by one".to_owned(),
        remedy: "take `overlap: true`".to_owned(),
    }
}

pub(super) fn small_batches(case: &Case) -> Words {
    Words {
        message: "giving batches to the encoder is the bottleneck".to_owned(),
        remedy: larger_batches(case.facts),
    }
}

pub(super) fn slow_reading(case: &Case) -> Words {
    let counts = &case.span.counts;
    let readers = match case.facts.n_readers {
        1 => "1 reader delivers".to_owned(),
        n => format!("{n} readers deliver"),
    };
    let embedded = (counts.tokens - N_SPECIAL_TOKENS as u64 * counts.sequences) as f64;
    // What was read before the first batch came is not part of the span, as its time is not.
    // A small input was read before that as a whole.
    let read = match counts.residues {
        0 => embedded,
        residues => residues as f64,
    };
    let pace = pace(case, &readers, read, "residues", embedded);
    Words {
        message: format!("reading is the bottleneck: {pace}"),
        remedy: faster_reading(case),
    }
}

pub(super) fn slow_packing(case: &Case) -> Words {
    let tokens = case.span.counts.tokens as f64;
    let pace = pace(case, "its thread delivers", tokens, "tokens", tokens);
    Words {
        message: format!("packing is the bottleneck: {pace}"),
        remedy: "one thread tokenises and packs: run several jobs beside each other, each with a part of \
                 the input"
            .to_owned(),
    }
}

pub(super) fn slow_collecting(_: &Case) -> Words {
    Words {
        message: "collecting embeddings is the bottleneck".to_owned(),
        remedy: "its thread checks every embedding: keep fewer `layers`".to_owned(),
    }
}

pub(super) fn slow_writing(case: &Case) -> Words {
    let sequences = case.span.counts.sequences as f64;
    Words {
        message: format!(
            "writing is the bottleneck: the output takes {} rows/s, and the encoder could give {}",
            rate(sequences / case.span.seconds),
            rate(case.possible(sequences))
        ),
        remedy: "put the output on a faster disk, or keep fewer `layers`".to_owned(),
    }
}

/// What is worth knowing about batches that are only so full.
pub(super) fn fill(fill: f64, facts: &RunFacts) -> String {
    let remedy = if facts.is_packed {
        "raise `token_budget`, so that more sequences fit into a batch beside long ones"
    } else {
        "take `packing: true`, which leaves no padding"
    };
    let threshold = percent(facts.thresholds.fill);
    format!(
        "batches are {} full, below {threshold}: {remedy}",
        percent(fill)
    )
}

/// What a stage before the encoder delivered, beside what the encoder could have done with what it got.
fn pace(case: &Case, supplier: &str, delivered: f64, unit: &str, encoded: f64) -> String {
    if case.span.counts.batches == 0 {
        return format!("no batch came for {:.1} s", case.span.seconds);
    }
    format!(
        "{supplier} {} {unit}/s, and the encoder could take {}",
        rate(delivered / case.span.seconds),
        rate(case.possible(encoded))
    )
}

fn larger_batches(facts: &RunFacts) -> String {
    format!(
        "raise `token_budget`, now {}, so that there are fewer and larger batches",
        facts.token_budget
    )
}

fn faster_reading(case: &Case) -> String {
    let facts = case.facts;
    let reading = case.span.stage(Stage::Reading);
    // Readers that had something to read, on average.
    let at_work = reading.working / case.span.seconds.max(1e-9);
    if facts.is_stream {
        return "the input is a pipe, which gives no more: name files".to_owned();
    }
    let most_readers = if facts.is_shareable {
        usize::MAX
    } else {
        facts.n_inputs
    };
    if facts.n_readers >= most_readers {
        let inputs = match facts.n_inputs {
            1 => "the input is one file".to_owned(),
            n => format!("the input is {n} files"),
        };
        return format!(
            "{inputs}, and only plain and bgzip files can be shared between readers: compress with \
             bgzip, or split the input ({at_work:.1} readers had something to read, on average)"
        );
    }
    let n_cores = thread::available_parallelism().map_or(1, usize::from);
    if facts.n_readers < n_cores {
        format!(
            "raise `readers`, now {} ({n_cores} cores here)",
            facts.n_readers
        )
    } else {
        "there is a reader for each core: uncompressed or bgzip files are faster to read".to_owned()
    }
}
