//! How a table of contacts is written.

use super::{OptionTable, row::OptionRow};

/// How a table of contacts is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContactTableOptions {
    /// Whether a file that is there may be replaced.
    pub overwrite: bool,
}

type Row = OptionRow<ContactTableOptions>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::flag("overwrite", |to, flag| to.overwrite = flag, |of| of.overwrite.into())
        .doc("replace a file that is there"),
];

impl ContactTableOptions {
    /// Every option of `contact_table`, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: Self::default,
    };
}
