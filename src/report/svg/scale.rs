//! How far along an axis a value lies.

/// From values to places on an axis.
pub(super) struct Scale {
    from: f64,
    to: f64,
    is_logarithmic: bool,
}

impl Scale {
    /// From 0 to `to`, evenly.
    pub(super) fn linear(to: f64) -> Self {
        Self::between(0.0, to)
    }

    /// From `from` to `to`, evenly.
    pub(super) fn between(from: f64, to: f64) -> Self {
        Self {
            from,
            to,
            is_logarithmic: false,
        }
    }

    /// Values as far apart as their ratios say. Both ends are above 0.
    pub(super) fn logarithmic(from: f64, to: f64) -> Self {
        Self {
            from,
            to,
            is_logarithmic: true,
        }
    }

    /// How far along the axis a value is, from 0 to 1. What lies beyond an end is at that end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.is_logarithmic {
            true => (value / self.from).ln() / (self.to / self.from).ln(),
            false => (value - self.from) / (self.to - self.from),
        };
        place.clamp(0.0, 1.0)
    }
}

/// The first of …, 0.5, 1, 2, 5, 10, 20, … that is not below `least`.
pub(in crate::report) fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let steps = [power, 2.0 * power, 5.0 * power];
    let step = steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    step.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_on_the_axis() {
        let linear = Scale::linear(200.0);
        let places = [-1.0, 0.0, 50.0, 300.0].map(|value| linear.place(value));
        assert_eq!(places, [0.0, 0.0, 0.25, 1.0]);
        let logarithmic = Scale::logarithmic(10.0, 1_000.0);
        let places = [1.0, 10.0, 100.0, 1e4].map(|value| logarithmic.place(value));
        assert_eq!(places, [0.0, 0.0, 0.5, 1.0]);
    }

    #[test]
    fn steps_are_round() {
        let check = |least: f64, expect: f64| {
            assert!(
                (round_step(least) - expect).abs() < 1e-9 * expect,
                "{least}"
            );
        };
        check(1.0, 1.0);
        check(1.1, 2.0);
        check(0.21, 0.5);
        check(60_000.0, 100_000.0);
    }
}
