//! What attention maps are written of.

use super::{OptionMap, OptionTable, OutputDtype, Problem, Problems, row::OptionRow};
use crate::alphabet::{MASK_RESIDUE, MASK_TEXT};
use std::path::{Path, PathBuf};

/// The attention maps of one sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionPlan {
    /// Its residues.
    pub sequence: Vec<u8>,
    /// The file to write.
    pub output: Option<PathBuf>,
    /// The format of its numbers.
    pub dtype: OutputDtype,
    /// Whether a file that is there may be replaced.
    pub overwrite: bool,
}

type Row = OptionRow<AttentionPlan>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::path("output", "a file, such as \"maps.npy\"", check_file, |to, path| to.output = Some(path),
        |of| of.output.as_deref().into())
        .doc("the file to write, which must be given: `.npy`"),
    Row::choice("output_dtype", &OutputDtype::NAMES,
        |to, name| OutputDtype::from_name(name).map(|dtype| to.dtype = dtype), |of| of.dtype.name().into())
        .doc("the format of its numbers"),
    Row::flag("overwrite", |to, flag| to.overwrite = flag, |of| of.overwrite.into())
        .doc("replace a file that is there"),
];

fn check_file(path: &Path) -> Result<(), Problem> {
    super::check_file_name(path)?;
    match path.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("npy") => Ok(()),
        _ => Err(Problem {
            message: format!(
                "attention maps are a single array, and `{}` is none",
                path.display()
            ),
            hint: Some("end it with `.npy`".to_owned()),
            option: None,
        }),
    }
}

impl AttentionPlan {
    /// Every option of `attention_maps`, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: || Self {
            sequence: Vec::new(),
            output: None,
            dtype: OutputDtype::F16,
            overwrite: false,
        },
    };

    /// The maps of a sequence, with the options that a script gave.
    ///
    /// # Errors
    /// A sequence without residues or with what is no letter, no output, and every option that is unknown or of the
    /// wrong type.
    pub fn from_map(sequence: &str, map: OptionMap) -> Result<Self, Problems> {
        let plan = Self::OPTIONS.read(map)?;
        let mut problems = Problems::default();
        if plan.output.is_none() {
            problems.add_option(
                "output",
                "`attention_maps` needs an `output`".to_owned(),
                Some("give the file to write: `#{ output: \"maps.npy\" }`".to_owned()),
            );
        }
        let residues = residues(sequence);
        if residues.is_none() {
            problems.add_option(
                "sequence",
                "the sequence has no residues, or something else than letters".to_owned(),
                Some("give the residues themselves, such as \"MKTAYIAKQR\"".to_owned()),
            );
        }
        problems.none_or(Self {
            sequence: residues.unwrap_or_default(),
            ..plan
        })
    }
}

/// The residues of a text, upper-case, in which `<mask>` is one.
fn residues(text: &str) -> Option<Vec<u8>> {
    let mut residues = Vec::with_capacity(text.len());
    for (n, part) in text.split(MASK_TEXT).enumerate() {
        residues.extend((n > 0).then_some(MASK_RESIDUE));
        residues.extend(part.bytes().map(|byte| byte.to_ascii_uppercase()));
    }
    let is_residue =
        |byte: &u8| *byte == MASK_RESIDUE || byte.is_ascii_uppercase() || b"-.".contains(byte);
    (!residues.is_empty() && residues.iter().all(is_residue)).then_some(residues)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::OptionValue;

    #[test]
    fn sequences_are_residues() {
        assert_eq!(
            residues("mK<mask>V"),
            Some(vec![b'M', b'K', MASK_RESIDUE, b'V'])
        );
        assert_eq!(residues(""), None);
        assert_eq!(residues(">a\nMKT"), None);
        let output =
            |path: &str| [("output".to_owned(), OptionValue::Text(path.to_owned()))].into();
        assert!(AttentionPlan::from_map("MKT", output("maps.npy")).is_ok());
        assert!(AttentionPlan::from_map("MKT", output("maps.parquet")).is_err());
        let problems = AttentionPlan::from_map("", OptionMap::new()).unwrap_err();
        assert_eq!(problems.0.len(), 2);
    }
}
