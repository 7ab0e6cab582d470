//! How the vectors of a sequence's residues become one.

use super::{OptionValue, Problem};

/// How the vectors of a sequence's residues become one. BOS and EOS never count as residues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over residues.
    #[default]
    Mean,
    /// The largest value of each component over residues.
    Max,
    /// The vector of the BOS (`<cls>`) token.
    Cls,
    /// The standard deviation of each component over residues, divided by their number n and not by
    /// n − 1: 0 for a single residue.
    Std,
}

impl Pooling {
    /// Every pooling.
    pub const ALL: [Self; 4] = [Self::Mean, Self::Max, Self::Cls, Self::Std];

    /// Every pooling's name in scripts.
    pub const NAMES: [&str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut n = 0;
        while n < names.len() {
            names[n] = Self::ALL[n].name();
            n += 1;
        }
        names
    };

    /// The pooling's name in scripts, which is the kernel's name of it, too.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Cls => "cls",
            Self::Std => "std",
        }
    }

    /// The pooling with this name in scripts.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|pooling| pooling.name() == name)
    }

    /// The poolings with these names, which are names of poolings.
    ///
    /// # Errors
    /// One is named twice.
    pub(super) fn from_names(names: &[&str]) -> Result<Vec<Self>, Problem> {
        let mut poolings = Vec::with_capacity(names.len());
        for pooling in names.iter().filter_map(|name| Self::from_name(name)) {
            if poolings.contains(&pooling) {
                return Err(Problem {
                    message: format!("`pooling` names \"{}\" twice", pooling.name()),
                    hint: Some("name each pooling once".to_owned()),
                    option: None,
                });
            }
            poolings.push(pooling);
        }
        Ok(poolings)
    }

    /// Poolings as a script gives them.
    pub(super) fn value(poolings: &[Self]) -> OptionValue {
        match poolings {
            [pooling] => pooling.name().into(),
            several => OptionValue::List(
                several
                    .iter()
                    .map(|pooling| pooling.name().into())
                    .collect(),
            ),
        }
    }
}
