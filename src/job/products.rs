//! Which products of a layer are of 8-bit numbers.

use super::{OptionValue, Problem};

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

/// A product's name in scripts, and where it is said whether it is of 8-bit numbers.
type Product = (&'static str, fn(&mut Products) -> &mut bool);

/// The products of a layer, as scripts and the literature call them, in the order in which they are computed.
const PRODUCTS: [Product; 4] = [
    ("qkv", |of| &mut of.qkv),
    ("out", |of| &mut of.output),
    ("fc1", |of| &mut of.expand),
    ("fc2", |of| &mut of.contract),
];

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

    /// How to mend what a script gave in place of names: several of them in one string, as command lines have them.
    pub(super) fn hint(given: &[OptionValue]) -> Option<String> {
        let texts = given.iter().map(|item| match item {
            OptionValue::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let texts: Vec<&str> = texts.collect::<Option<_>>()?;
        let names = texts.iter().flat_map(|text| text.split(','));
        let names: Vec<&str> = names.map(str::trim).collect();
        let are_names = names.iter().all(|name| Self::NAMES.contains(name));
        let products = Self::from_names(&names).ok().filter(|_| are_names)?;
        Some(format!(
            "write `int8_products: {}`",
            products.value().describe()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hint::Hint,
        job::{Int8, ModelSpec, OptionMap},
    };

    #[test]
    fn products_are_a_name_or_an_array_of_names() {
        let list = |names: &[&str]| {
            let names = names.iter().map(|&name| name.into());
            OptionValue::List(names.collect())
        };
        let names = |value| {
            let of_int8 = ("dtype".to_owned(), "int8".into());
            let map: OptionMap = [("int8_products".to_owned(), value), of_int8].into();
            let products = ModelSpec::from_map("a/model", map).map(|spec| spec.int8.products);
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
            "fc2 costs more accuracy than another"
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
        let array = "(write `int8_products: [\"qkv\", \"out\"]`)";
        check("qkv,out".into(), array);
        check(list(&["qkv, out"]), array);
        check(
            list(&["qkv", "out, fc1"]),
            "write `int8_products: [\"qkv\", \"out\", \"fc1\"]`",
        );
        // What is no name even then gets the nearest one, or none.
        for other in ["qkv,fc3", "qkv,qkv", "fc3"] {
            let text = names(other.into()).unwrap_err().in_full();
            assert!(!text.contains("write"), "{text}");
        }
    }
}
