//! Reads option maps and reports everything that is wrong with them at once.

use super::{OptionMap, OptionValue, Problem, Problems, problem::unknown_option};
use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// Takes known options out of a map, one by one, and collects the problems.
///
/// An option with a problem reads as `None`, like an absent one; [`OptionReader::finish`] then
/// refuses the whole map, so a default never stands in for a mistake.
pub(super) struct OptionReader {
    options: OptionMap,
    problems: Problems,
}

impl OptionReader {
    /// A reader for `options`, of which only the `valid` ones may be there.
    pub(super) fn new(mut options: OptionMap, valid: &[&str]) -> Self {
        let mut problems = Problems::default();
        let unknown: Vec<String> = options
            .keys()
            .filter(|name| !valid.contains(&name.as_str()))
            .cloned()
            .collect();
        for name in unknown {
            let all = quoted(valid);
            let hint = match nearest(&name, valid) {
                Some(near) => format!("did you mean `{near}`? valid: {all}"),
                None => format!("valid: {all}"),
            };
            problems.add_option(&name, unknown_option(&name), Some(hint));
            options.remove(&name);
        }
        Self { options, problems }
    }

    /// A whole number within `range`.
    pub(super) fn whole(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        match self.take(name)? {
            OptionValue::Whole(number) if range.contains(&number) => Some(number),
            other => self.refuse(name, &whole_in(&range), &other),
        }
    }

    /// A length of time in seconds, whole or decimal, within `range`.
    pub(super) fn seconds(&mut self, name: &str, range: RangeInclusive<f64>) -> Option<f64> {
        self.decimal(name, &range, "seconds")
    }

    /// A number, whole or decimal, within `range`.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<f64>) -> Option<f64> {
        self.decimal(name, &range, "a number")
    }

    /// The options of a map of its own, as `read` understands them.
    pub(super) fn map<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(OptionMap) -> Result<T, Problems>,
    ) -> Option<T> {
        match self.take(name)? {
            OptionValue::Map(map) => match read(map) {
                Ok(value) => Some(value),
                Err(problems) => {
                    self.problems.0.extend(problems.0);
                    None
                }
            },
            other => self.refuse(name, "a map, such as #{ name: value }", &other),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            OptionValue::Flag(flag) => Some(flag),
            other => self.refuse(name, "true or false", &other),
        }
    }

    /// A string that is not empty, for instance "a path".
    pub(super) fn text(&mut self, name: &str, expected: &str) -> Option<String> {
        match self.take(name)? {
            OptionValue::Text(text) if !text.is_empty() => Some(text),
            other => self.refuse(name, expected, &other),
        }
    }

    /// A string that is not empty and that `check` accepts.
    pub(super) fn checked_text(
        &mut self,
        name: &str,
        expected: &str,
        check: impl FnOnce(&str) -> Result<(), Problem>,
    ) -> Option<String> {
        let text = self.text(name, expected)?;
        match check(&text) {
            Ok(()) => Some(text),
            Err(problem) => {
                self.problems.0.push(Problem {
                    option: Some(name.to_owned()),
                    ..problem
                });
                None
            }
        }
    }

    /// A path that `check` accepts.
    pub(super) fn checked_path(
        &mut self,
        name: &str,
        expected: &str,
        check: impl FnOnce(&Path) -> Result<(), Problem>,
    ) -> Option<PathBuf> {
        let check = |text: &str| check(Path::new(text));
        self.checked_text(name, expected, check).map(PathBuf::from)
    }

    /// One of the strings `names`, as `parse` understands it.
    pub(super) fn choice<T>(
        &mut self,
        name: &str,
        names: &[&str],
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let OptionValue::Text(text) = &value else {
            return self.refuse(name, &one_of(names), &value);
        };
        if let Some(choice) = parse(text) {
            return Some(choice);
        }
        self.refuse_name(name, "is", text, names, None);
        None
    }

    /// One of the strings `names`, or an array of them that is not empty, which `read` brings together.
    pub(super) fn choices(
        &mut self,
        name: &str,
        names: &[&str],
        is_name: impl Fn(&str) -> bool,
        hint: impl Fn(&[OptionValue]) -> Option<String>,
        read: impl FnOnce(&[&str]) -> Result<(), Problem>,
    ) {
        let Some(value) = self.take(name) else {
            return;
        };
        let items = value.items();
        let texts = items.iter().map(|item| match item {
            OptionValue::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let texts: Option<Vec<&str>> = texts.collect();
        let Some(texts) = texts.filter(|texts| !texts.is_empty()) else {
            let message = format!(
                "`{name}` is {}, but must be {}, or an array of such names",
                value.describe(),
                one_of(names)
            );
            self.problems.add_option(name, message, hint(items));
            return;
        };
        let verb = match value {
            OptionValue::List(_) => "names",
            _ => "is",
        };
        let mut unknown = texts.iter().filter(|text| !is_name(text)).peekable();
        if unknown.peek().is_some() {
            unknown.for_each(|text| self.refuse_name(name, verb, text, names, hint(items)));
        } else if let Err(problem) = read(&texts) {
            self.problems.0.push(Problem {
                option: Some(name.to_owned()),
                ..problem
            });
        }
    }

    /// Refuses a string that is none of `names`, with a hint or else the nearest of them.
    fn refuse_name(
        &mut self,
        option: &str,
        verb: &str,
        text: &str,
        names: &[&str],
        hint: Option<String>,
    ) {
        let must = match verb {
            "is" => "must be",
            _ => "each must be",
        };
        let message = format!("`{option}` {verb} \"{text}\", but {must} {}", one_of(names));
        let nearest = || nearest(text, names).map(|near| format!("did you mean \"{near}\"?"));
        self.problems
            .add_option(option, message, hint.or_else(nearest));
    }

    /// A whole number, or an array of different whole numbers that is not empty.
    pub(super) fn whole_list(&mut self, name: &str) -> Option<Vec<i64>> {
        let value = self.take(name)?;
        let numbers: Option<Vec<i64>> = match &value {
            OptionValue::Whole(number) => Some(vec![*number]),
            OptionValue::List(items) if !items.is_empty() => items
                .iter()
                .map(|item| match item {
                    OptionValue::Whole(number) => Some(*number),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        match numbers {
            Some(numbers) if (1..numbers.len()).all(|n| !numbers[..n].contains(&numbers[n])) => {
                Some(numbers)
            }
            _ => {
                let expected =
                    "an array of different whole numbers, such as [6] or [0, -1], or one";
                self.refuse(name, expected, &value)
            }
        }
    }

    /// An array of different strings that are not empty, or a string of them with commas between.
    pub(super) fn text_list(&mut self, name: &str, expected: &str) -> Option<Vec<String>> {
        let value = self.take(name)?;
        let texts: Option<Vec<&str>> = match &value {
            OptionValue::Text(text) => Some(text.split(',').map(str::trim).collect()),
            OptionValue::List(items) => items
                .iter()
                .map(|item| match item {
                    OptionValue::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        let is_good =
            |n: usize, texts: &[&str]| !texts[n].is_empty() && !texts[..n].contains(&texts[n]);
        match texts {
            Some(texts) if !texts.is_empty() && (0..texts.len()).all(|n| is_good(n, &texts)) => {
                Some(texts.into_iter().map(str::to_owned).collect())
            }
            _ => self.refuse(name, expected, &value),
        }
    }

    /// Refuses an option, whatever it is.
    pub(super) fn refuse_any(&mut self, name: &str, expected: &str) {
        if let Some(value) = self.take(name) {
            self.refuse::<()>(name, expected, &value);
        }
    }

    /// `value` if there was no problem, else all problems.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Problems> {
        assert!(
            !self.problems.0.is_empty() || self.options.is_empty(),
            "an option is called valid and never read: {:?}",
            self.options
        );
        self.problems.none_or(value)
    }

    fn take(&mut self, name: &str) -> Option<OptionValue> {
        // `()` is how a script says "no value", for instance from a map that it made itself.
        self.options
            .remove(name)
            .filter(|value| *value != OptionValue::Nothing)
    }

    /// A number, whole or decimal, within `range`; `what` it is, for people.
    fn decimal(&mut self, name: &str, range: &RangeInclusive<f64>, what: &str) -> Option<f64> {
        let value = self.take(name)?;
        let number = match value {
            OptionValue::Whole(number) => Some(number as f64),
            OptionValue::Decimal(number) => Some(number),
            _ => None,
        };
        match number {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                let expected = format!("{what} from {} to {}", range.start(), range.end());
                self.refuse(name, &expected, &value)
            }
        }
    }

    fn refuse<T>(&mut self, name: &str, expected: &str, value: &OptionValue) -> Option<T> {
        let message = format!("`{name}` is {}, but must be {expected}", value.describe());
        self.problems.add_option(name, message, None);
        None
    }
}

/// What other programs call the things that have names here.
const NAMES_ELSEWHERE: [(&str, &str); 30] = [
    ("batch_size", "token_budget"),
    ("max_tokens", "token_budget"),
    ("tokens_per_batch", "token_budget"),
    ("per_residue", "residues"),
    ("repr_layers", "layers"),
    ("workers", "readers"),
    ("num_workers", "readers"),
    ("threads", "readers"),
    ("force", "overwrite"),
    ("gpu", "cuda"),
    ("gpus", "cuda:all"),
    ("all", "cuda:all"),
    ("fp32", "f32"),
    ("float", "f32"),
    ("float32", "f32"),
    ("fp16", "f16"),
    ("half", "f16"),
    ("float16", "f16"),
    ("bfloat16", "bf16"),
    ("avg", "mean"),
    ("average", "mean"),
    ("bos", "cls"),
    ("first", "take"),
    ("head", "take"),
    ("limit", "take"),
    ("speed", "tokens_per_sec"),
    ("throughput", "tokens_per_sec"),
    ("length", "len"),
    ("count", "len"),
    ("size", "len"),
];

/// The name among `names` that `name` was most likely meant to be.
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    const SIMILAR: f64 = 0.7;
    let lower = name.to_lowercase();
    names
        .iter()
        .map(|candidate| {
            // The first measure finds typing errors, the second abbreviations: `out` for `output`.
            let typing = strsim::normalized_damerau_levenshtein(&lower, candidate);
            let beginning = strsim::jaro_winkler(&lower, candidate) - 0.15;
            (typing.max(beginning), *candidate)
        })
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
        .or_else(|| {
            let (_, here) = NAMES_ELSEWHERE.iter().find(|(there, _)| *there == lower)?;
            names.iter().copied().find(|candidate| candidate == here)
        })
}

/// "one of \"mean\", \"max\", \"cls\"".
pub(super) fn one_of(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("one of {}", names.join(", "))
}

/// "a whole number from 1 to 256", or "a whole number of at least 1".
pub(super) fn whole_in(range: &RangeInclusive<i64>) -> String {
    if *range.end() == i64::MAX {
        format!("a whole number of at least {}", range.start())
    } else {
        format!("a whole number from {} to {}", range.start(), range.end())
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    #[test]
    fn nearest_names() {
        let names = [
            "readers",
            "prefetch",
            "token_budget",
            "pooling",
            "residues",
            "layers",
            "output",
        ];
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(nearest(name, &names), expect, "{name}");
        };
        check("prefech", Some("prefetch"));
        check("Readers", Some("readers"));
        check("reader", Some("readers"));
        check("tokenbudget", Some("token_budget"));
        check("layer", Some("layers"));
        check("out", Some("output"));
        check("colour", None);
        check("x", None);
        check("batch_size", Some("token_budget"));
        check("repr_layers", Some("layers"));
        check("per_residue", Some("residues"));
        // It is no misspelt `cpu`, and only what is there can be meant.
        assert_eq!(nearest("gpu", &["cpu", "cuda"]), Some("cuda"));
        assert_eq!(nearest("gpu", &["cpu", "mock"]), None);
    }

    #[test]
    fn every_problem_is_reported() {
        let options = OptionMap::from([
            ("reders".to_owned(), OptionValue::Whole(3)),
            ("count".to_owned(), OptionValue::Whole(0)),
            ("flag".to_owned(), OptionValue::Text("yes".to_owned())),
            ("fine".to_owned(), OptionValue::Nothing),
        ]);
        let mut reader = OptionReader::new(options, &["readers", "count", "flag", "fine"]);
        assert_eq!(reader.whole("readers", 1..=9), None);
        assert_eq!(reader.whole("count", 1..=9), None);
        assert_eq!(reader.flag("flag"), None);
        assert_eq!(reader.flag("fine"), None);
        let problems = reader.finish(()).unwrap_err();
        assert_eq!(
            problems.in_full(),
            "unknown option `reders`; `count` is 0, but must be a whole number from 1 to 9; `flag` \
             is \"yes\", but must be true or false (`reders`: did you mean `readers`? valid: \
             `readers`, `count`, `flag`, `fine`)"
        );
    }

    #[test]
    fn lists_hold_different_whole_numbers() {
        let check = |value: OptionValue, expect: Option<Vec<i64>>| {
            let options = OptionMap::from([("layers".to_owned(), value)]);
            let numbers = OptionReader::new(options, &["layers"]).whole_list("layers");
            assert_eq!(numbers, expect);
        };
        let list = |items: &[i64]| {
            OptionValue::List(items.iter().map(|n| OptionValue::Whole(*n)).collect())
        };
        check(OptionValue::Whole(6), Some(vec![6]));
        check(list(&[0, -1]), Some(vec![0, -1]));
        check(list(&[]), None);
        check(list(&[3, 3]), None);
        check(OptionValue::Text("last".to_owned()), None);
    }
}
