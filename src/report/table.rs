//! A run's figures as text for people.

use super::RunSummary;
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

impl RunSummary {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut records = format!("{} read", grouped(self.records));
        if self.rejected > 0 {
            records += &format!(", {} rejected", grouped(self.rejected));
        }
        if self.truncated > 0 {
            records += &format!(", {} truncated", grouped(self.truncated));
        }
        let mut lines = vec![
            ("records", records),
            (
                "tokens",
                format!(
                    "{} in {}, {:.1}% of {} filled",
                    grouped(self.tokens),
                    counted(self.batches, "batch", "batches"),
                    self.packing_fill * 100.0,
                    grouped(self.token_budget as u64)
                ),
            ),
            (
                "speed",
                format!(
                    "{} sequences/s, {} tokens/s, {} residues/s",
                    rate(self.sequences_per_sec()),
                    rate(self.tokens_per_sec()),
                    rate(self.residues_per_sec())
                ),
            ),
            (
                "time",
                format!(
                    "{:.2} s; the encoder computed {:.2} s and waited {:.2} s",
                    self.seconds, self.encoder_seconds, self.wait_seconds
                ),
            ),
            (
                "readers",
                format!(
                    "{}, {} restarted; prefetch {}",
                    self.readers, self.reader_restarts, self.prefetch
                ),
            ),
            (
                "memory",
                format!("{:.0} MB at most", self.peak_memory_bytes as f64 / 1e6),
            ),
        ];
        if let (Some(gpu), Some(idle)) = (self.gpu, self.gpu_idle()) {
            let mut figures = format!("idle {:.1}%", idle * 100.0);
            if let Some(hidden) = self.upload_hidden() {
                figures += &format!(", uploads {:.1}% hidden", hidden * 100.0);
            }
            figures += &format!(", {:.2} GB taken", gpu.memory_bytes as f64 / 1e9);
            lines.push(("GPU", figures));
        }
        if let Some(tflops) = self.tflops {
            let (rate, unit) = flops(tflops);
            let mut figures = format!("{rate} useful {unit} while computing");
            if let Some(mfu) = self.mfu {
                figures += &format!(", MFU {:.1}%", mfu * 100.0);
            }
            if let Some(utilization) = self.gpu_utilization {
                figures += &format!(", GPU utilization {:.0}%", utilization * 100.0);
            }
            lines.push(("encoder", figures));
        }
        if let Some(bottleneck) = &self.bottleneck {
            let severity = bottleneck.severity.name();
            lines.push(("verdict", format!("{severity}: {bottleneck}")));
        }
        for remark in &self.details.remarks {
            lines.push(("remark", remark.clone()));
        }
        if let Some(output) = &self.output {
            let text = format!("{} (vectors of {})", output.display(), self.hidden_size);
            lines.push(("output", text));
        }
        if let Some(rejects) = &self.rejects {
            lines.push(("rejects", rejects.display().to_string()));
        }
        lines
    }
}

/// A rate of floating-point operations, and its unit: CPUs count in thousandths.
pub(super) fn flops(tflops: f64) -> (String, &'static str) {
    if tflops < 1.0 {
        (rate(1e3 * tflops), "GFLOP/s")
    } else {
        (rate(tflops), "TFLOP/s")
    }
}

/// "1 batch", "1,234 batches".
pub(super) fn counted(number: u64, singular: &str, plural: &str) -> String {
    let noun = if number == 1 { singular } else { plural };
    format!("{} {noun}", grouped(number))
}

/// A rate with as many digits as mean something.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 100.0 {
        format!("{per_second:.1}")
    } else {
        grouped(per_second.round() as u64)
    }
}

/// The beginning of a text, marked if it is not all of it.
pub(super) fn cut(text: &str, most_chars: usize) -> String {
    match text.char_indices().nth(most_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A whole number with its thousands set apart: 1,234,567.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        meter::{Bottleneck, Severity, Stage},
        report::RunDetails,
    };
    use std::{path::PathBuf, sync::Arc};

    fn summary() -> RunSummary {
        RunSummary {
            model: "esm2_t6".to_owned(),
            device: "CPU (2 threads)".to_owned(),
            dtype: "f32".to_owned(),
            hidden_size: 160,
            readers: 2,
            prefetch: 4,
            token_budget: 32_768,
            records: 1_234_567,
            sequences: 1_234_560,
            rejected: 7,
            truncated: 0,
            residues: 400_000,
            tokens: 402_000,
            batches: 1,
            packing_fill: 0.987,
            seconds: 20.0,
            encoder_seconds: 18.5,
            wait_seconds: 0.5,
            tflops: Some(0.0612),
            mfu: None,
            gpu_utilization: None,
            gpu: None,
            reader_restarts: 0,
            peak_memory_bytes: 123_400_000,
            output: Some(PathBuf::from("out/a.parquet")),
            rejects: None,
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
 output   out/a.parquet (vectors of 160)";
        assert_eq!(summary().to_string(), expect);
    }

    #[test]
    fn thousands_are_set_apart() {
        let check = |number: u64, expect: &str| assert_eq!(grouped(number), expect);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(u64::MAX, "18,446,744,073,709,551,615");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("αβγ", 3), "αβγ");
        assert_eq!(cut("αβγδ", 3), "αβγ…");
    }
}
