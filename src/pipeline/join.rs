//! From the pieces of a record to its row.

use super::overlay::Overlay;
use crate::{
    batch::{Ragged, Row, Rows, Values},
    error::Error,
    fasta::Piece,
    job::{Column, Content, EmbedPlan, Form, OutputDtype, Positions, Question},
    model::{Model, pool_sequence},
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
    open: Option<Open>,
}

/// A record of which pieces have come.
struct Open {
    /// The record, as its first piece has it.
    row: Row,
    /// The piece that comes next.
    next: u32,
    /// What windows say, for each column of the answers that is joined.
    overlays: Vec<Option<Overlay>>,
}

impl<'a> Joiner<'a> {
    /// For the answers of `model` to what a plan asks.
    pub(super) fn new(plan: &'a EmbedPlan, model: &'a Model) -> Self {
        let asked = plan.asked().columns.iter().enumerate();
        let pieces = asked.filter_map(|(n, column)| match column.content {
            Content::Pieces { layer } => Some((layer, n)),
            _ => None,
        });
        Self {
            model,
            question: plan.question(),
            pieces: pieces.collect(),
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
            return Ok(rows);
        }
        let mut complete = Rows::default();
        let Rows { meta, columns } = rows;
        for (n, row) in meta.into_iter().enumerate() {
            let Some(piece) = row.piece else {
                self.none_open()?;
                complete.push_from(row, &columns[..n_columns], n);
                continue;
            };
            self.add(row, piece, &columns, n)?;
            if piece.is_last()
                && let Some(open) = self.open.take()
            {
                let joined = self.joined(&open);
                let row = Rows::new(vec![open.row], joined)
                    .map_err(|error| Error::Conservation(error.to_string()))?;
                if let Some(row) = row.first_not_finite() {
                    return Err(self.model.not_finite(row).into());
                }
                let Rows { mut meta, columns } = row;
                meta.drain(..)
                    .for_each(|row| complete.push_from(row, &columns, 0));
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
        let (model, question, pieces) = (self.model, self.question, &self.pieces);
        let open = self.open.get_or_insert_with(|| {
            let n_residues = row.length as usize;
            let overlay = |column: &Column| match column.content {
                Content::Logits { positions } => {
                    let (Form::Vector(width) | Form::Vectors(width)) =
                        column.content.form(model.hidden_size());
                    Some(Overlay::new(
                        n_residues,
                        width,
                        positions == Positions::Tokens,
                    ))
                }
                _ => None,
            };
            let mut overlays: Vec<_> = question.columns.iter().map(overlay).collect();
            let of_pieces = |_| Some(Overlay::new(n_residues, model.hidden_size(), true));
            overlays.extend(pieces.iter().map(of_pieces));
            Open {
                row: row.clone(),
                next: 0,
                overlays,
            }
        });
        let is_next = piece.number == open.next && row.id == open.row.id;
        if !is_next {
            return Err(missing(&open.row, open.next));
        }
        open.next += 1;
        for (overlay, column) in open.overlays.iter_mut().zip(columns) {
            if let Some(overlay) = overlay
                && let Values::F32(values) = &column.values
            {
                overlay.add(piece.start as usize, &values[column.range(n)]);
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
            overlay(open, *column)
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
                    Positions::Residues => states.residues(),
                    Positions::Tokens => states.tokens(),
                };
                of_one_row(values.to_vec(), column.dtype)
            }
            Content::Logits { .. } => of_one_row(overlay(open, n).tokens().to_vec(), column.dtype),
            Content::Pieces { .. } => unreachable!("states of pieces are not written"),
        });
        columns.collect()
    }
}

fn overlay(open: &Open, column: usize) -> &Overlay {
    let overlay = open.overlays.get(column).and_then(Option::as_ref);
    overlay.expect("what is joined was collected")
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
