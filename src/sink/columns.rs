//! From rows to Arrow columns.

use super::{Spare, contacts};
use crate::{
    alphabet::text,
    batch::{Ragged, Rows, Values},
    job::{Form, NUMBERS_OF_A_PAIR, OutputDtype, Question},
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, Float16Array, Float32Array, ListArray,
    RecordBatch, StringArray, UInt32Array, cast::AsArray,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use std::{ops::Range, sync::Arc};

/// The columns of an output.
pub(super) struct Columns {
    schema: SchemaRef,
    answers: Vec<AnswerColumn>,
    more: More,
    /// What is told of the memory that values lie in.
    spare: Spare,
}

/// Columns that an output has when they are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct More {
    /// The residues that were embedded.
    pub sequences: bool,
    /// Of how many windows a row is made.
    pub windows: bool,
}

/// A column of what the model answered.
pub(super) struct AnswerColumn {
    name: String,
    form: Form,
    dtype: OutputDtype,
    /// The item of a vector.
    number: Arc<Field>,
    /// The item of a list of vectors.
    vector: Arc<Field>,
}

impl Columns {
    /// The columns of the answers to a question, by a model of this hidden size, and more of them.
    pub(super) fn new(question: &Question, hidden_size: usize, more: More) -> Self {
        let answers = question.columns.iter().map(|column| {
            let form = column.content.form(hidden_size);
            AnswerColumn::new(column.name.clone(), form, column.dtype)
        });
        let answers: Vec<_> = answers.collect();
        let mut fields = vec![
            text_field("id"),
            text_field("description"),
            Field::new("length", DataType::UInt32, false),
            Field::new("truncated", DataType::Boolean, false),
        ];
        if more.sequences {
            fields.push(text_field("sequence"));
        }
        if more.windows {
            fields.push(Field::new("windows", DataType::UInt32, false));
        }
        fields.extend(answers.iter().flat_map(AnswerColumn::fields));
        Self {
            schema: Arc::new(Schema::new(fields)),
            answers,
            more,
            spare: Spare::default(),
        }
    }

    /// The same columns, which tell `spare` of the memory that values lie in.
    pub(super) fn with_spare(self, spare: Spare) -> Self {
        Self { spare, ..self }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Where the numbers of each answer are in the Parquet schema.
    pub(super) fn value_paths(&self) -> impl Iterator<Item = Vec<String>> {
        self.answers.iter().map(AnswerColumn::value_path)
    }

    /// The rows as columns.
    ///
    /// # Errors
    /// If a row has not what the question asks for.
    pub(super) fn record_batch(&self, rows: Rows) -> Result<RecordBatch, ArrowError> {
        let Rows { meta, columns } = rows;
        if columns.len() != self.answers.len() {
            return Err(ArrowError::InvalidArgumentError(format!(
                "rows have {} columns instead of {}",
                columns.len(),
                self.answers.len()
            )));
        }
        let ids = meta.iter().map(|row| &row.id);
        let descriptions = meta.iter().map(|row| &row.description);
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(ids)),
            Arc::new(StringArray::from_iter_values(descriptions)),
            Arc::new(UInt32Array::from_iter_values(
                meta.iter().map(|row| row.length),
            )),
            Arc::new(
                meta.iter()
                    .map(|row| Some(row.truncated))
                    .collect::<BooleanArray>(),
            ),
        ];
        if self.more.sequences {
            let sequences = meta.iter().map(|row| text(&row.sequence));
            arrays.push(Arc::new(StringArray::from_iter_values(sequences)));
        }
        if self.more.windows {
            let windows = meta.iter().map(|row| row.piece.map_or(1, |piece| piece.of));
            arrays.push(Arc::new(UInt32Array::from_iter_values(windows)));
        }
        for (answer, column) in self.answers.iter().zip(columns) {
            arrays.extend(answer.arrays(column, &self.spare)?);
        }
        RecordBatch::try_new(self.schema.clone(), arrays)
    }
}

impl AnswerColumn {
    /// A column of that name, of numbers in a format.
    pub(super) fn new(name: String, form: Form, dtype: OutputDtype) -> Self {
        let number = match dtype {
            OutputDtype::F16 => DataType::Float16,
            OutputDtype::F32 => DataType::Float32,
        };
        let number = Arc::new(Field::new("item", number, false));
        let vector = match form {
            Form::Vector(width) | Form::Vectors(width) => {
                DataType::FixedSizeList(number.clone(), list_size(width))
            }
            Form::Square | Form::Pairs => DataType::List(number.clone()),
        };
        Self {
            name,
            form,
            dtype,
            number,
            vector: Arc::new(Field::new("item", vector, false)),
        }
    }

    /// The columns of an output that it becomes.
    pub(super) fn fields(&self) -> Vec<Field> {
        let data_type = match self.form {
            Form::Vector(_) => self.vector.data_type().clone(),
            Form::Vectors(_) | Form::Square => DataType::List(self.vector.clone()),
            Form::Pairs => return contacts::fields(),
        };
        vec![Field::new(&self.name, data_type, false)]
    }

    fn value_path(&self) -> Vec<String> {
        let (name, n_lists) = match self.form {
            Form::Vector(_) => (self.name.as_str(), 1),
            Form::Vectors(_) | Form::Square => (self.name.as_str(), 2),
            Form::Pairs => (contacts::PROBABILITY, 1),
        };
        let mut path = vec![name.to_owned()];
        for _ in 0..n_lists {
            path.extend(["list".to_owned(), "item".to_owned()]);
        }
        path
    }

    /// The values of some rows, which are taken over, not copied, where that can be.
    pub(super) fn arrays(
        &self,
        column: Ragged,
        spare: &Spare,
    ) -> Result<Vec<ArrayRef>, ArrowError> {
        let Ragged { values, offsets } = column;
        if values.dtype() != self.dtype {
            return Err(ArrowError::InvalidArgumentError(format!(
                "`{}` has values in {}",
                self.name,
                values.dtype().name()
            )));
        }
        let mut lengths = offsets.windows(2).map(|pair| pair[1] - pair[0]);
        let is_odd = |n_values: &usize| match self.form {
            Form::Vector(width) => *n_values != width,
            Form::Vectors(width) => !n_values.is_multiple_of(width),
            Form::Square => n_values.isqrt().pow(2) != *n_values,
            Form::Pairs => !n_values.is_multiple_of(NUMBERS_OF_A_PAIR),
        };
        if let Some(n_values) = lengths.find(is_odd) {
            return Err(ArrowError::InvalidArgumentError(format!(
                "`{}` of a row has {n_values} values, which are not of the form {:?}",
                self.name, self.form
            )));
        }
        let numbers = |values| -> ArrayRef {
            match values {
                Values::F16(values) => {
                    let numbers = Float16Array::from(values);
                    spare.keep(numbers.values().inner());
                    Arc::new(numbers)
                }
                Values::F32(values) => {
                    let numbers = Float32Array::from(values);
                    spare.keep(numbers.values().inner());
                    Arc::new(numbers)
                }
            }
        };
        let vectors = |width, numbers| {
            FixedSizeListArray::try_new(self.number.clone(), list_size(width), numbers, None)
        };
        let column: ArrayRef = match self.form {
            Form::Vector(width) => Arc::new(vectors(width, numbers(values))?),
            Form::Vectors(width) => {
                let vectors = Arc::new(vectors(width, numbers(values))?);
                let offsets = offsets.into_iter().map(|offset| list_size(offset / width));
                let offsets = OffsetBuffer::new(ScalarBuffer::from_iter(offsets));
                Arc::new(ListArray::try_new(
                    self.vector.clone(),
                    offsets,
                    vectors,
                    None,
                )?)
            }
            Form::Square => {
                contacts::matrices(&self.vector, &self.number, numbers(values), &offsets)?
            }
            Form::Pairs => return contacts::pairs(&values.to_f32(), &offsets),
        };
        Ok(vec![column])
    }
}

/// A column of texts.
pub(super) fn text_field(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

/// Bytes of what rows have more of the longer they are: their texts, and the vectors of their residues.
pub(super) fn n_ragged_bytes(rows: &RecordBatch) -> usize {
    let columns = rows.columns().iter();
    let ragged =
        columns.filter(|column| matches!(column.data_type(), DataType::Utf8 | DataType::List(_)));
    ragged.map(|column| n_bytes(column, 0..column.len())).sum()
}

/// Bytes of some items of an array.
fn n_bytes(array: &ArrayRef, range: Range<usize>) -> usize {
    let between = |offsets: &[i32]| offsets[range.start] as usize..offsets[range.end] as usize;
    match array.data_type() {
        DataType::Utf8 => between(array.as_string::<i32>().value_offsets()).len(),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            n_bytes(lists.values(), between(lists.value_offsets()))
        }
        DataType::FixedSizeList(_, width) => {
            let width = *width as usize;
            let vectors = array.as_fixed_size_list();
            n_bytes(vectors.values(), range.start * width..range.end * width)
        }
        number => number.primitive_width().unwrap_or(0) * range.len(),
    }
}

/// Arrow counts the items of a list in i32.
fn list_size(n_items: usize) -> i32 {
    i32::try_from(n_items)
        .expect("no model has vectors, and no piece of rows residues, in the billions")
}
