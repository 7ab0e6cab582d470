//! What is not the same in an output and in what a script asks for.

use std::fmt;

/// An entry of two identities that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub name: String,
    /// What the output has.
    pub was: Option<String>,
    /// What the script asks for.
    pub is: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let Self { name, was, is } = self;
        write!(
            f,
            "{name}: it has {}, the script asks for {}",
            shown(was),
            shown(is)
        )
    }
}
