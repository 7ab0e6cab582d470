//! What figures count, and how that is worded.

use super::table::{grouped, rate};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whole things: what one of them is called, and what several are.
    Count(&'static str, &'static str),
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// From 0 to 1.
    Share,
    /// From -1 to 1, and near 1.
    Cosine,
    /// Useful floating-point operations, in millions of millions a second.
    Tflops,
    /// A number in the unit of this name.
    Number(&'static str),
    /// No number.
    Text,
}

use Unit::{Bytes, Cosine, Count, Number, Seconds, Share, Text, Tflops};

impl Unit {
    /// The unit as the documentation writes it.
    pub fn name(self) -> &'static str {
        match self {
            Count(_, several) => several,
            Bytes => "bytes",
            Seconds => "s",
            Share => "share",
            Cosine => "cosine",
            Tflops => "TFLOP/s",
            Number(unit) => unit,
            Text => "",
        }
    }

    /// A value for people, with the unit where it is no number without one, and the unit.
    pub(super) fn shown(self, value: f64) -> (String, &'static str) {
        match self {
            Count(one, several) => {
                let unit = if value == 1.0 { one } else { several };
                (grouped(value as u64), unit)
            }
            Bytes if value < 1e9 => (format!("{:.0} MB", value / 1e6), "MB"),
            Bytes => (format!("{:.2} GB", value / 1e9), "GB"),
            Seconds => (format!("{value:.2} s"), "s"),
            Share => (format!("{:.1}%", value * 100.0), "%"),
            // One that is not enough does not look as if it were.
            Cosine => (format!("{:.5}", (value * 1e5).floor() / 1e5), "cosine"),
            // CPUs count in thousandths.
            Tflops if value < 1.0 => (rate(1e3 * value), "GFLOP/s"),
            _ => (rate(value), self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_their_unit() {
        let check = |unit: Unit, value: f64, expect: (&str, &str)| {
            let (shown, unit) = unit.shown(value);
            assert_eq!((&*shown, unit), expect);
        };
        check(Count("batch", "batches"), 1.0, ("1", "batch"));
        check(Count("batch", "batches"), 1_234.0, ("1,234", "batches"));
        check(Bytes, 123_400_000.0, ("123 MB", "MB"));
        check(Bytes, 2.345e9, ("2.35 GB", "GB"));
        check(Share, 0.987, ("98.7%", "%"));
        check(Cosine, 0.998_999_9, ("0.99899", "cosine"));
        check(Tflops, 0.0612, ("61.2", "GFLOP/s"));
        check(Tflops, 512.0, ("512", "TFLOP/s"));
        check(Number("J"), 1_700.2, ("1,700", "J"));
    }
}
