//! Number formats.

/// A number format. In int8, linear layers multiply whole numbers of eight bits with factors, and all else is in
/// [`activations`](Self::activations).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// Whole numbers from -127 to 127.
    Int8,
}

impl Dtype {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Bf16, Self::Int8];

    /// Those in which a number stands for itself, without a factor beside it: files of weights are in these.
    pub const FLOATS: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    /// Every format's name in scripts.
    pub const NAMES: [&str; Self::ALL.len()] = names(Self::ALL);

    /// The names of [`FLOATS`](Self::FLOATS).
    pub const FLOAT_NAMES: [&str; Self::FLOATS.len()] = names(Self::FLOATS);

    /// The format with this name in scripts.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|dtype| dtype.name() == name)
    }

    /// The format's name in scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// Bytes of a number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Int8 => 1,
        }
    }

    /// The format of what a model in this one computes between its linear layers, on a GPU.
    pub const fn activations(self) -> Self {
        match self {
            Self::Int8 => Self::Bf16,
            float => float,
        }
    }

    /// Whether it is a float that rounds so coarsely that the tanh form of GELU is as good as the erf form.
    pub const fn is_half(self) -> bool {
        match self {
            Self::F32 | Self::Int8 => false,
            Self::F16 | Self::Bf16 => true,
        }
    }
}

/// The names of some formats.
const fn names<const N: usize>(formats: [Dtype; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut n = 0;
    while n < N {
        names[n] = formats[n].name();
        n += 1;
    }
    names
}
