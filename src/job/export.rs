//! How a file of embeddings is written in another format.

use super::{OptionMap, OptionTable, Problems, row::OptionRow};
use std::collections::BTreeMap;

/// What the entries of a format that has names for them are called by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// The ids of the records.
    #[default]
    Id,
    /// A hash of the sequence, by which some programs look embeddings up.
    Hash,
}

/// How a file of embeddings is written in another format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// What entries are called by.
    pub keys: Keys,
    /// The columns of vectors to write, in this order; all, if none is named.
    pub columns: Vec<String>,
    /// Whether a file that is there may be replaced.
    pub overwrite: bool,
}

impl Keys {
    /// The names of all, as scripts write them.
    pub const NAMES: [&'static str; 2] = ["id", "hash"];

    /// What scripts call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Hash => "hash",
        }
    }

    /// The keys of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "id" => Some(Self::Id),
            "hash" => Some(Self::Hash),
            _ => None,
        }
    }
}

type Row = OptionRow<ExportOptions>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::choice("keys", &Keys::NAMES, |to, name| Keys::from_name(name).map(|keys| to.keys = keys),
        |of| of.keys.name().into())
        .doc("what the datasets of an `.h5` file are called by: the ids of the sequences, or a hash of their \
              residues, by which biotrainer looks them up; that needs the column `sequence`, which \
              `sequences: true` of `embed` writes"),
    Row::flag("overwrite", |to, flag| to.overwrite = flag, |of| of.overwrite.into())
        .doc("replace a file that is there"),
];

impl ExportOptions {
    /// Every option of `export`, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: Self::default,
    };

    /// Those of an output whose identity says it.
    pub fn of(identity: &BTreeMap<String, String>, overwrite: bool) -> Self {
        let keys = identity.get("keys").map(String::as_str);
        Self {
            keys: keys.and_then(Keys::from_name).unwrap_or_default(),
            columns: Vec::new(),
            overwrite,
        }
    }

    /// Reads the options that a script gave; the others keep their defaults.
    ///
    /// # Errors
    /// Every option that is unknown or of the wrong type.
    pub fn from_map(map: OptionMap) -> Result<Self, Problems> {
        Self::OPTIONS.read(map)
    }
}
