//! Samples of a whole run in bounded memory.

use crate::meter::Sample;
use std::mem;

/// Samples of a whole run. When there are too many, neighbours become one, so a long run has longer
/// intervals rather than more of them.
#[derive(Debug)]
pub(super) struct Timeline {
    samples: Vec<Sample>,
    /// How many samples make one.
    stride: usize,
    /// Those that are not one yet, as one.
    pending: Option<(Sample, usize)>,
}

impl Timeline {
    /// Samples that are kept at most.
    pub(super) const MOST: usize = 600;

    pub(super) fn new() -> Self {
        Self {
            samples: Vec::new(),
            stride: 1,
            pending: None,
        }
    }

    pub(super) fn push(&mut self, sample: Sample) {
        let (merged, n) = match self.pending.take() {
            Some((pending, n)) => (pending.merged(&sample), n + 1),
            None => (sample, 1),
        };
        if n < self.stride {
            self.pending = Some((merged, n));
            return;
        }
        self.samples.push(merged);
        if self.samples.len() >= Self::MOST {
            let pairs = mem::take(&mut self.samples);
            self.samples = pairs
                .chunks(2)
                .map(|pair| match pair {
                    [a, b] => a.merged(b),
                    alone => alone[0].clone(),
                })
                .collect();
            self.stride *= 2;
        }
    }

    /// Takes the last sample out.
    pub(super) fn pop(&mut self) -> Option<Sample> {
        let pending = self.pending.take().map(|(sample, _)| sample);
        pending.or_else(|| self.samples.pop())
    }

    /// The samples that are complete.
    pub(super) fn complete(&self) -> &[Sample] {
        &self.samples
    }

    /// The last complete samples, so many at most.
    pub(super) fn last(&self, most: usize) -> &[Sample] {
        &self.samples[self.samples.len().saturating_sub(most)..]
    }

    /// All samples, the last of which may be of a shorter interval.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let pending = self.pending.iter().map(|(sample, _)| sample);
        self.samples.iter().chain(pending).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Metric;

    #[test]
    fn long_runs_have_longer_intervals() {
        let mut timeline = Timeline::new();
        for n in 1..=10_000 {
            let mut sample = Sample::new(1.0);
            sample.set(Metric::Seconds, f64::from(n));
            sample.set(Metric::TokensPerSec, f64::from(n % 2) * 10.0);
            timeline.push(sample);
            assert!(timeline.samples.len() < Timeline::MOST);
        }
        let samples = timeline.samples();
        let whole: f64 = samples.iter().map(Sample::interval).sum();
        assert_eq!(whole, 10_000.0, "no time is lost");
        let last = samples.last().unwrap();
        assert_eq!(last.get(Metric::Seconds), Some(10_000.0));
        assert_eq!(samples[0].get(Metric::TokensPerSec), Some(5.0));
        let popped = timeline.pop().unwrap();
        assert_eq!(popped.get(Metric::Seconds), Some(10_000.0));
        assert_eq!(timeline.samples().len(), samples.len() - 1);
    }
}
