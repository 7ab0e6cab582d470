//! How a file of embeddings is written in another format.

use super::{
    OptionMap, OptionTable, OptionValue, OutputFormat, OutputTarget, Problem, Problems,
    row::OptionRow,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What the entries of a format that has names for them are called by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// The ids of the records.
    #[default]
    Id,
    /// The accessions in ids of UniProt, such as `P06582` of `sp|P06582|HSP12_CAEEL`; other ids as they are.
    Accession,
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

/// An output that is written again in another format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportPlan {
    /// The output, as the script names it: a file, or a folder of parts.
    pub from: PathBuf,
    /// The file to make.
    pub to: OutputTarget,
    /// How it is written.
    pub options: ExportOptions,
}

impl Keys {
    /// The names of all, as scripts write them.
    pub const NAMES: [&'static str; 3] = ["id", "accession", "hash"];

    /// What scripts call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Accession => "accession",
            Self::Hash => "hash",
        }
    }

    /// The keys of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "id" => Some(Self::Id),
            "accession" => Some(Self::Accession),
            "hash" => Some(Self::Hash),
            _ => None,
        }
    }

    /// Checks that a format has names that can be called so.
    ///
    /// # Errors
    /// It has none.
    pub(super) fn check(self, format: OutputFormat) -> Result<(), Problem> {
        match self {
            Self::Accession | Self::Hash if format != OutputFormat::Hdf5 => Err(Problem {
                message: format!(
                    "`keys: \"{}\"` names datasets of `.h5` files, and {} has none",
                    self.name(),
                    format.title()
                ),
                hint: Some("leave `keys` out, or end the path with `.h5`".to_owned()),
                option: Some("keys".to_owned()),
            }),
            _ => Ok(()),
        }
    }
}

type Row = OptionRow<ExportOptions>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::choice("keys", &Keys::NAMES, |to, name| Keys::from_name(name).map(|keys| to.keys = keys),
        |of| of.keys.name().into())
        .doc("what the datasets of an `.h5` file are called by: the ids of the sequences, with `\"accession\"` \
              the accessions in those of UniProt, such as `P06582`, or with `\"hash\"` a hash of their residues, by which biotrainer looks them up; that needs the column `sequence`, which \
              `sequences: true` of `embed` writes"),
    Row::texts("columns", "an array of different names, or these with commas between them, such as \
              \"embedding_6, residues\"",
        |to, names| to.columns = names,
        |of| match of.columns.is_empty() {
            true => OptionValue::Nothing,
            false => of.columns.join(", ").as_str().into(),
        })
        .otherwise("all columns of vectors")
        .doc("the columns of vectors to write"),
    Row::flag("overwrite", |to, flag| to.overwrite = flag, |of| of.overwrite.into())
        .doc("replace a file that is there, and what lies beside it"),
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
}

impl ExportPlan {
    /// The plan to write `from` as `to`, with the options that a script gave.
    ///
    /// # Errors
    /// A name that no file can have, and every option that is unknown or of the wrong type.
    pub fn new(from: &Path, to: &Path, map: OptionMap) -> Result<Self, Problems> {
        let to = file_target(to).map_err(|problem| Problems(vec![problem]))?;
        let options = ExportOptions::OPTIONS.read(map)?;
        let fits = options.keys.check(to.format);
        fits.map_err(|problem| Problems(vec![problem]))?;
        Ok(Self {
            from: from.to_owned(),
            to,
            options,
        })
    }
}

fn file_target(path: &Path) -> Result<OutputTarget, Problem> {
    OutputFormat::of(path)?;
    OutputTarget::of(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hint::Hint, job::OptionValue};

    fn plan(to: &str, options: &[(&str, OptionValue)]) -> Result<ExportPlan, String> {
        let entries = options.iter();
        let map = entries
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        ExportPlan::new(Path::new("x.parquet"), Path::new(to), map)
            .map_err(|problems| problems.in_full())
    }

    #[test]
    fn options_are_read() {
        let text = |text: &str| OptionValue::Text(text.to_owned());
        let options = [("keys", text("hash")), ("columns", text("residues, a_6"))];
        let read = plan("x.h5", &options).unwrap();
        assert_eq!(read.options.keys, Keys::Hash);
        assert_eq!(read.options.columns, ["residues", "a_6"]);
        let check = |to: &str, options: &[(&str, OptionValue)], expect: &str| {
            let message = plan(to, options).unwrap_err();
            assert!(message.contains(expect), "{message}");
        };
        check("x.h5", &[("keys", text("ids"))], "did you mean \"id\"?");
        check(
            "x.h5",
            &[("columns", text("a,,b"))],
            "must be an array of different names",
        );
        check(
            "x.h5",
            &[("columns", text("a, a"))],
            "must be an array of different names",
        );
        check("x/", &[], "names a folder");
        check(
            "x.npy",
            &[("keys", text("hash"))],
            "names datasets of `.h5`",
        );
        let unnamed = plan("x.xyz", &[]).unwrap_err();
        assert!(!unnamed.contains("folder"), "{unnamed}");
        let list = OptionValue::List(vec![text("residues"), text("a_6")]);
        let read = plan("x.h5", &[("columns", list)]).unwrap();
        assert_eq!(read.options.columns, ["residues", "a_6"]);
        for wrong in [
            OptionValue::List(Vec::new()),
            OptionValue::List(vec![OptionValue::Whole(6)]),
            OptionValue::Flag(true),
        ] {
            check("x.h5", &[("columns", wrong)], "must be an array");
        }
        check("x.pkl", &[], "ends like pickle");
    }
}
