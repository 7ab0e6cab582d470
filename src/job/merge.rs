//! What is merged of an output that several processes made.

use super::{
    OptionMap, OptionTable, OutputFormat, OutputTarget, Problem, Problems, row::OptionRow,
};
use std::path::{Path, PathBuf};

/// What is merged of an output that several processes made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergePlan {
    /// The output, as the script names it.
    pub output: PathBuf,
    /// A file to make, which leaves what it is made of as it is.
    pub file: Option<PathBuf>,
    /// Whether a file that is there may be replaced.
    pub overwrite: bool,
}

type Row = OptionRow<MergePlan>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::path("file", "a file, such as \"embeddings.parquet\"", check_file, |to, file| to.file = Some(file),
        |of| of.file.as_deref().into())
        .doc("make this file, of shards or of a finished folder, which stay as they are; without it, the shards \
              become the output, and are removed"),
    Row::flag("overwrite", |to, flag| to.overwrite = flag, |of| of.overwrite.into())
        .doc("replace a file that is there and is another one"),
];

impl MergePlan {
    /// Every option of `merge`, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: || Self::new(Path::new("")),
    };

    /// The merge of an output in its place.
    pub fn new(output: &Path) -> Self {
        Self {
            output: output.to_owned(),
            file: None,
            overwrite: false,
        }
    }

    /// The file to make, if there is one.
    ///
    /// # Errors
    /// A name that no file can have.
    pub fn file_target(&self) -> Result<Option<OutputTarget>, Problems> {
        let target = self.file.as_deref().map(file_target).transpose();
        target.map_err(|problem| Problems(vec![problem]))
    }

    /// The merge of an output with the options that a script gave.
    ///
    /// # Errors
    /// A name that no output can have, and every option that is unknown or of the wrong type.
    pub fn from_map(output: &Path, map: OptionMap) -> Result<Self, Problems> {
        OutputTarget::of(output).map_err(|problem| Problems(vec![problem]))?;
        Ok(Self {
            output: output.to_owned(),
            ..Self::OPTIONS.read(map)?
        })
    }
}

/// Checks that a path is that of a single file.
fn check_file(path: &Path) -> Result<(), Problem> {
    file_target(path).map(drop)
}

fn file_target(path: &Path) -> Result<OutputTarget, Problem> {
    OutputFormat::of(path)?;
    OutputTarget::of(path)
}
