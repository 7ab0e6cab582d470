//! Verdicts on made-up times.

use super::{
    lag::tests::{lane, span as lanes_span},
    numbers::rate,
    *,
};
use crate::{
    job::Thresholds,
    meter::{Begun, Counts, LaneReading, QueueDepths},
    monitor::{GpuFacts, LaneFacts},
};

/// A run on a GPU that one reader reads for.
pub(in crate::monitor) fn facts() -> RunFacts {
    RunFacts {
        thresholds: Thresholds::default(),
        shard: None,
        lanes: vec![gpu_lane(None)],
        n_gpus_left_over: 0,
        n_readers: 1,
        n_inputs: 1,
        is_stream: false,
        is_shareable: true,
        has_overlap: true,
        token_budget: 1000,
        is_packed: true,
    }
}

/// A lane with a GPU that could do so many FLOP per second.
pub(in crate::monitor) fn gpu_lane(peak_flops: Option<f64>) -> LaneFacts {
    LaneFacts {
        device: "cuda:0".to_owned(),
        gpu: Some(GpuFacts {
            uuid: "GPU-0".to_owned(),
            name: "NVIDIA H100 80GB HBM3".to_owned(),
            peak_flops,
        }),
        computes_beside: true,
        is_absent: false,
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
    let counts = Counts {
        batches: 100,
        sequences: 400,
        tokens: 100_000,
        compute_seconds: 10.0 - idle_seconds,
        idle_seconds,
        ..Counts::default()
    };
    let lane = LaneReading {
        counts,
        encoding,
        collecting,
        ..LaneReading::default()
    };
    Reading {
        seconds: 10.0,
        counts: Counts {
            residues: 99_200,
            ..counts
        },
        begun: Begun::default(),
        stages: [
            time([9.0, 1.0, 0.0]),
            packing,
            encoding,
            collecting,
            StageTime::default(),
        ],
        depths: QueueDepths::default(),
        lanes: vec![lane],
    }
}

/// The same ten seconds in each of `n` lanes that share readers, packing and writing.
fn in_lanes(n: usize, one: &Reading) -> (Reading, RunFacts) {
    let mut all = one.clone();
    for lane in vec![one.lanes[0]; n - 1] {
        all.counts = all.counts + lane.counts;
        for (stage, time) in [
            (Stage::Encoding, lane.encoding),
            (Stage::Collecting, lane.collecting),
        ] {
            all.stages[stage as usize] = all.stage(stage) + time;
        }
        all.lanes.push(lane);
    }
    let facts = RunFacts {
        lanes: vec![gpu_lane(None); n],
        ..facts()
    };
    (all, facts)
}

const BUSY: [[f64; 3]; 3] = [[1.0, 0.0, 9.0], [0.1, 0.0, 9.9], [0.1, 9.9, 0.0]];
const SLOW_READERS: [[f64; 3]; 3] = [[1.0, 9.0, 0.0], [0.1, 9.0, 0.9], [0.1, 9.9, 0.0]];

#[test]
fn the_stage_that_nobody_waits_in_front_of_is_blamed() {
    let check = |idle: f64, stages, stage: Stage, severity: Severity, words: &str| {
        let verdict = judge(&span(idle, stages), &facts(), None, &[]).expect("enough batches");
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
    // Where two are slow, the slower one is to blame.
    let slower_device = [[0.5, 2.0, 7.5], [0.1, 0.2, 9.7], [0.1, 8.0, 1.9]];
    check(0.3, slower_device, Stage::Encoding, Good, "busy");
    let slower_writer = [[1.0, 0.0, 9.0], [0.1, 0.0, 9.9], [0.1, 1.3, 8.6]];
    check(8.7, slower_writer, Stage::Writing, Critical, "idle");
    let slower_packing = [[9.5, 0.5, 0.0], [0.1, 8.6, 1.3], [0.1, 9.9, 0.0]];
    check(8.7, slower_packing, Stage::Packing, Critical, "idle");
    let slower_reader = [[2.0, 7.5, 0.5], [0.1, 9.0, 0.9], [0.1, 7.9, 2.0]];
    check(9.0, slower_reader, Stage::Reading, Critical, "waited");
    let slow_handover = [[1.0, 0.0, 9.0], [9.0, 0.5, 0.5], [0.1, 9.9, 0.0]];
    check(2.5, slow_handover, Stage::Encoding, Mild, "token_budget");
}

#[test]
fn gpus_that_are_left_over_are_named_where_more_of_them_would_help() {
    let check = |n: usize, stages, idle: f64, expect: Option<&str>| {
        let facts = RunFacts {
            n_gpus_left_over: n,
            ..facts()
        };
        let verdict = judge(&span(idle, stages), &facts, None, &[]).expect("enough batches");
        let expect = expect.map(|others| format!("`device: \"cuda:all\"` takes {others}, too"));
        let said = verdict.remedy.filter(|remedy| remedy.contains("cuda"));
        assert_eq!(said, expect);
    };
    check(0, BUSY, 0.1, None);
    check(1, BUSY, 0.1, Some("the other GPU of its kind"));
    check(3, BUSY, 0.1, Some("the 3 other GPUs of its kind"));
    check(3, SLOW_READERS, 9.0, None);
}

#[test]
fn a_gpu_that_nvml_sees_idle_has_gaps_within_batches() {
    let check = |utilization: f64, severity: Severity| {
        let verdict = judge(&span(0.1, BUSY), &facts(), Some(utilization), &[]);
        let verdict = verdict.expect("enough batches");
        assert_eq!(
            (verdict.stage, verdict.severity),
            (Stage::Encoding, severity)
        );
        let words = "the GPU always has a batch, but runs kernels only";
        assert!(verdict.message.starts_with(words), "{verdict}");
    };
    check(0.4, Severity::Critical);
    check(0.6, Severity::Mild);
    // One that computed all the time between batches, by NVML, is no busier than its own clock says.
    let verdict = judge(&span(9.0, SLOW_READERS), &facts(), Some(1.0), &[]);
    let verdict = verdict.expect("enough batches");
    assert_eq!(
        (verdict.stage, verdict.severity),
        (Stage::Reading, Severity::Critical)
    );
}

#[test]
fn a_device_that_gives_nothing_back_is_not_the_collectors_fault() {
    // The encoding stage waits for room, and the collecting stage for the device.
    let verdict = judge(&span(3.0, BUSY), &facts(), None, &[]).expect("enough batches");
    assert_eq!(verdict.stage, Stage::Encoding);
    assert!(verdict.to_string().contains("token_budget"), "{verdict}");
}

#[test]
fn a_run_without_overlap_waits_as_part_of_its_work() {
    let facts = RunFacts {
        has_overlap: false,
        ..facts()
    };
    let check = |stages, stage: Stage, words: &str| {
        let verdict = judge(&span(3.6, stages), &facts, None, &[]).expect("enough batches");
        assert_eq!(verdict.stage, stage);
        assert!(verdict.to_string().contains(words), "{verdict}");
    };
    let slow_readers = [[1.0, 9.0, 0.0], [6.5, 3.5, 0.0], [0.1, 9.9, 0.0]];
    check(slow_readers, Stage::Reading, "reading");
    let no_overlap = [[1.0, 0.0, 9.0], [9.9, 0.1, 0.0], [0.1, 9.9, 0.0]];
    check(no_overlap, Stage::Encoding, "overlap: true");
}

fn without_batches(mut span: Reading) -> Reading {
    span.counts = Counts::default();
    span.lanes[0].counts = Counts::default();
    span
}

#[test]
fn lanes_share_a_verdict() {
    let words = |span: &Reading, facts: &RunFacts| {
        let verdict = judge(span, facts, None, &[]).expect("enough batches");
        (verdict.stage, verdict.severity, verdict.to_string())
    };
    let (span, facts) = in_lanes(2, &span(9.0, SLOW_READERS));
    let (stage, severity, text) = words(&span, &facts);
    assert_eq!((stage, severity), (Stage::Reading, Severity::Critical));
    // As idle as one lane, each of whose batches waited as long, and with twice the appetite.
    let expect = "and the encoder could take 198 k; the encoder is idle 90.0% of the time; it waited \
                  90.0 ms for each batch";
    assert!(text.contains(expect), "{text}");
    // One of two that had nothing to do is half of the time.
    let (mut span, facts) = in_lanes(2, &self::span(0.0, BUSY));
    span.lanes[1].counts = Counts {
        compute_seconds: 0.0,
        idle_seconds: 10.0,
        ..span.lanes[1].counts
    };
    span.counts.compute_seconds = 10.0;
    span.counts.idle_seconds = 10.0;
    let (_, severity, text) = words(&span, &facts);
    assert_eq!(severity, Severity::Mild);
    assert!(text.contains("idle 50.0% of the time"), "{text}");
}

#[test]
fn a_lane_that_lags_is_named() {
    let mut facts = RunFacts {
        lanes: vec![gpu_lane(None); 4],
        ..facts()
    };
    "cuda:2".clone_into(&mut facts.lanes[2].device);
    let lanes = [0.01, 0.01, 0.02, 0.01].map(|seconds| lane(seconds, 0.1));
    let verdict = judge(&lanes_span(lanes.into()), &facts, None, &[]).expect("enough batches");
    assert_eq!(
        (verdict.stage, verdict.severity),
        (Stage::Encoding, Severity::Mild)
    );
    assert_eq!(
        verdict.to_string(),
        "device cuda:2 lags behind: it embeds 50 k tokens/s while it has batches, and the others 100 k; at their pace the \
         run would be 14.3% faster; NVML gives no reason: look with `nvidia-smi -q -i GPU-0` what is different \
         there, or leave it out of `device`"
    );
    // The others wait for it where it is too far behind, and are not to blame.
    let waits = |seconds, idle_seconds| {
        let mut lane = lane(seconds, 0.1);
        lane.counts.idle_seconds = idle_seconds;
        lane
    };
    let lanes = vec![
        waits(0.01, 9.0),
        waits(0.01, 9.0),
        waits(0.1, 0.0),
        waits(0.01, 9.0),
    ];
    let verdict = judge(&lanes_span(lanes), &facts, None, &[]).expect("enough batches");
    assert_eq!(verdict.severity, Severity::Critical);
    assert!(
        verdict.message.starts_with("device cuda:2 lags"),
        "{verdict}"
    );
    // One that failed does not lag.
    let mut lanes = [0.01, 0.01, 0.02, 0.01].map(|seconds| lane(seconds, 0.1));
    lanes[2].has_failed = true;
    let verdict = judge(&lanes_span(lanes.into()), &facts, None, &[]).expect("enough batches");
    assert_eq!(verdict.severity, Severity::Good, "{verdict}");
}

#[test]
fn no_data_is_no_bottleneck() {
    let mut short = span(9.0, SLOW_READERS);
    short.counts.batches = 2;
    assert_eq!(judge(&short, &facts(), None, &[]), None);
    let nothing = without_batches(span(9.0, BUSY));
    assert_eq!(judge(&nothing, &facts(), Some(0.0), &[]), None);
}

#[test]
fn a_while_without_batches_is_a_bottleneck_of_a_run_that_had_some() {
    let waiting = [[0.1, 9.9, 0.0], [0.0, 10.0, 0.0], [0.0, 10.0, 0.0]];
    let nothing = without_batches(span(0.0, waiting));
    assert_eq!(judge_so_far(&nothing, 2, &facts(), &[]), None);
    let verdict = judge_so_far(&nothing, 50, &facts(), &[]).expect("a verdict");
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
    facts.thresholds.gpu_util_critical = 0.01;
    let verdict = judge(&span(9.0, SLOW_READERS), &facts, None, &[]).expect("enough batches");
    assert_eq!(verdict.severity, Severity::Good);
}

#[test]
fn remedies_fit_the_input() {
    let check = |change: fn(&mut RunFacts), expect: &str| {
        let mut facts = facts();
        change(&mut facts);
        let verdict = judge(&span(9.0, SLOW_READERS), &facts, None, &[]).expect("enough batches");
        let remedy = verdict.remedy.expect("a remedy");
        assert!(remedy.contains(expect), "{remedy}");
    };
    check(|facts| facts.is_stream = true, "name files");
    check(|facts| facts.is_shareable = false, "compress with bgzip");
    check(
        |facts| {
            facts.is_shareable = false;
            facts.n_readers = 4;
        },
        "(0.9 readers had something to read, on average)",
    );
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
    // On a CPU full batches gain nothing, but padding costs something.
    let mut on_cpu = facts;
    on_cpu.lanes[0].gpu = None;
    assert_eq!(fill_remark(0.5, 100, &on_cpu), None);
    on_cpu.is_packed = false;
    let remark = fill_remark(0.5, 100, &on_cpu).expect("a remark");
    assert!(
        remark.ends_with("take `packing: true`, which leaves no padding"),
        "{remark}"
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
