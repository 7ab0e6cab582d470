//! Memory that grows steadily.

use crate::meter::{Metric, Sample};

/// Growth below this is what buffers do.
const LEAST_GROWTH_BYTES: f64 = 256e6;
/// Shorter runs have not left their beginning behind.
const LEAST_SECONDS: f64 = 60.0;
/// Parts of a run that are compared.
const N_PARTS: usize = 5;

/// What is worth knowing about memory that grew in every part of a run, if it did.
///
/// The least memory of each part counts: what comes and goes is no growth. The first part is left
/// out, in which buffers are filled.
pub(super) fn remark(samples: &[Sample]) -> Option<String> {
    let seconds: f64 = samples.iter().map(Sample::interval).sum();
    if seconds < LEAST_SECONDS || samples.len() < 4 * N_PARTS {
        return None;
    }
    let of = |name: &str, metric: Metric| {
        let parts = samples.chunks(samples.len().div_ceil(N_PARTS)).skip(1);
        let lows: Vec<f64> = parts
            .map(|part| {
                let memory = part.iter().filter_map(|sample| sample.get(metric));
                memory.fold(f64::INFINITY, f64::min)
            })
            .collect();
        let (first, last) = (*lows.first()?, *lows.last()?);
        let step = LEAST_GROWTH_BYTES / N_PARTS as f64;
        let is_steady = lows.windows(2).all(|pair| pair[1] > pair[0] + step);
        (is_steady && last.is_finite() && last - first > LEAST_GROWTH_BYTES / 2.0).then(|| {
            format!(
                "the memory of {name} grew all the time, from {:.1} to {:.1} GB: please report it \
                 with the script",
                first / 1e9,
                last / 1e9
            )
        })
    };
    of("the program", Metric::MemoryBytes).or_else(|| of("the readers", Metric::ReadersMemoryBytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: f64, memory: impl Fn(f64) -> f64) -> Vec<Sample> {
        let interval = seconds / 100.0;
        let sample = |n: i32| {
            let mut sample = Sample::new(interval);
            sample.set(Metric::MemoryBytes, memory(f64::from(n) * interval));
            sample
        };
        (0..100).map(sample).collect()
    }

    #[test]
    fn only_steady_growth_is_reported() {
        let leak = remark(&run(600.0, |t| 1e9 + 2e6 * t)).expect("a remark");
        assert!(leak.contains("the program grew"), "{leak}");
        assert_eq!(remark(&run(600.0, |_| 5e9)), None);
        assert_eq!(remark(&run(30.0, |t| 1e9 + 1e8 * t)), None, "too short");
        let filled_up = |t: f64| 1e9 + 1e7 * t.min(100.0);
        assert_eq!(remark(&run(600.0, filled_up)), None, "buffers fill up");
        let sawtooth = |t: f64| 1e9 + 1e7 * (t % 60.0);
        assert_eq!(remark(&run(600.0, sawtooth)), None, "it comes and goes");
        let slow = |t: f64| 1e9 + 1e4 * t;
        assert_eq!(remark(&run(600.0, slow)), None, "too little");
    }
}
