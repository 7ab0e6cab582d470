//! Means, standard deviations and their ratio.

/// A mean, and the sample standard deviation of what it is the mean of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) mean: f64,
    /// Unknown if there was only one measurement.
    pub(super) sd: Option<f64>,
}

/// The arithmetic mean of `values`, if there are any.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation of `values`, if there are at least two.
pub(super) fn sample_sd(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// How many times as large `a` is as `b`, with the uncertainty of both, as hyperfine has it. `None`
/// unless both are positive.
pub(super) fn ratio(a: Measured, b: Measured) -> Option<Measured> {
    if a.mean <= 0.0 || b.mean <= 0.0 {
        return None;
    }
    let ratio = a.mean / b.mean;
    let sd = a.sd.zip(b.sd).map(|(a_sd, b_sd)| {
        // For independent measurements, relative variances add up.
        ratio * (a_sd / a.mean).hypot(b_sd / b.mean)
    });
    Some(Measured { mean: ratio, sd })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(mean: f64, sd: Option<f64>) -> Measured {
        Measured { mean, sd }
    }

    #[test]
    fn means_and_deviations() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), Some(5.0));
        let expect = (32.0_f64 / 7.0).sqrt();
        assert!((sample_sd(&values).unwrap() - expect).abs() < 1e-12);
        assert_eq!(sample_sd(&[3.0, 3.0, 3.0]), Some(0.0));
        assert_eq!(sample_sd(&[3.0]), None);
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn ratios_carry_both_uncertainties() {
        let found = ratio(measured(30.0, Some(0.9)), measured(20.0, Some(0.8))).unwrap();
        assert!((found.mean - 1.5).abs() < 1e-12);
        // 3% and 4% are 5% together.
        assert!((found.sd.unwrap() - 0.075).abs() < 1e-12);
        let found = ratio(measured(30.0, None), measured(20.0, Some(0.8))).unwrap();
        assert_eq!(found.sd, None);
        assert_eq!(ratio(measured(30.0, None), measured(0.0, None)), None);
    }
}
