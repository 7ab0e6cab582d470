//! What is wrong with a plan: every problem at once.

use crate::hint::Hint;
use std::fmt;

/// One thing that is wrong, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, without a final dot.
    pub message: String,
    /// How to mend it, if there is something to say.
    pub hint: Option<String>,
    /// The option that is at fault, if it is one; a script's diagnostic points at it.
    pub option: Option<String>,
}

/// All that is wrong with a plan. Never empty when returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds a problem.
    pub fn add(&mut self, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Problem {
            message: message.into(),
            hint,
            option: None,
        });
    }

    /// Adds a problem with the option `option`.
    pub fn add_option(&mut self, option: &str, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Problem {
            message: message.into(),
            hint,
            option: Some(option.to_owned()),
        });
    }

    /// A single problem.
    pub fn one(message: impl Into<String>, hint: Option<String>) -> Self {
        let mut problems = Self::default();
        problems.add(message, hint);
        problems
    }

    /// The same, where an unknown option that is one of `names` is told to be an option of `call`.
    pub fn at_home(mut self, names: &[&str], call: &str) -> Self {
        for problem in &mut self.0 {
            let Some(name) = problem.option.as_deref() else {
                continue;
            };
            if names.contains(&name) && problem.message == unknown_option(name) {
                problem.hint = Some(format!("it is an option of `{call}`"));
            }
        }
        self
    }

    /// `value` if there is no problem, else all problems.
    pub fn none_or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

/// What is said of an option that there is not.
pub(super) fn unknown_option(name: &str) -> String {
    format!("unknown option `{name}`")
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&problem.message)?;
        }
        Ok(())
    }
}

impl Hint for Problems {
    fn hint(&self) -> Option<String> {
        let hints: Vec<String> = match self.0.as_slice() {
            [problem] => problem.hint.iter().cloned().collect(),
            several => several.iter().filter_map(Problem::named_hint).collect(),
        };
        (!hints.is_empty()).then(|| hints.join("; "))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Hint for Problem {
    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl Problem {
    /// How to mend it, with the option that it is about, to stand among the hints of others.
    pub fn named_hint(&self) -> Option<String> {
        let hint = self.hint.as_ref()?;
        Some(match &self.option {
            Some(option) => format!("`{option}`: {hint}"),
            None => hint.clone(),
        })
    }
}
