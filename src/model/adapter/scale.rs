//! By how much the product of an adapter's matrices counts.

use crate::model::error::Reason;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;
use std::fmt;

/// Ranks, and by how much the product of two matrices of such a rank counts.
#[derive(Debug)]
pub(super) struct Scales {
    pub(super) rank: usize,
    pub(super) alpha: f64,
    /// Whether the root of the rank is what alpha is divided by.
    pub(super) use_rslora: bool,
    pub(super) ranks: Patterns<usize>,
    pub(super) alphas: Patterns<f64>,
}

/// Values of some modules, by the end of their names. The first pattern that fits counts.
#[derive(Debug, Default)]
pub(super) struct Patterns<T>(Vec<(String, T)>);

/// The entries of a map in the order of the file.
#[derive(Debug, Default)]
pub(super) struct InOrder(Vec<(String, Value)>);

impl Scales {
    /// The rank of the matrices of a module.
    pub(super) fn rank(&self, module: &str) -> usize {
        self.ranks.of(module).unwrap_or(self.rank)
    }

    /// What their product is multiplied with.
    pub(super) fn scale(&self, module: &str) -> f32 {
        let alpha = self.alphas.of(module).unwrap_or(self.alpha);
        let rank = self.rank(module) as f64;
        let divisor = if self.use_rslora { rank.sqrt() } else { rank };
        (alpha / divisor) as f32
    }
}

/// A rank: a whole number from 1, as which no division by it fails.
pub(super) fn rank(value: &Value) -> Option<usize> {
    let rank = value.as_u64().filter(|&rank| rank > 0)?;
    usize::try_from(rank).ok()
}

/// An alpha, which has to be a number in f32, too.
pub(super) fn alpha(value: &Value) -> Option<f64> {
    value.as_f64().filter(|alpha| (*alpha as f32).is_finite())
}

impl<T: Copy> Patterns<T> {
    /// The map under `key`, whose patterns are names of modules or the ends of such. `value` reads what they
    /// stand for, if it is `wanted`.
    pub(super) fn read(
        patterns: InOrder,
        key: &str,
        value: fn(&Value) -> Option<T>,
        wanted: &str,
    ) -> Result<Self, Reason> {
        let read = |(pattern, given): (String, Value)| {
            let name = pattern.strip_prefix('^').unwrap_or(&pattern);
            // PEFT takes them for regular expressions; of what those have, names have a dot at most.
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(Reason::from(format!(
                    "`{key}` has the pattern `{pattern}`, and only names of modules and their ends are understood"
                )));
            }
            match value(&given) {
                Some(value) => Ok((pattern, value)),
                None => {
                    Err(format!("`{key}` gives `{pattern}` the value {given}, not {wanted}").into())
                }
            }
        };
        Ok(Self(
            patterns.0.into_iter().map(read).collect::<Result<_, _>>()?,
        ))
    }

    fn of(&self, module: &str) -> Option<T> {
        let fits = |pattern: &str| match pattern.strip_prefix('^') {
            Some(whole) => is_like(module, whole),
            None => {
                let before = module.len().checked_sub(pattern.len());
                let split = before.and_then(|before| module.split_at_checked(before));
                split.is_some_and(|(before, rest)| {
                    (before.is_empty() || before.ends_with('.')) && is_like(rest, pattern)
                })
            }
        };
        let mut patterns = self.0.iter();
        let found = patterns.find(|(pattern, _)| fits(pattern));
        found.map(|(_, value)| *value)
    }
}

/// Whether a name is as a pattern says, in which a dot stands for any character.
fn is_like(name: &str, pattern: &str) -> bool {
    name.len() == pattern.len()
        && pattern
            .bytes()
            .zip(name.bytes())
            .all(|(wanted, found)| wanted == b'.' || wanted == found)
}

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = InOrder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names of modules")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(InOrder(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns<T: Copy>(
        text: &str,
        value: fn(&Value) -> Option<T>,
    ) -> Result<Patterns<T>, String> {
        let in_order = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Patterns::read(in_order, "some_pattern", value, "such").map_err(|reason| reason.text)
    }

    fn scales(ranks: &str, alphas: &str, use_rslora: bool) -> Scales {
        Scales {
            rank: 4,
            alpha: 8.0,
            use_rslora,
            ranks: patterns(ranks, rank).unwrap(),
            alphas: patterns(alphas, alpha).unwrap(),
        }
    }

    #[test]
    fn patterns_are_ends_of_names() {
        let query = "encoder.layer.1.attention.self.query";
        let check = |alphas: &str, expect: f32| {
            let found = scales("{}", alphas, false).scale(query);
            assert_eq!(found, expect, "{alphas}");
        };
        check("{}", 2.0);
        check(r#"{"query": 12}"#, 3.0);
        check(r#"{"self.query": 12}"#, 3.0);
        // A dot is any character to PEFT.
        check(r#"{"self.quer.": 12}"#, 3.0);
        check(r#"{"self.que.": 12}"#, 2.0);
        check(r#"{"ery": 12, "layer.1.query": 12}"#, 2.0);
        check(r#"{"^query": 12}"#, 2.0);
        check(&format!(r#"{{"^{query}": 12}}"#), 3.0);
        check(r#"{"layer.1.attention.self.query": 4, "query": 12}"#, 1.0);
        check(r#"{"query": 12, "layer.1.attention.self.query": 4}"#, 3.0);
        let of_rank = scales(r#"{"query": 2}"#, r#"{"key": 3}"#, false);
        assert_eq!((of_rank.scale(query), of_rank.scale("key")), (4.0, 0.75));
        let rooted = scales(r#"{"query": 16}"#, "{}", true);
        assert_eq!((rooted.scale(query), rooted.rank(query)), (2.0, 16));
        assert_eq!((rooted.scale("key"), rooted.rank("key")), (4.0, 4));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let check = |text: &str, expect: &str| {
            let error = patterns(text, rank).unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        check(r#"{"layer.[01].*": 2}"#, "`layer.[01].*`, and only names");
        check(r#"{"query": "2"}"#, "the value \"2\"");
        check("[2]", "a map of names of modules");
    }

    #[test]
    fn nothing_is_divided_by_what_is_no_rank() {
        for text in [
            "0",
            "0.5",
            "-1",
            "2.0",
            "1e300",
            "null",
            "18446744073709551616",
        ] {
            let error = patterns(&format!(r#"{{"query": {text}}}"#), rank).unwrap_err();
            assert!(error.contains("`query` the value"), "{error}");
        }
        for text in ["1e39", "-1e300", "null", "true"] {
            let error = patterns(&format!(r#"{{"query": {text}}}"#), alpha).unwrap_err();
            assert!(error.contains("`query` the value"), "{error}");
        }
        let largest = format!(r#"{{"query": {}}}"#, u64::MAX);
        let scales = scales(&largest, r#"{"query": 1e38}"#, false);
        assert!(scales.rank("query") > 0 && scales.scale("query").is_finite());
    }
}
