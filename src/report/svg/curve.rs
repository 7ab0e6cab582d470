//! Values over time, with gaps where nothing was measured.

use super::Ink;

/// Values over time, with gaps where nothing was measured.
pub(in crate::report) struct Curve {
    pub(in crate::report) ink: Ink,
    pub(in crate::report) points: Vec<(f64, Option<f64>)>,
}

impl Curve {
    /// Whether there is anything of it to see.
    pub(in crate::report) fn is_measured(&self) -> bool {
        self.points.iter().any(|(_, value)| value.is_some())
    }

    /// The stretches between its gaps.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Vec<(f64, f64)>> {
        let pieces = self.points.split(|(_, value)| value.is_none());
        pieces.filter(|piece| !piece.is_empty()).map(|piece| {
            let points = piece.iter().filter_map(|(x, value)| Some((*x, (*value)?)));
            points.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_parts_a_curve() {
        let curve = |values: &[Option<f64>]| Curve {
            ink: Ink::First,
            points: (0..).map(f64::from).zip(values.iter().copied()).collect(),
        };
        let gaps = curve(&[None, Some(1.0), Some(2.0), None, None, Some(3.0)]);
        let pieces: Vec<_> = gaps.pieces().collect();
        assert_eq!(pieces, [vec![(1.0, 1.0), (2.0, 2.0)], vec![(5.0, 3.0)]]);
        assert!(gaps.is_measured());
        assert!(!curve(&[None, None]).is_measured());
    }
}
