use super::{section::MOST_STRETCHES, *};
use crate::{
    job::Thresholds,
    meter::{Bottleneck, Measured, Metric, Sample, Severity, Stage, StageTime},
    report::{GpuSummary, LaneSummary, LengthHistogram, RejectedRecord, RunDetails, StretchOfWork},
};
use std::{path::PathBuf, sync::Arc};

/// What would run, load or break out if it were not escaped.
const HOSTILE: &str = "<script>alert(\"1\")</script>'&\"><svg><section><table>";

/// Samples of a second each. Without a GPU, only what every machine measures.
fn timeline(n_samples: usize, has_gpu: bool) -> Vec<Sample> {
    let all: Vec<Metric> = Metric::all()
        .filter(|metric| has_gpu || !metric.name().starts_with("gpu"))
        .collect();
    (1..=n_samples)
        .map(|n| {
            let mut sample = Sample::new(1.0);
            for (place, metric) in all.iter().enumerate() {
                // Values that change from sample to sample take most room.
                let value = (n * (place + 7) * 7_919 % 1_000) as f64 / 1_000.0;
                sample.set(*metric, value);
            }
            sample.set(Metric::Seconds, n as f64);
            sample
        })
        .collect()
}

fn details(n_samples: usize, has_gpu: bool) -> RunDetails {
    let mut lengths = LengthHistogram::default();
    for length in [30, 64, 300, 310, 1_022] {
        lengths.add(length);
    }
    let time = StageTime {
        working: 1.0,
        starved: 2.0,
        blocked: 1.0,
    };
    RunDetails {
        inputs: "a.fa".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        settings: vec![("readers", "2".to_owned())],
        thresholds: Thresholds::default(),
        stages: [time; 5],
        timeline: timeline(n_samples, has_gpu),
        lengths,
        scores: None,
        rejections: rejections(3, "empty sequence"),
        stretches: Vec::new(),
        remarks: vec!["batches were 60% full".to_owned()],
    }
}

fn rejections(n_records: u64, reason: &str) -> Vec<RejectedRecord> {
    (1..=n_records)
        .map(|ordinal| RejectedRecord {
            ordinal,
            id: format!("id {ordinal}"),
            reason: reason.to_owned(),
        })
        .collect()
}

fn summary(has_gpu: bool, details: RunDetails) -> RunSummary {
    RunSummary {
        model: "esm2_t6".to_owned(),
        device: "a device".to_owned(),
        dtype: "f32".to_owned(),
        hidden_size: 160,
        columns: "embedding [160]".to_owned(),
        readers: 2,
        prefetch: 4,
        token_budget: 4_096,
        records: 12_345,
        sequences: 12_342,
        rejected: 3,
        residues: 400_000,
        tokens: 402_000,
        batches: 100,
        packing_fill: 0.987,
        seconds: 20.0,
        encoder_seconds: 18.5,
        wait_seconds: 0.5,
        gpu: has_gpu.then_some(GpuSummary {
            idle_seconds: 1.5,
            ..GpuSummary::default()
        }),
        peak_memory_bytes: 123_400_000,
        output: Some(PathBuf::from("out/a.parquet")),
        bottleneck: Some(Bottleneck {
            stage: Stage::Reading,
            severity: Severity::Mild,
            message: "readers are slow".to_owned(),
            remedy: Some("take more `readers`".to_owned()),
        }),
        tflops: has_gpu.then_some(512.0),
        mfu: has_gpu.then_some(0.518),
        gpu_utilization: has_gpu.then_some(0.9),
        details: Arc::new(details),
        ..RunSummary::default()
    }
}

fn run(title: &str, outcome: Result<RunSummary, String>) -> PageRun {
    PageRun {
        title: title.to_owned(),
        outcome: outcome.map_err(|error| Failure {
            error,
            so_far: None,
        }),
    }
}

fn stretch(words: &str, rows: Option<u64>) -> StretchOfWork {
    StretchOfWork {
        started: words.to_owned(),
        host: words.to_owned(),
        pid: 4711,
        device: words.to_owned(),
        rows,
        seconds: rows.map(|_| 754.0),
        lost_rows: 123_456,
    }
}

fn gpu_run() -> PageRun {
    run("gpu run", Ok(summary(true, details(20, true))))
}

/// A run with so many GPUs, of which the second one is slow and the third one failed half way.
fn run_of_lanes(n_lanes: usize, n_samples: usize) -> PageRun {
    let mut details = details(n_samples, true);
    for (n, sample) in details.timeline.iter_mut().enumerate() {
        let lanes = (0..n_lanes).map(|lane| {
            let mut measured = Measured::default();
            let speed = if lane == 1 { 300_000.0 } else { 400_000.0 };
            if lane != 2 || n < n_samples / 2 {
                for (place, metric) in Metric::all().filter(|m| m.is_of_lane()).enumerate() {
                    let value = (n * (place + lane + 7) * 7_919 % 1_000) as f64 / 1_000.0;
                    measured.set(metric, value);
                }
                let noise = ((n * 31 + lane * 17) % 40) as f64 * 1_000.0;
                measured.set(Metric::TokensPerSec, speed + noise);
                measured.set(Metric::EncoderIdle, 0.02 + ((n + lane) % 7) as f64 * 0.01);
                measured.set(
                    Metric::GpuPowerWatts,
                    600.0 + lane as f64 * 10.0 + (n % 13) as f64,
                );
                measured.set(Metric::GpuSmClockMhz, 1_900.0 - speed / 1e3);
            }
            measured
        });
        sample.set_lanes(lanes.collect());
    }
    let mut summary = summary(true, details);
    let lane = |lane: usize| LaneSummary {
        device: format!("cuda:{lane}"),
        has_failed: lane == 2,
        tokens: if lane == 1 {
            30_000
        } else {
            40_000 + lane as u64
        },
        token_share: 1.0 / n_lanes as f64,
        tokens_per_sec: 402_123.0,
        encoder_seconds: 18.0,
        encoder_idle: Some(0.02),
        gpu_utilization: (lane != 2).then_some(0.98),
        gpu_power_watts: Some(655.0),
        gpu_memory_bytes: Some(12_345_678_901),
        energy_joules: Some(13_100.0),
        ..LaneSummary::default()
    };
    summary.lanes = (0..n_lanes).map(lane).collect();
    run(&format!("{n_lanes} GPUs"), Ok(summary))
}

fn failed_run() -> PageRun {
    run("failed run", Err("cannot read `a.fa`".to_owned()))
}

/// Checks what holds for every page, and returns it.
fn checked(runs: &[PageRun]) -> String {
    let page = page("job.rhai", runs);
    assert!(page.starts_with("<!doctype html>"), "{page}");
    for missing in ["<script", "http", "url(", "@import", "src=", "NaN", "inf\""] {
        assert!(!page.contains(missing), "{missing} is in {page}");
    }
    for tag in ["svg", "section", "table", "figure", "dl", "div", "ul", "tr"] {
        let opened =
            page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    page
}

fn has_all(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

#[test]
fn a_page_tells_how_runs_went() {
    let cpu = run("cpu run", Ok(summary(false, details(20, false))));
    let page = checked(&[gpu_run(), cpu, failed_run()]);
    has_all(
        &page,
        &[
            "3 runs, 1 failed.",
            "<a href=\"#run-1\">gpu run</a>",
            "<section id=\"run-3\">",
            "Mild bottleneck.",
            "Readers are slow. Take more `readers`.",
            "<li>Batches were 60% full.</li>",
            "Failed.",
            "cannot read `a.fa`",
            "51.8%",
            "3 records were not embedded.",
        ],
    );
    let charts = |title: &str| page.matches(&format!("<b>{title}</b>")).count();
    assert_eq!(charts("Utilisation"), 2);
    assert_eq!(charts("GPU power in W"), 1);
    assert_eq!(page.matches("mild below 80%").count(), 2);
}

#[test]
fn several_lanes_have_a_table_and_lines_of_their_own() {
    let one = checked(&[run_of_lanes(1, 20)]);
    for missing in ["by device", "class=\"lanes\"", "<h3>Devices</h3>"] {
        assert!(!one.contains(missing), "{missing}");
    }
    assert!(one.contains("<b>GPU power in W</b>"));
    let three = checked(&[run_of_lanes(3, 20)]);
    has_all(
        &three,
        &[
            "<h3>Devices</h3>",
            "<i class=\"l1\"></i>cuda:1</td>",
            "cuda:2 failed",
            "<td class=\"n\" data-name=\"share of tokens\">33.3%</td>",
            "<td class=\"n\" data-name=\"utilisation\">–</td>",
            "<b>Tokens per second, by device</b>",
            "cuda:1, mean 3",
            "<b>Encoder busy, by device</b>",
            "<b>GPU power in W, by device</b>",
            "Encoding and collecting are the sums of 3 devices.",
        ],
    );
    assert!(!three.contains("<b>GPU power in W</b>"));
    let lines =
        |page: &str, ink: &str| page.matches(&format!("<path class=\"{ink} line\"")).count();
    assert_eq!(
        ["l0", "l1", "l2", "l3"].map(|ink| lines(&three, ink)),
        [4, 4, 4, 0]
    );
    // Of more than the eye can tell apart those that embedded least are drawn.
    let many = checked(&[run_of_lanes(16, 20)]);
    assert_eq!(many.matches(">cuda:15</td>").count(), 1, "in the table");
    assert!(!many.contains("cuda:15, mean"), "not in the charts");
    assert!(many.contains("the 8 of 16 that embedded least"));
    // Nothing of a GPU is known on the mock device.
    let mut bare = run_of_lanes(2, 0);
    if let Ok(summary) = &mut bare.outcome {
        for lane in &mut summary.lanes {
            lane.gpu_power_watts = None;
        }
    }
    assert!(!checked(&[bare]).contains("mean W"));
}

#[test]
fn figures_stand_in_two_lines_however_many_there_are() {
    let cpu = run("cpu run", Ok(summary(false, details(20, false))));
    let page = checked(&[gpu_run(), cpu]);
    for list in page.split("class=\"tiles n").skip(1) {
        let class = list.split('"').next().unwrap();
        assert!(
            page.contains(&format!(".n{class}{{--n:{class}}}")),
            "{class}"
        );
    }
}

#[test]
fn a_page_of_one_run_has_no_table_of_contents() {
    assert!(!checked(&[gpu_run()]).contains("class=\"runs\""));
    assert!(checked(&[gpu_run(), gpu_run()]).contains("class=\"runs\""));
}

#[test]
fn a_page_escapes_what_comes_from_outside() {
    let mut details = details(20, true);
    details.inputs = HOSTILE.to_owned();
    details.started = HOSTILE.to_owned();
    details.settings.push(("output", HOSTILE.to_owned()));
    details.rejections.extend(rejections(1, HOSTILE));
    details.rejections[0].id = HOSTILE.to_owned();
    details.remarks.push(HOSTILE.to_owned());
    details.stretches = vec![stretch(HOSTILE, Some(1))];
    let mut hostile = summary(true, details);
    hostile.model = HOSTILE.to_owned();
    hostile.device = HOSTILE.to_owned();
    hostile.output = Some(PathBuf::from(HOSTILE));
    hostile.rejects = Some(PathBuf::from(HOSTILE));
    hostile.bottleneck = Some(Bottleneck {
        stage: Stage::Reading,
        severity: Severity::Critical,
        message: HOSTILE.to_owned(),
        remedy: Some(HOSTILE.to_owned()),
    });
    let runs = [
        run(HOSTILE, Ok(hostile)),
        run(HOSTILE, Err(HOSTILE.to_owned())),
    ];
    // Tags would not be balanced.
    let text = checked(&runs);
    assert!(text.matches("&lt;script&gt;alert(&quot;1&quot;)").count() > 12);
    assert!(page(HOSTILE, &[]).contains("<h1>&lt;script&gt;"));
}

#[test]
fn a_run_that_went_on_shows_each_stretch() {
    let rows = |page: &str| page.matches("4711 on node").count();
    let with = |stretches: Vec<StretchOfWork>| {
        let mut details = details(20, false);
        details.stretches = stretches;
        checked(&[run("went on", Ok(summary(false, details)))])
    };
    let page = with(vec![
        stretch("node1", Some(7_654_321)),
        stretch("node2", None),
    ]);
    has_all(
        &page,
        &[
            "Stretches of work",
            "2 processes worked on the output.",
            "4711 on node1",
            "7,654,321",
            "123,456",
            "<td class=\"n\">–</td>",
        ],
    );
    assert_eq!(rows(&page), 2);
    assert_eq!(
        rows(&with(vec![stretch("node", Some(1)); 100])),
        MOST_STRETCHES
    );
    assert!(!with(Vec::new()).contains("Stretches of work"));
}

#[test]
fn a_page_stays_small() {
    let long = "\"".repeat(5_000);
    let mut details = details(600, true);
    details.settings = vec![("pattern", long.clone()); 100];
    details.remarks = vec![long.clone(); 100];
    details.rejections = rejections(100, &long);
    details.stretches = vec![stretch(&long, Some(1)); 100];
    let huge = summary(true, details);
    let runs: Vec<PageRun> = (0..50).map(|_| run(&long, Ok(huge.clone()))).collect();
    let page = checked(&runs);
    assert!(page.matches("<section").count() > 3, "{page}");
    has_all(
        &page,
        &["50 runs. The page shows the last", "id=\"run-50\""],
    );
    assert!(!page.contains("#run-1\""), "its section has no room");

    let failures: Vec<PageRun> = (0..10_000).map(|_| failed_run()).collect();
    assert!(checked(&failures).contains("The table lists the last 200."));
}

#[test]
fn as_many_runs_as_usual_are_shown_in_full() {
    let mut details = details(600, true);
    details.rejections = rejections(100, "9 residues, fewer than min_length 30");
    let usual = summary(true, details);
    let runs: Vec<PageRun> = (0..50)
        .map(|_| run("uniref50.fa.gz with esm2_t33_650M", Ok(usual.clone())))
        .collect();
    let page = checked(&runs);
    assert_eq!(page.matches("<section").count(), MOST_SECTIONS);
    let lanes: Vec<PageRun> = (0..50).map(|_| run_of_lanes(8, 600)).collect();
    assert_eq!(checked(&lanes).matches("<section").count(), MOST_SECTIONS);
}

#[test]
fn a_page_does_without_what_was_not_measured() {
    assert!(checked(&[]).contains("No run has ended."));
    let mut bare = summary(false, RunDetails::default());
    bare.bottleneck = None;
    bare.rejected = 0;
    bare.seconds = 0.0;
    let page = checked(&[run("bare", Ok(bare))]);
    has_all(
        &page,
        &["Finished.", "The run was too short for a timeline."],
    );
    for missing in [
        "MFU",
        "GPU idle",
        "Sequences by length",
        "Rejected records",
        "<figure",
    ] {
        assert!(!page.contains(missing), "{missing} is in {page}");
    }
}

#[test]
fn a_metric_that_is_measured_now_and_then_has_gaps() {
    let mut details = details(0, false);
    for n in 1..=9 {
        let mut sample = Sample::new(1.0);
        sample.set(Metric::Seconds, f64::from(n));
        let value = (n % 3 > 0).then_some(f64::from(n) * 1_000.0);
        sample.set(Metric::TokensPerSec, value);
        details.timeline.push(sample);
    }
    let page = checked(&[run("gaps", Ok(summary(false, details)))]);
    assert_eq!(page.matches("<path class=\"first line\"").count(), 3);
    assert_eq!(page.matches("<figure>").count(), 2, "speed and lengths");
}

#[test]
fn a_run_that_failed_half_way_shows_how_far_it_came() {
    let failed = PageRun {
        title: "half".to_owned(),
        outcome: Err(Failure {
            error: "the disk is full".to_owned(),
            so_far: Some(Box::new(summary(true, details(20, true)))),
        }),
    };
    let page = checked(&[failed]);
    for part in [
        "the disk is full",
        "Nothing was published. Until it failed, the run had embedded",
        "Time by stage",
        "GPU power in W",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains(">good<"), "it is no success");
}
