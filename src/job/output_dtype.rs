//! Number formats of what is written.

/// The number format of the values of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputDtype {
    /// IEEE half precision: half the size, and the largest number is 65,504.
    F16,
    /// IEEE single precision.
    F32,
}

impl OutputDtype {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::F16, Self::F32];

    /// Every format's name in scripts.
    pub const NAMES: [&str; Self::ALL.len()] = [Self::ALL[0].name(), Self::ALL[1].name()];

    /// The format with this name in scripts.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// The format's name in scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }

    /// Bytes of a number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}
