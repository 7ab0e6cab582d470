//! How scores are distributed.

use crate::text::counted;
use std::collections::BTreeMap;

/// How many scores lie where, in classes of one width, which grows with what is to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreHistogram {
    /// What was scored, and how, for people.
    pub title: String,
    /// What has a score: one, and several of them.
    pub scored: [&'static str; 2],
    /// The width of a class.
    width: f64,
    /// Scores in each class, by the multiple of the width at which it begins.
    counts: BTreeMap<i64, u64>,
}

/// The width of the first classes.
const FIRST_WIDTH: f64 = 1.0 / 64.0;
/// With more classes than these, two become one.
const MOST_CLASSES: i64 = 48;

/// Scores that are further away, in classes, are shown there.
const FURTHEST: f64 = 1e15;

impl ScoreHistogram {
    /// No scores yet.
    pub fn new(title: String, scored: [&'static str; 2]) -> Self {
        Self {
            title,
            scored,
            width: FIRST_WIDTH,
            counts: BTreeMap::new(),
        }
    }

    /// Counts a score; what is no number is left out.
    pub fn add(&mut self, score: f64) {
        if !score.is_finite() {
            return;
        }
        let class = |width: f64| (score / width).floor().clamp(-FURTHEST, FURTHEST) as i64;
        *self.counts.entry(class(self.width)).or_default() += 1;
        while self.n_classes() > MOST_CLASSES {
            self.width *= 2.0;
            let finer = std::mem::take(&mut self.counts);
            for (class, count) in finer {
                *self.counts.entry(class.div_euclid(2)).or_default() += count;
            }
        }
    }

    /// The classes from the least score to the largest: from which score on, up to which one exclusively, and how
    /// many scores.
    pub fn classes(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        let bounds = self.counts.keys().next().zip(self.counts.keys().last());
        let classes = bounds.map(|(first, last)| *first..=*last);
        classes.into_iter().flatten().map(|class| {
            let count = self.counts.get(&class).copied().unwrap_or(0);
            let bound = |class: i64| class as f64 * self.width;
            (bound(class), bound(class + 1), count)
        })
    }

    /// How many scores there are, for people.
    pub fn count(&self) -> String {
        let [one, more] = self.scored;
        counted(self.counts.values().sum(), one, more)
    }

    fn n_classes(&self) -> i64 {
        let bounds = self.counts.keys().next().zip(self.counts.keys().last());
        bounds.map_or(0, |(first, last)| {
            last.saturating_sub(*first).saturating_add(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_grow_with_the_scores() {
        let mut found = ScoreHistogram::new(String::new(), ["mutant", "mutants"]);
        assert_eq!(found.classes().count(), 0);
        found.add(f64::NAN);
        for score in [-0.001, 0.0, 0.01] {
            found.add(score);
        }
        assert_eq!(found.count(), "3 mutants");
        let classes: Vec<_> = found.classes().collect();
        assert_eq!(classes, [(-FIRST_WIDTH, 0.0, 1), (0.0, FIRST_WIDTH, 2)]);
        for n in 0..1000 {
            found.add(f64::from(n) / 50.0 - 15.0);
        }
        found.add(1e300);
        let classes: Vec<_> = found.classes().collect();
        assert!(classes.len() <= MOST_CLASSES as usize, "{}", classes.len());
        assert_eq!(classes.iter().map(|class| class.2).sum::<u64>(), 1004);
        for pair in classes.windows(2) {
            assert_eq!(pair[0].1, pair[1].0);
        }
    }
}
