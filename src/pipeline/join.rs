//! From the pieces of a record to its row.

use super::{contact_overlay::ContactOverlay, overlay::Overlay};
use crate::{
    alphabet::VOCABULARY_SIZE,
    batch::{Ragged, Row, Rows, Values},
    error::Error,
    fasta::Piece,
    job::{Column, ContactPairs, Content, EmbedPlan, OutputDtype, Positions, Question},
    model::{Model, listed, pool_sequence},
};

/// Makes one row of the pieces of a record. Rows come in input order; those of whole records pass as they are.
///
/// It holds one record that is not complete, and drops what only pieces are asked for.
pub(super) struct Joiner<'a> {
    model: &'a Model,
    /// What is written.
    question: &'a Question,
    /// Where the states of pieces are among the answers, by hidden state.
    pieces: Vec<(usize, usize)>,
    /// Columns of which a list of pairs is written, and all pairs are asked.
    pairs: Vec<(usize, ContactPairs)>,
    /// Residues of a window.
    window: usize,
    open: Option<Open>,
}

/// A record of which pieces have come.
struct Open {
    /// The record, as its first piece has it.
    row: Row,
    /// The piece that comes next.
    next: u32,
    /// What windows say, for each column of the answers.
    collected: Vec<Collected>,
}

/// What windows say in a column.
enum Collected {
    Vectors(Overlay),
    Contacts(ContactOverlay),
    /// It is made of others.
    Nothing,
}

impl<'a> Joiner<'a> {
    /// For the answers of `model` to what a plan asks.
    pub(super) fn new(plan: &'a EmbedPlan, model: &'a Model) -> Self {
        let asked = plan.asked().columns.iter().enumerate();
        let pieces = asked.filter_map(|(n, column)| match column.content {
            Content::Pieces { layer } => Some((layer, n)),
            _ => None,
        });
        let window = plan.dataset().policy.long_sequences.window();
        let written = plan.question().columns.iter().enumerate();
        let pairs = written.filter_map(|(n, column)| match column.content {
            Content::ContactPairs(pairs) => Some((n, pairs)),
            _ => None,
        });
        Self {
            model,
            question: plan.question(),
            pieces: pieces.collect(),
            pairs: pairs.filter(|_| window.is_some()).collect(),
            window: window.map_or(0, |window| window.residues),
            open: None,
        }
    }

    /// Takes the next rows, and gives those that are complete.
    ///
    /// # Errors
    /// If a piece is missing, or something joined is no number in the format that is written.
    pub(super) fn take(&mut self, mut rows: Rows) -> Result<Rows, Error> {
        let n_columns = self.question.columns.len();
        if self.open.is_none() && rows.meta.iter().all(|row| row.piece.is_none()) {
            rows.columns.truncate(n_columns);
            for &(n, pairs) in &self.pairs {
                rows.columns[n] = listed(&rows.columns[n], pairs);
            }
            return Ok(rows);
        }
        let mut complete = Rows::default();
        let Rows { meta, columns } = rows;
        for (n, row) in meta.into_iter().enumerate() {
            let Some(piece) = row.piece else {
                self.none_open()?;
                let mut whole = Rows::default();
                whole.push_from(row, &columns, n);
                let whole = self.take(whole)?;
                append(&mut complete, whole);
                continue;
            };
            self.add(row, piece, &columns, n)?;
            if piece.is_last()
                && let Some(open) = self.open.take()
            {
                let joined = self.joined(&open);
                let row = Rows::new(vec![open.row], joined)
                    .map_err(|error| Error::Conservation(error.to_string()))?;
                if let Some((row, flaw)) = row.first_not_finite() {
                    return Err(self.model.not_finite(row, flaw).into());
                }
                append(&mut complete, row);
            }
        }
        Ok(complete)
    }

    /// Ends a run that came to its end.
    ///
    /// # Errors
    /// If pieces of a record are missing.
    pub(super) fn finish(self) -> Result<(), Error> {
        self.none_open()
    }

    fn none_open(&self) -> Result<(), Error> {
        match &self.open {
            None => Ok(()),
            Some(open) => Err(missing(&open.row, open.next)),
        }
    }

    fn add(&mut self, row: Row, piece: Piece, columns: &[Ragged], n: usize) -> Result<(), Error> {
        let hidden_size = self.model.hidden_size();
        let (question, pieces, window) = (self.question, &self.pieces, self.window);
        let open = self.open.get_or_insert_with(|| {
            let n_residues = row.length as usize;
            let collected = |column: &Column| match column.content {
                Content::Logits { positions } => {
                    let has_special = positions == Positions::Tokens;
                    Collected::Vectors(Overlay::new(n_residues, VOCABULARY_SIZE, has_special))
                }
                Content::Contacts | Content::ContactPairs(_) => {
                    Collected::Contacts(ContactOverlay::new(n_residues, window))
                }
                _ => Collected::Nothing,
            };
            let mut all: Vec<_> = question.columns.iter().map(collected).collect();
            let of_pieces = |_| Collected::Vectors(Overlay::new(n_residues, hidden_size, true));
            all.extend(pieces.iter().map(of_pieces));
            Open {
                row: row.clone(),
                next: 0,
                collected: all,
            }
        });
        let is_next = piece.number == open.next && row.id == open.row.id;
        if !is_next {
            return Err(missing(&open.row, open.next));
        }
        open.next += 1;
        let start = piece.start as usize;
        // Windows overlap.
        open.row.sequence.truncate(start);
        open.row.sequence.extend_from_slice(&row.sequence);
        for (collected, column) in open.collected.iter_mut().zip(columns) {
            let range = column.range(n);
            match (collected, &column.values) {
                (Collected::Vectors(overlay), Values::F32(values)) => {
                    overlay.add(start, &values[range]);
                }
                (Collected::Contacts(overlay), Values::F32(values)) => {
                    overlay.add(start, &values[range]);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The columns of a record whose pieces are all there.
    fn joined(&self, open: &Open) -> Vec<Ragged> {
        let states = |layer: usize| {
            let mut pieces = self.pieces.iter();
            let (_, column) = pieces
                .find(|(of_layer, _)| *of_layer == layer)
                .expect("of pieces, all hidden states are asked that something is made of");
            vectors(open, *column)
        };
        let columns = self.question.columns.iter().enumerate();
        let columns = columns.map(|(n, column)| match column.content {
            Content::Pooled { layer, pooling } => {
                let width = self.model.hidden_size();
                let pooled = pool_sequence(states(layer).tokens(), width, pooling);
                of_one_row(pooled, column.dtype)
            }
            Content::States { layer, positions } => {
                let states = states(layer);
                let values = match positions {
                    Positions::Tokens => states.tokens(),
                    _ => states.residues(),
                };
                of_one_row(values.to_vec(), column.dtype)
            }
            Content::Logits { .. } => of_one_row(vectors(open, n).tokens().to_vec(), column.dtype),
            Content::Contacts => of_one_row(contacts(open, n).matrix(), column.dtype),
            Content::ContactPairs(rule) => of_one_row(contacts(open, n).pairs(rule), column.dtype),
            Content::Pieces { .. } => unreachable!("states of pieces are not written"),
        });
        columns.collect()
    }
}

fn vectors(open: &Open, column: usize) -> &Overlay {
    match open.collected.get(column) {
        Some(Collected::Vectors(overlay)) => overlay,
        _ => unreachable!("vectors that are joined were collected"),
    }
}

fn contacts(open: &Open, column: usize) -> &ContactOverlay {
    match open.collected.get(column) {
        Some(Collected::Contacts(overlay)) => overlay,
        _ => unreachable!("contacts that are joined were collected"),
    }
}

/// Adds rows with the same columns at the end.
fn append(rows: &mut Rows, others: Rows) {
    if rows.is_empty() {
        *rows = others;
        return;
    }
    let Rows { meta, columns } = others;
    for (n, row) in meta.into_iter().enumerate() {
        rows.push_from(row, &columns, n);
    }
}

fn of_one_row(values: Vec<f32>, dtype: OutputDtype) -> Ragged {
    Ragged {
        offsets: vec![0, values.len()],
        values: Values::rounded(values, dtype),
    }
}

/// The error that a piece of a record did not come.
fn missing(row: &Row, number: u32) -> Error {
    Error::Conservation(format!(
        "piece {} of `{}` did not come in its place",
        number + 1,
        row.id
    ))
}
