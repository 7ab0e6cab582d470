//! From rows to Arrow columns.

use super::EmbeddedBatch;
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, RecordBatch, StringArray, UInt32Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// The columns of an output.
pub(super) struct Columns {
    schema: SchemaRef,
    /// The item of the vector columns.
    item: Arc<Field>,
    hidden_size: usize,
    /// Names of the vector columns.
    names: Vec<String>,
}

impl Columns {
    /// The columns for vectors of `hidden_size` components from each of `layers`, which differ.
    pub(super) fn new(layers: &[usize], hidden_size: usize) -> Self {
        let names: Vec<_> = match layers {
            [_] => vec!["embedding".to_owned()],
            _ => layers
                .iter()
                .map(|layer| format!("embedding_{layer}"))
                .collect(),
        };
        let item = Arc::new(Field::new("item", DataType::Float32, false));
        let vector = DataType::FixedSizeList(item.clone(), list_size(hidden_size));
        let mut fields = vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("description", DataType::Utf8, false),
            Field::new("length", DataType::UInt32, false),
            Field::new("truncated", DataType::Boolean, false),
        ];
        fields.extend(
            names
                .iter()
                .map(|name| Field::new(name, vector.clone(), false)),
        );
        Self {
            schema: Arc::new(Schema::new(fields)),
            item,
            hidden_size,
            names,
        }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Components of all vectors of a row.
    pub(super) fn n_values_per_row(&self) -> usize {
        self.names.len() * self.hidden_size
    }

    /// Where the components of each vector column are in the Parquet schema.
    pub(super) fn value_paths(&self) -> impl Iterator<Item = Vec<String>> {
        let path = |name: &String| vec![name.clone(), "list".to_owned(), "item".to_owned()];
        self.names.iter().map(path)
    }

    /// The rows as columns.
    ///
    /// # Errors
    /// If the embeddings do not match the rows in number.
    pub(super) fn record_batch(&self, batch: EmbeddedBatch) -> Result<RecordBatch, ArrowError> {
        let EmbeddedBatch { rows, embeddings } = batch;
        let ids = rows.iter().map(|row| &row.id);
        let descriptions = rows.iter().map(|row| &row.description);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(ids)),
            Arc::new(StringArray::from_iter_values(descriptions)),
            Arc::new(UInt32Array::from_iter_values(
                rows.iter().map(|row| row.length),
            )),
            Arc::new(
                rows.iter()
                    .map(|row| Some(row.truncated))
                    .collect::<BooleanArray>(),
            ),
        ];
        for values in self.values_of_layers(embeddings) {
            let values = Arc::new(Float32Array::from(values));
            let size = list_size(self.hidden_size);
            let vectors = FixedSizeListArray::try_new(self.item.clone(), size, values, None)?;
            columns.push(Arc::new(vectors));
        }
        RecordBatch::try_new(self.schema.clone(), columns)
    }

    /// From `[n, layers, hidden_size]` to `[n, hidden_size]` for each layer.
    fn values_of_layers(&self, embeddings: Vec<f32>) -> Vec<Vec<f32>> {
        let n_layers = self.names.len();
        if n_layers == 1 {
            // One layer is as it should be already. The column takes over its memory.
            return vec![embeddings];
        }
        let mut of_layers = vec![Vec::new(); n_layers];
        for values in &mut of_layers {
            values.reserve_exact(embeddings.len() / n_layers);
        }
        for (position, vector) in embeddings.chunks(self.hidden_size).enumerate() {
            of_layers[position % n_layers].extend_from_slice(vector);
        }
        of_layers
    }
}

/// Arrow counts the items of a list in i32.
fn list_size(hidden_size: usize) -> i32 {
    i32::try_from(hidden_size).expect("no model has vectors of 2^31 components")
}
