//! From which figures on a run counts as held back.

use super::{OptionMap, OptionTable, OptionValue, Problems, row::OptionRow};

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

type Row = OptionRow<Thresholds>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    share("gpu_util_critical", |to, share| to.gpu_util_critical = share, |of| of.gpu_util_critical.into())
        .doc("below this utilisation of the GPU the matter is critical"),
    share("gpu_util_mild", |to, share| to.gpu_util_mild = share, |of| of.gpu_util_mild.into())
        .doc("below this one it is mild"),
    share("gpu_idle", |to, share| to.gpu_idle = share, |of| of.gpu_idle.into())
        .doc("more idle time of the encoder than this is a bottleneck somewhere else"),
    share("gpu_idle_goal", |to, share| to.gpu_idle_goal = share, |of| of.gpu_idle_goal.into())
        .doc("more idle time than this is worth a remark"),
    Row::number("wait_ms", 0.0..=1e9, |to, wait| to.wait_ms = wait, |of| of.wait_ms.into())
        .doc("a longer mean wait for a batch than this is worth a remark, in milliseconds"),
    share("fill", |to, share| to.fill = share, |of| of.fill.into())
        .doc("batches that are less full than this are worth a remark"),
];

const fn share(
    name: &'static str,
    set: fn(&mut Thresholds, f64),
    get: fn(&Thresholds) -> OptionValue,
) -> Row {
    Row::number(name, 0.0..=1.0, set, get)
}

impl Thresholds {
    /// Every threshold, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: Self::default,
    };

    /// The thresholds that a script gave; the others keep their defaults.
    ///
    /// # Errors
    /// Every threshold that is unknown, of the wrong type or out of range, and pairs in the wrong
    /// order.
    pub fn from_map(map: OptionMap) -> Result<Self, Problems> {
        let thresholds = Self::OPTIONS.read(map)?;
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
        problems.none_or(thresholds)
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
    use crate::job::OptionValue::*;

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
