//! Contacts as Arrow columns: a matrix, or lists of pairs.

use crate::job::NUMBERS_OF_A_PAIR;
use arrow_array::{ArrayRef, Float32Array, ListArray, UInt32Array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use std::{iter, sync::Arc};

/// What the probabilities of pairs are called, beside the numbers of their residues.
pub(super) const PROBABILITY: &str = "probability";

/// The columns of pairs.
pub(super) fn fields() -> Vec<Field> {
    let field = |name, item| Field::new(name, DataType::List(item), false);
    vec![
        field("i", item(DataType::UInt32)),
        field("j", item(DataType::UInt32)),
        field(PROBABILITY, item(DataType::Float32)),
    ]
}

/// Whether the columns of pairs are among those of a table.
pub(super) fn are_in(schema: &Schema) -> bool {
    fields().iter().all(|field| {
        let found = schema.field_with_name(field.name());
        found.is_ok_and(|found| found.data_type() == field.data_type())
    })
}

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, false))
}

/// Pairs as they come: `i`, `j` and the probability of each, one after the other.
///
/// # Errors
/// Arrow has something against them.
pub(super) fn pairs(values: &[f32], offsets: &[usize]) -> Result<Vec<ArrayRef>, ArrowError> {
    let (values, _) = values.as_chunks::<NUMBERS_OF_A_PAIR>();
    let residues = |n: usize| -> ArrayRef {
        let numbers = values.iter().map(|pair| pair[n] as u32);
        Arc::new(UInt32Array::from_iter_values(numbers))
    };
    let probabilities = values.iter().map(|[_, _, probability]| *probability);
    let columns = [
        residues(0),
        residues(1),
        Arc::new(Float32Array::from_iter_values(probabilities)),
    ];
    let lengths = offsets.windows(2);
    let lengths = lengths.map(|ends| (ends[1] - ends[0]) / NUMBERS_OF_A_PAIR);
    let lists = columns.into_iter().map(|column| {
        let offsets = OffsetBuffer::from_lengths(lengths.clone());
        let item = item(column.data_type().clone());
        let list: ArrayRef = Arc::new(ListArray::try_new(item, offsets, column, None)?);
        Ok(list)
    });
    lists.collect()
}

/// Square matrices, row by row: lists of `rows`, which are lists of `number`.
///
/// # Errors
/// Arrow has something against them.
pub(super) fn matrices(
    rows: &Arc<Field>,
    number: &Arc<Field>,
    numbers: ArrayRef,
    offsets: &[usize],
) -> Result<ArrayRef, ArrowError> {
    let sizes = offsets.windows(2).map(|ends| (ends[1] - ends[0]).isqrt());
    let of_rows = sizes.clone().flat_map(|n| iter::repeat_n(n, n));
    let of_rows = OffsetBuffer::from_lengths(of_rows.collect::<Vec<_>>());
    let lists = ListArray::try_new(number.clone(), of_rows, numbers, None)?;
    let offsets = OffsetBuffer::from_lengths(sizes);
    let matrices = ListArray::try_new(rows.clone(), offsets, Arc::new(lists), None)?;
    Ok(Arc::new(matrices))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{
        Array,
        cast::AsArray,
        types::{Float32Type, UInt32Type},
    };

    #[test]
    fn pairs_are_three_lists() {
        let values = [1.0, 7.0, 0.5, 2.0, 9.0, 0.25, 3.0, 11.0, 0.75];
        let lists = pairs(&values, &[0, 6, 6, 9]).expect("lists");
        let row = |column: usize, row: usize| lists[column].as_list::<i32>().value(row);
        assert_eq!(row(0, 0).as_primitive::<UInt32Type>().values(), &[1, 2]);
        assert_eq!(row(1, 0).as_primitive::<UInt32Type>().values(), &[7, 9]);
        assert_eq!(
            row(2, 0).as_primitive::<Float32Type>().values(),
            &[0.5, 0.25]
        );
        assert_eq!(row(2, 1).len(), 0);
        assert_eq!(row(2, 2).as_primitive::<Float32Type>().values(), &[0.75]);
        let types = fields().into_iter().map(|field| field.data_type().clone());
        assert!(types.eq(lists.iter().map(|list| list.data_type().clone())));
    }

    #[test]
    fn matrices_are_lists_of_lists() {
        let number = item(DataType::Float32);
        let rows = item(DataType::List(number.clone()));
        let numbers: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0, 4.0, 5.0]));
        let matrices = matrices(&rows, &number, numbers, &[0, 4, 5]).expect("matrices");
        let first = matrices.as_list::<i32>().value(0);
        let second_row = first.as_list::<i32>().value(1);
        assert_eq!(
            second_row.as_primitive::<Float32Type>().values(),
            &[3.0, 4.0]
        );
        let second = matrices.as_list::<i32>().value(1);
        assert_eq!(second.as_list::<i32>().value(0).len(), 1);
    }
}
