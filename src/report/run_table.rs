//! A run's figures as text for people.

use super::{
    RunSummary,
    figure::{FIGURES, Figure},
    lane::LaneSummary,
    lane_figure::LANE_FIGURES,
    table::counted,
};
use crate::text::printable;
use comfy_table::{Table, presets::NOTHING};
use std::fmt;

impl fmt::Display for RunSummary {
    /// A headline and one line a subject, aligned, readable without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            model,
            device,
            dtype,
            ..
        } = self;
        writeln!(
            f,
            "embedded {} with {}, {dtype} on {device}",
            counted(self.sequences, "sequence", "sequences"),
            printable(model)
        )?;
        let mut table = Table::new();
        table.load_style(NOTHING);
        for (subject, figures) in self.lines() {
            table.add_row([subject, &*printable(&figures)]);
        }
        write!(f, "{}", table.trim_fmt())
    }
}

/// What the lines are about, from top to bottom. Figures say in which one they stand.
const SUBJECTS: [&str; 15] = [
    "records", "tokens", "speed", TIME, "readers", "memory", "devices", "GPU", "encoder",
    "accuracy", LANE, VERDICT, REMARK, "output", "rejects",
];
const LANE: &str = "lane";
const TIME: &str = "time";
const VERDICT: &str = "verdict";
const REMARK: &str = "remark";

impl RunSummary {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        for subject in SUBJECTS {
            match subject {
                VERDICT => lines.extend(self.bottleneck.as_ref().map(|bottleneck| {
                    let severity = bottleneck.severity.name();
                    (subject, format!("{severity}: {bottleneck}"))
                })),
                // What is said of an only lane is said of the run.
                LANE if self.lanes.len() > 1 => {
                    let lanes = self.lanes.iter().map(|lane| LaneSummary {
                        device: lane.name(),
                        ..lane.clone()
                    });
                    let figures =
                        lanes.filter_map(|lane| figures_about(LANE_FIGURES, subject, &lane));
                    lines.extend(figures.map(|text| (subject, text)));
                }
                REMARK => {
                    let remarks = self.details.remarks.iter();
                    lines.extend(remarks.map(|remark| (subject, remark.clone())));
                }
                TIME => {
                    let added_up = match self.lanes.iter().filter(|lane| lane.batches > 0).count() {
                        0 | 1 => String::new(),
                        several => format!(", added up over {several} devices"),
                    };
                    let figures = figures_about(FIGURES, subject, self);
                    lines.extend(figures.map(|text| (subject, format!("{text}{added_up}"))));
                }
                _ => {
                    let figures = figures_about(FIGURES, subject, self);
                    lines.extend(figures.map(|text| (subject, text)));
                }
            }
        }
        lines
    }
}

/// The phrases of a line, unless its first one is missing.
fn figures_about<T>(figures: &[Figure<T>], subject: &str, of: &T) -> Option<String> {
    let place = |figure: &Figure<T>| {
        let phrase = figure.phrase.filter(|phrase| phrase.subject == subject);
        phrase.map(|phrase| phrase.place)
    };
    let mut figures: Vec<_> = figures.iter().filter(|f| place(f).is_some()).collect();
    figures.sort_by_key(|figure| place(figure));
    let (first, others) = figures.split_first()?;
    let mut text = first.worded(of)?;
    text.extend(others.iter().filter_map(|figure| figure.worded(of)));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        meter::{Bottleneck, Severity, Stage},
        report::{LaneSummary, RunDetails},
    };
    use std::{path::PathBuf, sync::Arc};

    fn summary() -> RunSummary {
        RunSummary {
            model: "esm2_t6".to_owned(),
            device: "CPU (2 threads)".to_owned(),
            dtype: "f32".to_owned(),
            hidden_size: 160,
            columns: "embedding [160]".to_owned(),
            readers: 2,
            prefetch: 4,
            token_budget: 32_768,
            records: 1_234_567,
            sequences: 1_234_560,
            rejected: 7,
            residues: 400_000,
            tokens: 402_000,
            batches: 1,
            packing_fill: 0.987,
            seconds: 20.0,
            encoder_seconds: 18.5,
            wait_seconds: 0.5,
            tflops: Some(0.0612),
            peak_memory_bytes: 123_400_000,
            output: Some(PathBuf::from("out/a.parquet")),
            bottleneck: Some(Bottleneck {
                stage: Stage::Reading,
                severity: Severity::Mild,
                message: "readers are slow".to_owned(),
                remedy: Some("raise `readers`".to_owned()),
            }),
            details: Arc::new(RunDetails {
                remarks: vec!["batches have room".to_owned()],
                ..RunDetails::default()
            }),
            ..RunSummary::default()
        }
    }

    #[test]
    fn a_run_as_a_table() {
        let expect = "\
embedded 1,234,560 sequences with esm2_t6, f32 on CPU (2 threads)
 records  1,234,567 read, 7 rejected
 tokens   402,000 in 1 batch, 98.7% of 32,768 filled
 speed    61,728 sequences/s, 20,100 tokens/s, 20,000 residues/s
 time     20.00 s; the encoder computed 18.50 s and waited 0.50 s
 readers  2, 0 restarted; prefetch 4
 memory   123 MB at most
 encoder  61.2 useful GFLOP/s while computing
 verdict  mild: readers are slow: raise `readers`
 remark   batches have room
 output   out/a.parquet (embedding [160])";
        assert_eq!(summary().to_string(), expect);
    }

    #[test]
    fn a_run_on_a_gpu_has_lines_of_its_own() {
        let mut run = RunSummary {
            truncated: 3,
            resumed: 4_000,
            mfu: Some(0.5184),
            gpu_utilization: Some(0.9),
            gpu: RunSummary::made_up(true).gpu,
            ..summary()
        };
        let expect = [
            " records  1,234,567 read, 7 rejected, 3 truncated, 4,000 there before",
            " GPU      idle 0.1%, uploads 90.0% hidden, 1.07 GB taken",
            " encoder  61.2 useful GFLOP/s while computing, MFU 51.8%, GPU utilization 90.0%",
        ];
        let text = run.to_string();
        for line in expect {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        run.tflops = None;
        assert!(!run.to_string().contains("MFU"), "nothing begins its line");
    }

    #[test]
    fn every_figure_that_is_worded_has_a_line() {
        for phrase in FIGURES.iter().filter_map(|figure| figure.phrase) {
            assert!(SUBJECTS.contains(&phrase.subject), "{phrase:?}");
        }
    }

    #[test]
    fn several_lanes_have_a_line_each() {
        let mut run = summary();
        let lane = |device: &str| LaneSummary {
            device: device.to_owned(),
            token_share: 0.5,
            tokens_per_sec: 10_050.0,
            encoder_seconds: 18.0,
            tokens: 201_000,
            encoder_idle: Some(0.1),
            gpu_power_watts: Some(655.2),
            energy_joules: Some(13_100.0),
            ..LaneSummary::default()
        };
        run.lanes = vec![lane("cuda:0")];
        assert!(!run.to_string().contains("cuda:0"));
        run.lanes.push(lane("cuda:1"));
        let text = run.to_string();
        let lanes = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("lane "));
        let lanes: Vec<_> = lanes.map(str::trim).collect();
        let expect = "cuda:0: 50.0% of the tokens, 10,050 tokens/s (11,167 while computing), idle 10.0%, \
                      655 W, 13,100 J (15.3 tokens/J)";
        assert_eq!(
            lanes,
            [expect.to_owned(), expect.replace("cuda:0", "cuda:1")]
        );
    }
}
