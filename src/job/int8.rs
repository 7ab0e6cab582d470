//! How a model computes in int8, and how near it has to come to bf16.

use super::{OptionValue, Problem, Products};

/// How a model computes in int8, and how near it has to come to bf16.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Int8 {
    /// Which products are of 8-bit numbers; the others are in bf16.
    pub products: Products,
    /// The least cosine of the pooled vectors of a protein in int8 and in bf16 with which the model is used.
    pub accept_accuracy: f64,
}

/// The products of a layer, as scripts and the literature call them, in the order in which they are computed.
const PRODUCTS: [Product; 4] = [
    ("qkv", |of| &mut of.qkv),
    ("out", |of| &mut of.output),
    ("fc1", |of| &mut of.expand),
    ("fc2", |of| &mut of.contract),
];

/// A product's name in scripts, and where it is said whether it is of 8-bit numbers.
type Product = (&'static str, fn(&mut Products) -> &mut bool);

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
}

impl Products {
    /// The name of each product in scripts.
    pub const NAMES: [&str; PRODUCTS.len()] = {
        let mut names = [""; PRODUCTS.len()];
        let mut n = 0;
        while n < names.len() {
            names[n] = PRODUCTS[n].0;
            n += 1;
        }
        names
    };

    /// The products of these names, each of which is one of [`NAMES`](Self::NAMES).
    ///
    /// # Errors
    /// A name that stands twice.
    pub fn from_names(names: &[&str]) -> Result<Self, Problem> {
        let mut products = Self::NONE;
        for (name, place) in PRODUCTS {
            match names.iter().filter(|given| **given == name).count() {
                0 => {}
                1 => *place(&mut products) = true,
                _ => {
                    return Err(Problem {
                        message: format!("`int8_products` names \"{name}\" twice"),
                        hint: Some("name each product once".to_owned()),
                        option: None,
                    });
                }
            }
        }
        Ok(products)
    }

    /// The names of those that are of 8-bit numbers.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let mut products = self;
        let names = PRODUCTS.into_iter();
        names.filter_map(move |(name, place)| place(&mut products).then_some(name))
    }

    /// As a script would write them.
    pub fn value(self) -> OptionValue {
        OptionValue::List(self.names().map(OptionValue::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hint::Hint,
        job::{ModelSpec, OptionMap, Problems},
    };

    fn read(name: &str, value: OptionValue) -> Result<Int8, Problems> {
        let of_int8 = ("dtype".to_owned(), "int8".into());
        let map: OptionMap = [(name.to_owned(), value), of_int8].into();
        ModelSpec::from_map("a/model", map).map(|spec| spec.int8)
    }

    #[test]
    fn products_are_a_name_or_an_array_of_names() {
        let list = |names: &[&str]| {
            let names = names.iter().map(|&name| name.into());
            OptionValue::List(names.collect())
        };
        let names = |value| {
            let products = read("int8_products", value).map(|int8| int8.products);
            products.map(|products| products.names().collect::<Vec<_>>())
        };
        assert_eq!(names("fc1".into()).unwrap(), ["fc1"]);
        let found = names(list(&["fc2", "qkv"]));
        assert_eq!(found.unwrap(), ["qkv", "fc2"], "in the order of a layer");
        assert_eq!(names(list(&Products::NAMES)).unwrap(), Products::NAMES);
        let usual = Int8::default().products;
        assert_eq!(
            usual.names().collect::<Vec<_>>(),
            ["qkv", "out", "fc1"],
            "fc2 costs the most accuracy"
        );
        assert_eq!(usual.value(), list(&["qkv", "out", "fc1"]));
        let check = |value, expect: &str| {
            let text = names(value).unwrap_err().in_full();
            assert!(text.contains(expect), "{text}");
        };
        check(list(&["qkv", "qkv"]), "names \"qkv\" twice");
        check(
            list(&[]),
            "must be one of \"qkv\", \"out\", \"fc1\", \"fc2\"",
        );
        check(
            "fc3".into(),
            "`int8_products` is \"fc3\", but must be one of",
        );
        check(OptionValue::Flag(true), "or an array of such names");
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
