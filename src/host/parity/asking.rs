//! A model that is asked about sequences, batch by batch.

use crate::{
    alphabet::N_SPECIAL_TOKENS,
    batch::Packer,
    cancel::CancelToken,
    error::Error,
    fasta::Record,
    job::{Column, Content, OutputDtype, Question},
    model::Model,
};
use std::num::NonZeroUsize;

/// A model that is asked about sequences, as runs ask it.
pub(super) struct Asking<'a> {
    model: &'a Model,
    cancel: &'a CancelToken,
    /// It is told how many sequences the model has seen.
    on_step: &'a mut dyn FnMut(usize),
    n_seen: usize,
}

/// Tokens in a batch. Bits do not depend on it, so it may be so small that every device has room.
const TOKEN_BUDGET: usize = 4096;

impl<'a> Asking<'a> {
    /// A model that has seen nothing yet, which `on_step` is told.
    pub(super) fn new(
        model: &'a Model,
        cancel: &'a CancelToken,
        on_step: &'a mut dyn FnMut(usize),
    ) -> Self {
        on_step(0);
        Self {
            model,
            cancel,
            on_step,
            n_seen: 0,
        }
    }

    /// The model.
    pub(super) fn model(&self) -> &Model {
        self.model
    }

    /// Asks about sequences. `each` gets the place of one among them, in no order, and what each content has of it.
    ///
    /// # Errors
    /// If the device fails, a number is not finite, or it is told to stop.
    pub(super) fn ask<'r>(
        &mut self,
        records: impl Iterator<Item = &'r Record> + Clone,
        contents: &[Content],
        mut each: impl FnMut(usize, &[&[f32]]),
    ) -> Result<(), Error> {
        let lengths = records.clone().map(|record| record.sequence.len());
        let longest = lengths.max().unwrap_or(0) + N_SPECIAL_TOKENS;
        let budget = NonZeroUsize::new(TOKEN_BUDGET.max(longest)).expect("it is not zero");
        let mut packer = Packer::new(budget);
        let mut batches = Vec::new();
        for record in records {
            batches.append(&mut packer.push(record.clone())?);
        }
        batches.append(&mut packer.finish());
        let question = question(contents);
        for batch in batches {
            if let Some(reason) = self.cancel.reason() {
                return Err(Error::Stopped(reason));
            }
            let rows = self.model.answer(&batch, &question)?;
            let columns = rows.columns.iter();
            let columns: Vec<_> = columns
                .map(|column| (column, column.values.to_f32()))
                .collect();
            for (row, meta) in rows.meta.iter().enumerate() {
                let columns = columns.iter();
                let answer: Vec<_> = columns
                    .map(|(column, values)| &values[column.range(row)])
                    .collect();
                each(meta.index as usize, &answer);
            }
            self.n_seen += rows.len();
            (self.on_step)(self.n_seen);
        }
        Ok(())
    }
}

/// The question with these columns, in f32.
pub(super) fn question(contents: &[Content]) -> Question {
    let column = |&content| Column {
        name: String::new(),
        content,
        dtype: OutputDtype::F32,
    };
    Question {
        columns: contents.iter().map(column).collect(),
    }
}
