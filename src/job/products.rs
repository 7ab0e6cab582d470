//! Which products of a layer are of 8-bit numbers.

/// Which of the four products of each layer are of 8-bit numbers. The others are of the number format of activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Products {
    /// Queries, keys and values.
    pub qkv: bool,
    /// What attention gives out.
    pub output: bool,
    /// The first of the feed-forward layer, in front of GELU.
    pub expand: bool,
    /// The second of the feed-forward layer, behind GELU.
    pub contract: bool,
}

impl Products {
    /// None of them.
    pub const NONE: Self = Self {
        qkv: false,
        output: false,
        expand: false,
        contract: false,
    };

    /// All of them.
    pub const ALL: Self = Self {
        qkv: true,
        output: true,
        expand: true,
        contract: true,
    };
}
