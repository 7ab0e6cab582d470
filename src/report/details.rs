//! What a report shows of a run beside its figures.

use super::{ScoreHistogram, table::cut};
use crate::{
    job::Thresholds,
    meter::{Sample, StageTime},
};

/// What a report shows of a run beside its figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunDetails {
    /// The sources as the script wrote them.
    pub inputs: String,
    /// When the run began, in UTC, as RFC 3339 writes it.
    pub started: String,
    /// Every setting by name, as text.
    pub settings: Vec<(&'static str, String)>,
    /// From which figures on the run counted as held back.
    pub thresholds: Thresholds,
    /// Where the time of each stage went, in the order of [`Stage::ALL`](crate::meter::Stage::ALL).
    /// Readers are added up.
    pub stages: [StageTime; 5],
    /// What was measured, in intervals of equal length but for the last.
    pub timeline: Vec<Sample>,
    /// How long the embedded sequences are.
    pub lengths: LengthHistogram,
    /// How scores are distributed, where the run was made for some.
    pub scores: Option<ScoreHistogram>,
    /// The first records that a policy rejected.
    pub rejections: Vec<RejectedRecord>,
    /// Who worked on an output of which a part was there before, in order. The last one is the run.
    pub stretches: Vec<StretchOfWork>,
    /// What else is worth knowing; one sentence each, without a final dot.
    pub remarks: Vec<String>,
}

/// A record that was not embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Its number in the input, from 1.
    pub ordinal: u64,
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
}

impl RejectedRecord {
    /// Characters of an id or a reason that are kept. Both stand in full in the list beside the output.
    const LONGEST_TEXT: usize = 200;

    /// The record with this number; of long texts the beginning is kept.
    pub fn new(ordinal: u64, id: &str, reason: &str) -> Self {
        Self {
            ordinal,
            id: cut(id, Self::LONGEST_TEXT),
            reason: cut(reason, Self::LONGEST_TEXT),
        }
    }
}

/// The work of one process on an output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StretchOfWork {
    /// When it began, in UTC, as RFC 3339 writes it.
    pub started: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Where the model ran, for people.
    pub device: String,
    /// Rows that it left in the output, where that is known.
    pub rows: Option<u64>,
    /// The time that they took.
    pub seconds: Option<f64>,
    /// Rows that it computed and did not leave.
    pub lost_rows: u64,
}

/// How many sequences are of which length, in classes that grow by a quarter of an octave, so that
/// short and long ones show alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LengthHistogram {
    /// Sequences in each class, from the first class on.
    counts: Vec<u64>,
}

impl LengthHistogram {
    const CLASSES_PER_OCTAVE: f64 = 4.0;

    /// Counts a sequence of so many residues.
    pub fn add(&mut self, n_residues: usize) {
        let class = (n_residues.max(1) as f64).log2() * Self::CLASSES_PER_OCTAVE;
        // The logarithm of a bound may come out a little below it.
        let class = (class + 1e-9) as usize;
        if self.counts.len() <= class {
            self.counts.resize(class + 1, 0);
        }
        self.counts[class] += 1;
    }

    /// The classes between the shortest and the longest sequence: from which length on, up to which
    /// one exclusively, and how many sequences. Bounds are not whole.
    pub fn classes(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        let bound = |class: usize| (class as f64 / Self::CLASSES_PER_OCTAVE).exp2();
        let classes = self.counts.iter().enumerate();
        classes
            .skip_while(|(_, count)| **count == 0)
            .map(move |(class, &count)| (bound(class), bound(class + 1), count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fall_into_their_classes() {
        let mut lengths = LengthHistogram::default();
        assert_eq!(lengths.classes().count(), 0);
        for length in [64, 64, 65, 100, 1022] {
            lengths.add(length);
        }
        let classes: Vec<_> = lengths.classes().filter(|class| class.2 > 0).collect();
        let holds = |length: f64, count: u64| {
            let mut classes = classes.iter();
            let class = classes.find(|(from, to, _)| (*from..*to).contains(&length));
            assert_eq!(class.map(|class| class.2), Some(count), "{length}");
        };
        holds(64.5, 3);
        holds(100.0, 1);
        holds(1022.0, 1);
        assert_eq!(lengths.classes().map(|class| class.2).sum::<u64>(), 5);
    }
}
