//! The forms of GELU.

/// A form of GELU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeluForm {
    /// By the error function, as ESM-2 was trained.
    Erf,
    /// The approximation by tanh.
    Tanh,
}

impl GeluForm {
    /// The form's name in outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erf => "erf",
            Self::Tanh => "tanh",
        }
    }
}
