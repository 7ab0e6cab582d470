//! How a model computes in int8, and how near it has to come to bf16.

use super::{OptionMap, OptionValue, Problems, Products};

/// How a model computes in int8, and how near it has to come to bf16.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Int8 {
    /// Which products are of 8-bit numbers; the others are in bf16.
    pub products: Products,
    /// The least cosine of the pooled vectors of a protein in int8 and in bf16 with which the model is used.
    pub accept_accuracy: f64,
}

impl Default for Int8 {
    fn default() -> Self {
        Self {
            products: Products {
                contract: false,
                ..Products::ALL
            },
            accept_accuracy: Self::USUAL_ACCURACY,
        }
    }
}

impl Int8 {
    /// The least cosine that is accepted unless a script says otherwise.
    pub const USUAL_ACCURACY: f64 = 0.999;

    /// Checks that options have none that is for models in int8 alone, as those of any other model.
    ///
    /// # Errors
    /// Every one that says something.
    pub fn refuse_options(options: &OptionMap) -> Result<(), Problems> {
        let mut problems = Problems::default();
        for name in ["int8_products", "accept_accuracy"] {
            if options
                .get(name)
                .is_some_and(|value| *value != OptionValue::Nothing)
            {
                problems.add_option(
                    name,
                    format!("`{name}` is for models in int8, and this one is not"),
                    Some(format!("add `dtype: \"int8\"`, or leave `{name}` out")),
                );
            }
        }
        problems.none_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hint::Hint, job::ModelSpec};

    fn read(name: &str, value: OptionValue) -> Result<Int8, Problems> {
        let of_int8 = ("dtype".to_owned(), "int8".into());
        let map: OptionMap = [(name.to_owned(), value), of_int8].into();
        ModelSpec::from_map("a/model", map).map(|spec| spec.int8)
    }

    #[test]
    fn options_of_int8_are_for_models_in_int8() {
        let options = [
            ("int8_products", "qkv".into()),
            ("accept_accuracy", OptionValue::Decimal(0.99)),
        ];
        for (name, value) in options {
            let map: OptionMap = [(name.to_owned(), value)].into();
            let error = ModelSpec::from_map("a/model", map).unwrap_err();
            assert_eq!(
                error.in_full(),
                format!(
                    "`{name}` is for models in int8, and this one is not (add `dtype: \"int8\"`, or leave `{name}` out)"
                )
            );
            let nothing: OptionMap = [(name.to_owned(), OptionValue::Nothing)].into();
            ModelSpec::from_map("a/model", nothing).expect("nothing is no option");
        }
    }

    #[test]
    fn an_accuracy_is_a_cosine() {
        let accept = |value| read("accept_accuracy", value).map(|int8| int8.accept_accuracy);
        assert_eq!(accept(OptionValue::Decimal(0.99)).unwrap(), 0.99);
        assert_eq!(accept(OptionValue::Whole(0)).unwrap(), 0.0);
        assert_eq!(Int8::default().accept_accuracy, 0.999);
        let text = accept(OptionValue::Whole(99)).unwrap_err().in_full();
        assert!(
            text.contains("`accept_accuracy` is 99, but must be a number from 0 to 1"),
            "{text}"
        );
    }
}
