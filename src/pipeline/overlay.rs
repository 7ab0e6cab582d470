//! The vectors of a record's tokens, put together from those of its windows.

/// The vectors of a record's tokens, put together from those of its windows.
///
/// A residue that several windows hold gets the mean of what they say, weighted by how far it is from the nearer
/// end of each: there it sees most of its surroundings on both sides. One that a single window holds is as that has it.
#[derive(Debug)]
pub(super) struct Overlay {
    width: usize,
    /// Special tokens at either end of a sequence that have vectors, too: 1 or 0.
    n_special: usize,
    /// `[tokens, width]`.
    values: Vec<f32>,
    /// What each residue was given so far.
    weights: Vec<f32>,
}

impl Overlay {
    /// Of so many residues, with vectors for BOS and EOS or without.
    pub(super) fn new(n_residues: usize, width: usize, has_special: bool) -> Self {
        let n_special = usize::from(has_special);
        Self {
            width,
            n_special,
            values: vec![0.0; (n_residues + 2 * n_special) * width],
            weights: vec![0.0; n_residues],
        }
    }

    /// Adds the vectors of a window whose first residue is `start`: BOS counts in the first one, EOS in the last one.
    pub(super) fn add(&mut self, start: usize, window: &[f32]) {
        let (width, n_special) = (self.width, self.n_special);
        let n_residues = window.len() / width - 2 * n_special;
        let (bos, rest) = window.split_at(n_special * width);
        let (residues, eos) = rest.split_at(n_residues * width);
        if start == 0 {
            self.values[..bos.len()].copy_from_slice(bos);
        }
        if start + n_residues == self.weights.len() {
            let at = self.values.len() - eos.len();
            self.values[at..].copy_from_slice(eos);
        }
        let to = &mut self.values[(n_special + start) * width..];
        let rows = residues.chunks_exact(width).zip(to.chunks_exact_mut(width));
        let weights = &mut self.weights[start..start + n_residues];
        for (n, ((new, old), given)) in rows.zip(weights).enumerate() {
            let weight = weight(n, n_residues);
            *given += weight;
            if *given == weight {
                old.copy_from_slice(new);
                continue;
            }
            let share = weight / *given;
            for (old, &new) in old.iter_mut().zip(new) {
                *old += share * (new - *old);
            }
        }
    }

    /// The vectors of all tokens, `[tokens, width]`.
    pub(super) fn tokens(&self) -> &[f32] {
        &self.values
    }

    /// The vectors of the residues, `[residues, width]`.
    pub(super) fn residues(&self) -> &[f32] {
        let n_outside = self.n_special * self.width;
        &self.values[n_outside..self.values.len() - n_outside]
    }
}

/// How much a window of so many residues counts at its residue `n`.
pub(super) fn weight(n: usize, n_residues: usize) -> f32 {
    (n + 1).min(n_residues - n) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residues_are_means_that_the_middle_of_a_window_rules() {
        // Five residues in windows of three that begin at 0, 1 and 2, with BOS and EOS.
        let mut overlay = Overlay::new(5, 1, true);
        overlay.add(0, &[100.0, 1.0, 2.0, 3.0, -1.0]);
        overlay.add(1, &[-2.0, 20.0, 30.0, 40.0, -3.0]);
        overlay.add(2, &[-4.0, 300.0, 400.0, 500.0, 200.0]);
        let expect = [
            100.0,
            1.0,
            (2.0 * 2.0 + 20.0) / 3.0,
            (3.0 + 2.0 * 30.0 + 300.0) / 4.0,
            (40.0 + 2.0 * 400.0) / 3.0,
            500.0,
            200.0,
        ];
        let close = |a: &[f32], b: &[f32]| {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b): (&f32, &f32)| (a - b).abs() < 1e-4)
        };
        assert!(close(overlay.tokens(), &expect), "{overlay:?}");
        assert!(close(overlay.residues(), &expect[1..6]));
    }

    #[test]
    fn what_windows_agree_on_stays_bit_by_bit() {
        let value = |n: usize| (n as f32 * 0.37).sin();
        let mut overlay = Overlay::new(9, 2, false);
        for start in [0, 2, 3] {
            let window: Vec<f32> = (2 * start..2 * (start + 6)).map(value).collect();
            overlay.add(start, &window);
        }
        let expect: Vec<f32> = (0..18).map(value).collect();
        assert_eq!(overlay.tokens(), expect);
        assert_eq!(overlay.residues(), expect);
    }
}
