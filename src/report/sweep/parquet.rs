//! Rows as Parquet: the columns of the CSV file, with types.

use super::{
    Row,
    csv::{self, ERROR, N_OK, PARAM, REPEAT, SPEED_SD},
    figure::FIGURES,
};
use crate::job::OptionValue;
use ::parquet::{arrow::ArrowWriter, errors::ParquetError};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::{Field, Schema};
use std::sync::Arc;

/// The bytes of a file with `rows`.
pub(super) fn write(rows: &[&Row]) -> Result<Vec<u8>, ParquetError> {
    let batch = record_batch(rows)?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn record_batch(rows: &[&Row]) -> Result<RecordBatch, ParquetError> {
    let mut columns: Vec<(String, ArrayRef)> = csv::params(rows)
        .into_iter()
        .map(|name| (format!("{PARAM}{name}"), param(rows, name)))
        .collect();
    let count = |of: fn(&Row) -> usize| -> ArrayRef {
        let counts = rows.iter().map(|row| of(row) as u64);
        Arc::new(UInt64Array::from_iter_values(counts))
    };
    columns.push((REPEAT.to_owned(), count(|row| row.repeat)));
    columns.push((N_OK.to_owned(), count(|row| row.n_ok)));
    for (index, figure) in FIGURES.iter().enumerate() {
        let values: Float64Array = rows.iter().map(|row| row.figures[index]).collect();
        columns.push((figure.name.to_owned(), Arc::new(values)));
    }
    let speed_sds: Float64Array = rows.iter().map(|row| row.speed_sd).collect();
    columns.push((SPEED_SD.to_owned(), Arc::new(speed_sds)));
    let errors: StringArray = rows.iter().map(|row| row.error.as_deref()).collect();
    columns.push((ERROR.to_owned(), Arc::new(errors)));

    // All columns may be null, whether they happen to be or not: files of one sweep fit together.
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, values)| Field::new(name, values.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, values)| values).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// The column of a parameter: flags, whole numbers or numbers if all its values are, else strings.
fn param(rows: &[&Row], name: &str) -> ArrayRef {
    let cells: Vec<_> = rows.iter().map(|row| row.cells().remove(name)).collect();
    let values: Vec<Option<&OptionValue>> = rows
        .iter()
        .zip(&cells)
        .map(|(row, cell)| cell.as_ref().and_then(|_| row.params.get(name)))
        .collect();
    if let Some(flags) = all(&values, |value| match value {
        OptionValue::Flag(flag) => Some(*flag),
        _ => None,
    }) {
        return Arc::new(BooleanArray::from(flags));
    }
    if let Some(numbers) = all(&values, |value| match value {
        OptionValue::Whole(number) => Some(*number),
        _ => None,
    }) {
        return Arc::new(Int64Array::from(numbers));
    }
    if let Some(numbers) = all(&values, |value| match value {
        OptionValue::Whole(number) => Some(*number as f64),
        OptionValue::Decimal(number) => Some(*number),
        _ => None,
    }) {
        return Arc::new(Float64Array::from(numbers));
    }
    let texts: StringArray = cells.into_iter().collect();
    Arc::new(texts)
}

/// What `of` makes of every value that there is, unless it refuses one.
fn all<T>(
    values: &[Option<&OptionValue>],
    of: impl Fn(&OptionValue) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    values
        .iter()
        .map(|value| match value {
            // The outer option is about the column, the inner one about the row.
            Some(value) => of(value).map(Some),
            None => Some(None),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{failed, measured};
    use super::*;
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use arrow_array::{Array, cast::AsArray, types::Float64Type, types::Int64Type};
    use arrow_schema::DataType;
    use std::fs::File;

    #[test]
    fn columns_have_types() {
        let rows = [
            measured(&[("packing", "true"), ("readers", "1")], &[1.0, 3.0]),
            measured(&[("readers", "2"), ("share", "0.5")], &[1.0]),
            failed(
                &[("readers", "300"), ("share", "2"), ("pooling", "cls")],
                "no",
            ),
        ];
        let bytes = write(&rows.iter().collect::<Vec<_>>()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let opened = File::open(file.path()).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap();
        let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
        let [batch] = batches.as_slice() else {
            panic!("{} batches", batches.len());
        };
        let column = |name: &str| batch.column_by_name(name).unwrap();
        assert_eq!(column("param.packing").data_type(), &DataType::Boolean);
        assert_eq!(column("param.pooling").data_type(), &DataType::Utf8);
        assert_eq!(column("param.share").data_type(), &DataType::Float64);
        let readers = column("param.readers").as_primitive::<Int64Type>();
        assert_eq!(readers.values().to_vec(), [1, 2, 300]);
        assert_eq!(column("param.packing").null_count(), 2);
        let speeds = column("tokens_per_sec").as_primitive::<Float64Type>();
        assert!(speeds.value(0) > 0.0 && speeds.is_null(2));
        assert_eq!(column("tokens_per_sec_sd").null_count(), 2);
        assert_eq!(column("error").as_string::<i32>().value(2), "no");
    }

    #[test]
    fn a_sweep_without_rows_is_a_file() {
        assert!(!write(&[]).unwrap().is_empty());
    }
}
