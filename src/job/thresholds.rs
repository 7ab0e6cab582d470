//! From which figures on a run counts as held back.

use super::{OptionMap, Problems, options::OptionReader};

/// From which figures on a run counts as held back. Shares are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Below this utilisation the matter is critical.
    pub gpu_util_critical: f64,
    /// Below this one it is mild.
    pub gpu_util_mild: f64,
    /// More idle time of the encoder than this is a bottleneck somewhere else.
    pub gpu_idle: f64,
    /// More idle time than this is worth a remark.
    pub gpu_idle_goal: f64,
    /// A longer mean wait for a batch than this is worth a remark, in milliseconds.
    pub wait_ms: f64,
    /// Batches that are less full than this are worth a remark.
    pub fill: f64,
}

impl Thresholds {
    /// Every threshold's name in scripts.
    pub const NAMES: [&str; 6] = [
        "gpu_util_critical",
        "gpu_util_mild",
        "gpu_idle",
        "gpu_idle_goal",
        "wait_ms",
        "fill",
    ];

    /// The thresholds that a script gave; the others keep their defaults.
    ///
    /// # Errors
    /// Every threshold that is unknown, of the wrong type or out of range, and pairs in the wrong
    /// order.
    pub fn from_map(map: OptionMap) -> Result<Self, Problems> {
        let mut read = OptionReader::new(map, &Self::NAMES);
        let mut thresholds = Self::default();
        for (name, threshold, most) in [
            ("gpu_util_critical", &mut thresholds.gpu_util_critical, 1.0),
            ("gpu_util_mild", &mut thresholds.gpu_util_mild, 1.0),
            ("gpu_idle", &mut thresholds.gpu_idle, 1.0),
            ("gpu_idle_goal", &mut thresholds.gpu_idle_goal, 1.0),
            ("wait_ms", &mut thresholds.wait_ms, 1e9),
            ("fill", &mut thresholds.fill, 1.0),
        ] {
            if let Some(value) = read.number(name, 0.0..=most) {
                *threshold = value;
            }
        }
        let mut problems = Problems::default();
        for (lower, low, upper, high) in [
            (
                "gpu_util_critical",
                thresholds.gpu_util_critical,
                "gpu_util_mild",
                thresholds.gpu_util_mild,
            ),
            (
                "gpu_idle_goal",
                thresholds.gpu_idle_goal,
                "gpu_idle",
                thresholds.gpu_idle,
            ),
        ] {
            if low > high {
                problems.add_option(
                    lower,
                    format!("`{lower}` is {low}, which is more than `{upper}`, {high}"),
                    None,
                );
            }
        }
        let thresholds = read.finish(thresholds)?;
        problems.none_or(thresholds)
    }

    /// All of them by name, in the order of [`NAMES`](Self::NAMES).
    pub fn values(&self) -> [(&'static str, f64); 6] {
        let values = [
            self.gpu_util_critical,
            self.gpu_util_mild,
            self.gpu_idle,
            self.gpu_idle_goal,
            self.wait_ms,
            self.fill,
        ];
        std::array::from_fn(|n| (Self::NAMES[n], values[n]))
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            gpu_util_critical: 0.50,
            gpu_util_mild: 0.80,
            gpu_idle: 0.10,
            gpu_idle_goal: 0.05,
            wait_ms: 5.0,
            fill: 0.85,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;
    use crate::job::OptionValue::{self, *};

    fn read(options: &[(&str, OptionValue)]) -> Result<Thresholds, String> {
        let map = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        Thresholds::from_map(map).map_err(|problems| problems.in_full())
    }

    #[test]
    fn thresholds_are_read_and_ordered() {
        assert_eq!(read(&[]), Ok(Thresholds::default()));
        let changed = read(&[("gpu_idle", Decimal(0.3)), ("wait_ms", Whole(20))]);
        let expect = Thresholds {
            gpu_idle: 0.3,
            wait_ms: 20.0,
            ..Thresholds::default()
        };
        assert_eq!(changed, Ok(expect));
        let check = |name: &str, value: OptionValue, expect: &str| {
            let message = read(&[(name, value)]).unwrap_err();
            assert!(message.contains(expect), "{message}");
        };
        check("gpu_idel", Decimal(0.1), "did you mean `gpu_idle`?");
        check("fill", Whole(85), "but must be a number from 0 to 1");
        check("gpu_util_mild", Decimal(0.4), "more than `gpu_util_mild`");
    }
}
