//! What the documentation says of an option.

/// What the documentation says of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionDoc {
    /// Its name in scripts.
    pub name: &'static str,
    /// What it is where a script does not give it.
    pub default: String,
    /// What it may be.
    pub values: String,
    /// What it does.
    pub text: String,
}

impl OptionDoc {
    /// An option of a map that is an option.
    pub(super) fn inner(&self) -> String {
        format!("`{}`, {} ({})", self.name, self.text, self.default)
    }
}
