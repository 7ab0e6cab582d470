//! What is read back of an output.

use super::{OptionTable, OptionValue, row::OptionRow};

/// What is read back of an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbeddingsOptions {
    /// The column of vectors.
    pub column: Option<String>,
}

type Row = OptionRow<EmbeddingsOptions>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::text("column", "the name of a column, such as \"embedding_mean\"", |_| Ok(()),
        |to, text| to.column = Some(text),
        |of| of.column.as_deref().map_or(OptionValue::Nothing, Into::into))
        .otherwise("the only one of the last layer")
        .doc("the column of vectors to read, which has to be named where a layer has several poolings"),
];

impl EmbeddingsOptions {
    /// Every option of `embeddings`, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: Self::default,
    };
}
