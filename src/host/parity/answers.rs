//! What the heads of a model answer about some proteins, figure by figure.

use super::{
    asking::{Asking, question},
    difference::Difference,
    figure::{Asked, FIGURES, Figure},
};
use crate::{error::Error, fasta::Record, model::Model};
use std::collections::BTreeMap;

/// What is to be asked of the heads of a model: for each figure, sequences.
pub(super) struct Questions(Vec<(&'static Figure, Vec<Asked>)>);

/// What the heads of a model answer to each question, or why they do not.
pub(super) struct Answers(Vec<Result<Vec<Vec<f32>>, String>>);

/// How far answers are from what they should be, and why others were not compared, by the names of the figures.
pub(super) type Compared = (
    BTreeMap<&'static str, Difference>,
    BTreeMap<&'static str, String>,
);

impl Questions {
    /// All that is asked about some proteins.
    pub(super) fn about(records: &[Record]) -> Self {
        let figures = FIGURES.iter();
        Self(
            figures
                .map(|figure| (figure, (figure.asked)(records)))
                .collect(),
        )
    }

    /// Sequences that a model has to see for the figures that it has the heads for.
    pub(super) fn n_sequences(&self, model: &Model) -> usize {
        let figures = self.0.iter();
        let answered = figures.filter(|(figure, _)| lacks(model, figure).is_none());
        answered.map(|(_, asked)| asked.len()).sum()
    }

    /// How far answers are from those that they should be.
    pub(super) fn compare(&self, got: &Answers, want: &Answers) -> Compared {
        let mut compared = Compared::default();
        let answers = got.0.iter().zip(&want.0);
        for ((figure, asked), answers) in self.0.iter().zip(answers) {
            let difference = match answers {
                (Ok(got), Ok(want)) => Difference::of(figure, asked, got, want)
                    .ok_or_else(|| format!("these proteins have no {}", figure.numbers_of)),
                (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
            };
            match difference {
                Ok(difference) => drop(compared.0.insert(figure.name, difference)),
                Err(reason) => drop(compared.1.insert(figure.name, reason)),
            }
        }
        compared
    }
}

impl Answers {
    /// Asks a model.
    ///
    /// # Errors
    /// If the device fails, a number is not finite, or it is told to stop.
    pub(super) fn to(questions: &Questions, asking: &mut Asking<'_>) -> Result<Self, Error> {
        let questions = questions.0.iter();
        let answers = questions.map(|(figure, asked)| {
            if let Some(reason) = lacks(asking.model(), figure) {
                return Ok(Err(reason));
            }
            let mut answers = vec![Vec::new(); asked.len()];
            let records = asked.iter().map(|asked| &asked.record);
            asking.ask(records, &[figure.content], |index, answer| {
                answers[index] = answer[0].to_vec();
            })?;
            Ok(Ok(answers))
        });
        Ok(Self(answers.collect::<Result<_, Error>>()?))
    }
}

/// Why a model has no answers to a figure's question.
fn lacks(model: &Model, figure: &Figure) -> Option<String> {
    let question = question(&[figure.content]);
    let checked = model.lacks().check(model.name(), &question);
    checked.err().map(|error| error.to_string())
}
