//! How GELU is computed.

use super::{Dtype, GeluForm};

/// How GELU is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gelu {
    /// The erf form that ESM-2 was trained with in f32; in half precision on a GPU the tanh form,
    /// which is fused into the product before it and moves embeddings less than rounding does.
    #[default]
    Auto,
    /// The erf form.
    Exact,
}

impl Gelu {
    /// Every form's name in scripts.
    pub const NAMES: [&str; 2] = ["auto", "exact"];

    /// The form with this name in scripts.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "exact" => Some(Self::Exact),
            _ => None,
        }
    }

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Exact => "exact",
        }
    }

    /// The form that is computed in `dtype`.
    pub fn form(self, dtype: Dtype) -> GeluForm {
        match self {
            Self::Auto if dtype.is_half() => GeluForm::Tanh,
            Self::Auto | Self::Exact => GeluForm::Erf,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_half_precision_approximates_gelu() {
        let check = |gelu: Gelu, dtype: Dtype, expect: &str| {
            assert_eq!(gelu.form(dtype).name(), expect, "{gelu:?} {dtype:?}");
        };
        check(Gelu::Auto, Dtype::Bf16, "tanh");
        check(Gelu::Auto, Dtype::F16, "tanh");
        check(Gelu::Auto, Dtype::Int8, "erf");
        check(Gelu::Auto, Dtype::F32, "erf");
        check(Gelu::Exact, Dtype::Bf16, "erf");
    }
}
