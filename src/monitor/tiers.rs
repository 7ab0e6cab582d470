//! From measured times to what holds a run back.

use super::sampler::encoder_idle;
use crate::{
    alphabet::N_SPECIAL_TOKENS,
    job::Thresholds,
    meter::{Activity, Bottleneck, Reading, Severity, Stage},
};

/// What samples and the verdict need to know of a run beside its meters.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts {
    /// From which figures on the run counts as held back.
    pub thresholds: Thresholds,
    /// Whether the device is a GPU, which computes beside this process.
    pub is_gpu: bool,
    /// FLOP per second that the device could do at most, where that is known.
    pub peak_flops: Option<f64>,
    /// Reader subprocesses.
    pub n_readers: usize,
    /// Input files.
    pub n_inputs: usize,
    /// Whether an input is a pipe.
    pub is_stream: bool,
    /// Whether there is an input that several readers can read at the same time.
    pub is_shareable: bool,
    /// Whether batches are brought to the device while it computes others.
    pub has_overlap: bool,
    /// Tokens that a batch may hold.
    pub token_budget: usize,
    /// Whether sequences are packed, rather than padded.
    pub is_packed: bool,
}

/// Fewer batches than this say nothing about a run.
const LEAST_BATCHES: u64 = 3;
/// Batches of which the last, half empty one does not change the mean.
const LEAST_BATCHES_FOR_FILL: u64 = 10;

/// What held a run back in the time that `span` is of. `gpu_utilization` is NVML's mean.
///
/// The encoder is the dear part, so a run is as good as it is busy. Where it is not, the stage to
/// blame is found by walking against the waits: a stage that waits for input points upstream, one that
/// waits for room points downstream, one that does neither is it.
///
/// Without enough batches there is nothing to say, which is not the same as a bottleneck.
pub fn judge(span: &Reading, facts: &RunFacts, gpu_utilization: Option<f64>) -> Option<Bottleneck> {
    if span.counts.batches < LEAST_BATCHES {
        return None;
    }
    verdict(span, facts, gpu_utilization)
}

/// As [`judge`], for the last while of a run that goes on and has had enough batches in all. A while
/// without any batch tells most.
pub fn judge_so_far(span: &Reading, all_batches: u64, facts: &RunFacts) -> Option<Bottleneck> {
    if all_batches < LEAST_BATCHES {
        return None;
    }
    verdict(span, facts, None)
}

fn verdict(span: &Reading, facts: &RunFacts, gpu_utilization: Option<f64>) -> Option<Bottleneck> {
    let idle = encoder_idle(span, facts.is_gpu)?;
    let thresholds = &facts.thresholds;
    // Without NVML's word the GPU is as busy as it is not idle.
    let utilization = gpu_utilization.unwrap_or(1.0);
    let severity = if utilization.min(1.0 - idle) < thresholds.gpu_util_critical {
        Severity::Critical
    } else if utilization < thresholds.gpu_util_mild || idle > thresholds.gpu_idle {
        Severity::Mild
    } else {
        return Some(good(idle, thresholds));
    };
    let encoding = span.stage(Stage::Encoding);
    let closures = span.counts.closure_seconds / encoding.total();
    let (stage, (mut message, remedy)) = if idle <= thresholds.gpu_idle {
        (Stage::Encoding, sparse(utilization, facts))
    } else if closures > idle / 2.0 {
        (Stage::Encoding, held_up(closures))
    } else {
        let stage = blamed(span, facts, idle);
        (stage, words(stage, span, facts))
    };
    if idle > thresholds.gpu_idle {
        message += &format!("; the encoder is idle {} of the time", percent(idle));
    }
    let wait_ms = 1e3 * encoding.starved / span.counts.batches as f64;
    if stage <= Stage::Packing && span.counts.batches > 0 && wait_ms > thresholds.wait_ms {
        message += &format!("; it waited {wait_ms:.1} ms for each batch");
    }
    Some(Bottleneck {
        stage,
        severity,
        message,
        remedy: Some(remedy),
    })
}

/// The verdict on a run that nothing holds back.
fn good(idle: f64, thresholds: &Thresholds) -> Bottleneck {
    let mut message = format!(
        "the encoder is the limit, as it should be: it is busy {} of the time",
        percent(1.0 - idle)
    );
    if idle > thresholds.gpu_idle_goal {
        message += &format!(
            "; {} idle is above the goal of {}",
            percent(idle),
            percent(thresholds.gpu_idle_goal)
        );
    }
    Bottleneck {
        stage: Stage::Encoding,
        severity: Severity::Good,
        message,
        remedy: None,
    }
}

/// What is worth knowing about how full batches were, if anything is.
pub fn fill_remark(fill: f64, batches: u64, facts: &RunFacts) -> Option<String> {
    let threshold = facts.thresholds.fill;
    if batches < LEAST_BATCHES_FOR_FILL || fill >= threshold {
        return None;
    }
    let remedy = if facts.is_packed {
        "raise `token_budget`, so that more sequences fit into a batch beside long ones"
    } else {
        "take `packing: true`, which leaves no padding"
    };
    Some(format!(
        "batches are {} full, below {}: {remedy}",
        percent(fill),
        percent(threshold)
    ))
}

/// The stage that an encoder which is often idle waits for.
fn blamed(span: &Reading, facts: &RunFacts, idle: f64) -> Stage {
    let encoding = span.stage(Stage::Encoding);
    let waits = encoding.starved + encoding.blocked;
    let is_to_blame = if facts.has_overlap {
        // On a GPU the stage only hands batches over: it is to blame if that alone takes its time.
        facts.is_gpu && encoding.working > waits
    } else {
        // It waits for the GPU as part of its work, and the GPU for it.
        waits < idle * encoding.total() / 2.0
    };
    if is_to_blame {
        return Stage::Encoding;
    }
    if encoding.starved >= encoding.blocked {
        return match longest(span, Stage::Packing) {
            Activity::Starved => Stage::Reading,
            Activity::Working | Activity::Blocked => Stage::Packing,
        };
    }
    match longest(span, Stage::Collecting) {
        Activity::Blocked => Stage::Writing,
        Activity::Working => Stage::Collecting,
        // Batches do not come back fast enough, so what computes them is slow.
        Activity::Starved => Stage::Encoding,
    }
}

/// What a stage did for most of its time.
fn longest(span: &Reading, stage: Stage) -> Activity {
    let time = span.stage(stage);
    if time.working >= time.starved.max(time.blocked) {
        Activity::Working
    } else if time.starved >= time.blocked {
        Activity::Starved
    } else {
        Activity::Blocked
    }
}

/// What is the matter with a stage, and what would help.
fn words(stage: Stage, span: &Reading, facts: &RunFacts) -> (String, String) {
    let counts = &span.counts;
    let pace = |supplier: &str, delivered: f64, unit: &str, possible: f64| match counts.batches {
        0 => format!("no batch came for {:.1} s", span.seconds),
        _ => format!(
            "{supplier} {} {unit}/s, and the encoder could take {}",
            rate(delivered / span.seconds),
            rate(possible / counts.compute_seconds)
        ),
    };
    let tokens = counts.tokens as f64;
    match stage {
        Stage::Reading => {
            let readers = match facts.n_readers {
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
            let pace = pace(&readers, read, "residues", embedded);
            (
                format!("reading is the bottleneck: {pace}"),
                reading_remedy(span, facts),
            )
        }
        Stage::Packing => (
            format!(
                "packing is the bottleneck: {}",
                pace("its thread delivers", tokens, "tokens", tokens)
            ),
            "one thread tokenises and packs: run several jobs beside each other, each with a part of \
             the input"
                .to_owned(),
        ),
        Stage::Encoding if !facts.has_overlap => (
            "batches are brought to the GPU one by one".to_owned(),
            "take `overlap: true`".to_owned(),
        ),
        Stage::Encoding => (
            "giving batches to the encoder is the bottleneck".to_owned(),
            larger_batches(facts),
        ),
        Stage::Collecting => (
            "collecting embeddings is the bottleneck".to_owned(),
            "its thread checks every embedding: keep fewer `layers`".to_owned(),
        ),
        Stage::Writing => (
            format!(
                "writing is the bottleneck: the output takes {} rows/s, and the encoder could give {}",
                rate(counts.sequences as f64 / span.seconds),
                rate(counts.sequences as f64 / counts.compute_seconds)
            ),
            "put the output on a faster disk, or keep fewer `layers`".to_owned(),
        ),
    }
}

/// The GPU always has a batch, and yet NVML sees it idle: there are gaps between the kernels of a batch.
fn sparse(utilization: f64, facts: &RunFacts) -> (String, String) {
    (
        format!(
            "the GPU always has a batch, but runs kernels only {} of the time",
            percent(utilization)
        ),
        larger_batches(facts),
    )
}

/// Closures that follow the run keep the encoding stage from its work.
fn held_up(closures: f64) -> (String, String) {
    (
        format!(
            "closures of the script are the bottleneck: they take {} of the time",
            percent(closures)
        ),
        "do less in `on_sample` and `on_bottleneck`, or lower `monitor_hz`".to_owned(),
    )
}

fn larger_batches(facts: &RunFacts) -> String {
    format!(
        "raise `token_budget`, now {}, so that there are fewer and larger batches",
        facts.token_budget
    )
}

fn reading_remedy(span: &Reading, facts: &RunFacts) -> String {
    let reading = span.stage(Stage::Reading);
    // Readers that had something to read, on average.
    let at_work = reading.working / span.seconds.max(1e-9);
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
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    if facts.n_readers < n_cores {
        format!(
            "raise `readers`, now {} ({n_cores} cores here)",
            facts.n_readers
        )
    } else {
        "there is a reader for each core: uncompressed or bgzip files are faster to read".to_owned()
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// A rate for a sentence: 1.1 M, 320 k, 85.
fn rate(per_second: f64) -> String {
    if !per_second.is_finite() {
        "any number of".to_owned()
    } else if per_second >= 1e6 {
        format!("{:.1} M", per_second / 1e6)
    } else if per_second >= 1e4 {
        format!("{:.0} k", per_second / 1e3)
    } else if per_second >= 1e3 {
        format!("{:.1} k", per_second / 1e3)
    } else {
        format!("{per_second:.0}")
    }
}

#[cfg(test)]
pub(super) mod tests;
