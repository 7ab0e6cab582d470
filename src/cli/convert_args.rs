//! The arguments of `runner convert`.

use crate::job::Dtype;
use clap::{Args, builder::PossibleValuesParser, builder::TypedValueParser};
use std::path::PathBuf;

/// What is converted, and how.
#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    /// The model, as a script names it: a folder, a `.pt` file of fair-esm, an id of the Hugging Face Hub
    pub(super) model: String,
    /// The folder to make
    pub(super) folder: PathBuf,
    /// The number format of all tensors; without it each keeps its own
    #[arg(long, value_name = "FORMAT", value_parser = dtypes())]
    pub(super) dtype: Option<Dtype>,
    /// Replace an older conversion of that name
    #[arg(long)]
    pub(super) overwrite: bool,
}

fn dtypes() -> impl TypedValueParser<Value = Dtype> {
    let known = PossibleValuesParser::new(Dtype::FLOAT_NAMES);
    known.map(|name| Dtype::from_name(&name).expect("only names of formats are let through"))
}
