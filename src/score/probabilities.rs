//! From logits to log-probabilities.

use crate::alphabet::{VOCABULARY_SIZE, token_id};

/// The log-probabilities of all tokens at a site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LogProbabilities([f64; VOCABULARY_SIZE]);

impl LogProbabilities {
    /// Those of logits: the logarithm of their softmax over all tokens, in double precision. Nothing, if there are not
    /// as many as tokens, or if one is no number.
    pub(super) fn of(logits: &[f32]) -> Option<Self> {
        let logits: [f32; VOCABULARY_SIZE] = logits.try_into().ok()?;
        let logits = logits.map(f64::from);
        let most = logits.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
        let log_sum = most + sum.ln();
        log_sum
            .is_finite()
            .then(|| Self(logits.map(|logit| logit - log_sum)))
    }

    /// That of a residue; of what is none, that of the unknown residue.
    pub(super) fn residue(&self, residue: u8) -> f64 {
        let token = usize::try_from(token_id(residue)).unwrap_or(0);
        self.0[token]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_up_to_one() {
        let mut logits = [-3.0; VOCABULARY_SIZE];
        logits[4] = 900.0;
        logits[5] = 899.0;
        let found = LogProbabilities::of(&logits).unwrap();
        let sum: f64 = found.0.iter().map(|log| log.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        // L and A are tokens 4 and 5.
        assert!((found.residue(b'L') - found.residue(b'A') - 1.0).abs() < 1e-12);
        let expect = -(1.0 + (-1.0_f64).exp()).ln();
        assert!((found.residue(b'L') - expect).abs() < 1e-12);
        assert_eq!(found.residue(b'J'), found.0[3]);
        assert_eq!(LogProbabilities::of(&[0.0; 5]), None);
        logits[6] = f32::NAN;
        assert_eq!(LogProbabilities::of(&logits), None);
    }
}
