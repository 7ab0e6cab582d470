//! How a verdict words numbers.

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// A rate for a sentence: 1.1 M, 320 k, 85.
pub(super) fn rate(per_second: f64) -> String {
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
