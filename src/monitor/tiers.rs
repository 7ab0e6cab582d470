//! From measured times to what holds a run back.

use super::sampler::encoder_idle;
use crate::{
    job::Thresholds,
    meter::{Bottleneck, Reading, Severity, Stage},
};

/// What the verdict needs to know of a run beside its meters.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// From which figures on the run counts as held back.
    pub thresholds: Thresholds,
    /// Whether the device is a GPU, which computes beside this process.
    pub is_gpu: bool,
    /// Reader subprocesses.
    pub n_readers: usize,
    /// Input files.
    pub n_inputs: usize,
    /// Whether an input is a pipe.
    pub is_stream: bool,
    /// Tokens that a batch may hold.
    pub token_budget: usize,
    /// Whether sequences are packed, rather than padded.
    pub is_packed: bool,
}

/// BOS and EOS.
const FRAME_TOKENS: u64 = 2;
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
    let busy = gpu_utilization.map_or(1.0 - idle, |utilization| utilization.min(1.0 - idle));
    let severity = if busy < thresholds.gpu_util_critical {
        Severity::Critical
    } else if busy < thresholds.gpu_util_mild || idle > thresholds.gpu_idle {
        Severity::Mild
    } else {
        Severity::Good
    };
    let stage = if severity == Severity::Good {
        Stage::Encoding
    } else {
        blamed(span, facts.is_gpu)
    };
    let (mut message, remedy) = words(stage, span, facts, idle);
    let wait_ms = 1e3 * span.stage(Stage::Encoding).starved / span.counts.batches as f64;
    if span.counts.batches > 0
        && severity != Severity::Good
        && stage <= Stage::Packing
        && wait_ms > thresholds.wait_ms
    {
        message += &format!("; it waited {wait_ms:.1} ms for each batch");
    }
    if severity == Severity::Good && idle > thresholds.gpu_idle_goal {
        message += &format!(
            "; {} idle is above the goal of {}",
            percent(idle),
            percent(thresholds.gpu_idle_goal)
        );
    }
    Some(Bottleneck {
        stage,
        severity,
        message,
        remedy,
    })
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
fn blamed(span: &Reading, is_gpu: bool) -> Stage {
    let encoding = span.stage(Stage::Encoding);
    // On a GPU the stage only hands batches over: it is to blame if that alone takes its time.
    if is_gpu && encoding.working > encoding.starved + encoding.blocked {
        return Stage::Encoding;
    }
    if encoding.starved >= encoding.blocked {
        let packing = span.stage(Stage::Packing);
        if packing.starved >= packing.working {
            Stage::Reading
        } else {
            Stage::Packing
        }
    } else {
        let collecting = span.stage(Stage::Collecting);
        if collecting.blocked >= collecting.working {
            Stage::Writing
        } else {
            Stage::Collecting
        }
    }
}

/// What is the matter with a stage, and what would help.
fn words(stage: Stage, span: &Reading, facts: &RunFacts, idle: f64) -> (String, Option<String>) {
    let counts = &span.counts;
    let encoder = format!("the encoder is idle {} of the time", percent(idle));
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
            // What was read before the first batch came is not part of the span, as its time is not.
            let read = counts.residues as f64;
            let embedded = (counts.tokens - FRAME_TOKENS * counts.sequences) as f64;
            let pace = pace(&readers, read, "residues", embedded);
            let message = format!("reading is the bottleneck: {pace}; {encoder}");
            (message, Some(reading_remedy(span, facts)))
        }
        Stage::Packing => (
            format!(
                "packing is the bottleneck: {}; {encoder}",
                pace("its thread delivers", tokens, "tokens", tokens)
            ),
            Some(
                "one thread tokenises and packs: run several jobs beside each other, each with a \
                 part of the input"
                    .to_owned(),
            ),
        ),
        Stage::Encoding if facts.is_gpu && idle > facts.thresholds.gpu_idle => (
            format!("giving batches to the GPU is the bottleneck; {encoder}"),
            Some(format!(
                "raise `token_budget`, now {}, so that there are fewer and larger batches",
                facts.token_budget
            )),
        ),
        Stage::Encoding => (
            format!(
                "the encoder is the limit, as it should be: it is busy {} of the time",
                percent(1.0 - idle)
            ),
            None,
        ),
        Stage::Collecting => (
            format!("collecting embeddings is the bottleneck; {encoder}"),
            Some("its thread checks every embedding: keep fewer `layers`".to_owned()),
        ),
        Stage::Writing => (
            format!(
                "writing is the bottleneck: the output takes {} rows/s, and the encoder could give \
                 {}; {encoder}",
                rate(counts.sequences as f64 / span.seconds),
                rate(counts.sequences as f64 / counts.compute_seconds)
            ),
            Some("put the output on a faster disk, or keep fewer `layers`".to_owned()),
        ),
    }
}

fn reading_remedy(span: &Reading, facts: &RunFacts) -> String {
    let reading = span.stage(Stage::Reading);
    // Readers that had something to read, on average.
    let at_work = reading.working / span.seconds.max(1e-9);
    if facts.is_stream {
        return "the input is a pipe, which gives no more: name files".to_owned();
    }
    if facts.n_readers > 1 && at_work < 0.6 * facts.n_readers as f64 {
        let inputs = match facts.n_inputs {
            1 => "the input is one file".to_owned(),
            n => format!("the input is {n} files"),
        };
        return format!(
            "on average {at_work:.1} readers had something to read: {inputs}, and only plain and \
             bgzip files can be shared between readers, so compress with bgzip, or split the input"
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
mod tests {
    use super::*;
    use crate::meter::{Counts, QueueDepths, StageTime};

    fn facts() -> RunFacts {
        RunFacts {
            thresholds: Thresholds::default(),
            is_gpu: true,
            n_readers: 1,
            n_inputs: 1,
            is_stream: false,
            token_budget: 1000,
            is_packed: true,
        }
    }

    /// Ten seconds of a run on a GPU that was idle for so many, with the working, starved and
    /// blocked seconds of packing, encoding and collecting.
    fn span(idle_seconds: f64, stages: [[f64; 3]; 3]) -> Reading {
        let time = |[working, starved, blocked]: [f64; 3]| StageTime {
            working,
            starved,
            blocked,
        };
        let [packing, encoding, collecting] = stages.map(time);
        Reading {
            seconds: 10.0,
            counts: Counts {
                batches: 100,
                sequences: 400,
                tokens: 100_000,
                residues: 99_200,
                compute_seconds: 10.0 - idle_seconds,
                idle_seconds,
                ..Counts::default()
            },
            stages: [
                time([9.0, 1.0, 0.0]),
                packing,
                encoding,
                collecting,
                StageTime::default(),
            ],
            depths: QueueDepths::default(),
        }
    }

    const BUSY: [[f64; 3]; 3] = [[1.0, 0.0, 9.0], [0.1, 0.0, 9.9], [0.1, 9.9, 0.0]];
    const SLOW_READERS: [[f64; 3]; 3] = [[1.0, 9.0, 0.0], [0.1, 9.0, 0.9], [0.1, 9.9, 0.0]];

    #[test]
    fn the_stage_that_nobody_waits_in_front_of_is_blamed() {
        let check = |idle: f64, stages, stage: Stage, severity: Severity, words: &str| {
            let verdict = judge(&span(idle, stages), &facts(), None).expect("enough batches");
            assert_eq!((verdict.stage, verdict.severity), (stage, severity));
            assert!(verdict.to_string().contains(words), "{verdict}");
        };
        use Severity::{Critical, Good, Mild};
        check(0.1, BUSY, Stage::Encoding, Good, "busy 99.0%");
        check(0.7, BUSY, Stage::Encoding, Good, "above the goal of 5.0%");
        check(
            9.0,
            SLOW_READERS,
            Stage::Reading,
            Critical,
            "1 reader delivers 9.9 k residues/s, and the encoder could take 99 k; the encoder is idle \
             90.0% of the time; it waited 90.0 ms for each batch: raise `readers`, now 1",
        );
        check(1.5, SLOW_READERS, Stage::Reading, Mild, "reading");
        let slow_packing = [[9.0, 1.0, 0.0], [0.1, 9.0, 0.9], [0.1, 9.9, 0.0]];
        check(3.0, slow_packing, Stage::Packing, Mild, "one thread");
        let slow_writer = [[1.0, 0.0, 9.0], [0.1, 0.0, 9.9], [0.1, 2.0, 7.9]];
        check(6.0, slow_writer, Stage::Writing, Critical, "40 rows/s");
        let slow_collector = [[1.0, 0.0, 9.0], [0.1, 0.0, 9.9], [9.0, 1.0, 0.0]];
        check(6.0, slow_collector, Stage::Collecting, Critical, "layers");
        let slow_handover = [[1.0, 0.0, 9.0], [9.0, 0.5, 0.5], [0.1, 9.9, 0.0]];
        check(2.5, slow_handover, Stage::Encoding, Mild, "token_budget");
    }

    #[test]
    fn a_gpu_that_nvml_sees_idle_is_not_busy() {
        let verdict = judge(&span(0.1, BUSY), &facts(), Some(0.4)).expect("enough batches");
        assert_eq!(verdict.severity, Severity::Critical);
        // And one that computed all the time between batches, by its own clock, is no more than that.
        let verdict = judge(&span(9.0, SLOW_READERS), &facts(), Some(1.0));
        assert_eq!(verdict.expect("enough").severity, Severity::Critical);
    }

    #[test]
    fn no_data_is_no_bottleneck() {
        let mut short = span(9.0, SLOW_READERS);
        short.counts.batches = 2;
        assert_eq!(judge(&short, &facts(), None), None);
        let mut nothing = span(9.0, BUSY);
        nothing.counts = Counts::default();
        assert_eq!(judge(&nothing, &facts(), Some(0.0)), None);
    }

    #[test]
    fn a_while_without_batches_is_a_bottleneck_of_a_run_that_had_some() {
        let mut nothing = span(0.0, [[0.1, 9.9, 0.0], [0.0, 10.0, 0.0], [0.0, 10.0, 0.0]]);
        nothing.counts = Counts::default();
        assert_eq!(judge_so_far(&nothing, 2, &facts()), None);
        let verdict = judge_so_far(&nothing, 50, &facts()).expect("a verdict");
        assert_eq!(
            (verdict.stage, verdict.severity),
            (Stage::Reading, Severity::Critical)
        );
        assert!(
            verdict
                .message
                .starts_with("reading is the bottleneck: no batch came for 10.0 s; the encoder"),
            "{verdict}"
        );
    }

    #[test]
    fn thresholds_are_the_scripts() {
        let mut facts = facts();
        facts.thresholds.gpu_idle = 0.95;
        facts.thresholds.gpu_util_mild = 0.05;
        facts.thresholds.gpu_util_critical = 0.01;
        let verdict = judge(&span(9.0, SLOW_READERS), &facts, None).expect("enough batches");
        assert_eq!(verdict.severity, Severity::Good);
    }

    #[test]
    fn remedies_fit_the_input() {
        let check = |change: fn(&mut RunFacts), expect: &str| {
            let mut facts = facts();
            change(&mut facts);
            let verdict = judge(&span(9.0, SLOW_READERS), &facts, None).expect("enough batches");
            let remedy = verdict.remedy.expect("a remedy");
            assert!(remedy.contains(expect), "{remedy}");
        };
        check(|facts| facts.is_stream = true, "name files");
        check(
            |facts| facts.n_readers = 4,
            "0.9 readers had something to read",
        );
        check(|facts| facts.n_readers = 4, "bgzip");
    }

    #[test]
    fn batches_with_room_are_worth_a_remark() {
        let facts = facts();
        assert_eq!(fill_remark(0.99, 100, &facts), None);
        assert_eq!(fill_remark(0.5, 3, &facts), None, "too few to tell");
        let remark = fill_remark(0.5, 100, &facts).expect("a remark");
        assert_eq!(
            remark,
            "batches are 50.0% full, below 85.0%: raise `token_budget`, so that more sequences fit \
             into a batch beside long ones"
        );
    }

    #[test]
    fn rates_are_short() {
        let check = |per_second: f64, expect: &str| assert_eq!(rate(per_second), expect);
        check(1_100_000.0, "1.1 M");
        check(320_400.0, "320 k");
        check(1_234.0, "1.2 k");
        check(85.4, "85");
        check(f64::INFINITY, "any number of");
    }
}
