//! How well scores rank mutants.

/// Spearman's rank correlation of pairs, with the mean rank where values are equal. Nothing, if there are fewer than
/// two pairs, or one side is the same everywhere.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 2 {
        return None;
    }
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (a, b) = (ranks(&a), ranks(&b));
    // The mean of ranks does not depend on which are equal.
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    let norm = (product(&a, &a) * product(&b, &b)).sqrt();
    (norm > 0.0).then(|| product(&a, &b) / norm)
}

/// The rank of each value, from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let last = first + equal.len();
        for &index in equal {
            ranks[index] = (first + 1 + last) as f64 / 2.0;
        }
        first = last;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_compared() {
        let check = |pairs: &[(f64, f64)], expect: Option<f64>| {
            let found = spearman(pairs);
            let is_near = match (found, expect) {
                (Some(found), Some(expect)) => (found - expect).abs() < 1e-12,
                (found, expect) => found == expect,
            };
            assert!(is_near, "{found:?} instead of {expect:?}");
        };
        check(&[(1.0, 10.0), (2.0, 20.0), (3.0, 1e9)], Some(1.0));
        check(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)], Some(-1.0));
        // As scipy.stats.spearmanr has them.
        let ties = [(1.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 3.0)];
        check(&ties, Some(8.0 / 9.0));
        check(&[(1.0, 1.0), (2.0, 1.0)], None);
        check(&[(1.0, 1.0)], None);
    }
}
