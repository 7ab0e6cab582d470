//! What is wrong with a script, before it is known where.

use crate::{
    error::{Error, exit_code},
    hint::Hint,
    job::{Problem, nearest},
};

/// What is wrong, before it is known where.
pub(super) struct Finding {
    pub(super) message: String,
    pub(super) hints: Vec<String>,
    pub(super) exit_code: u8,
    /// Problems to point at each on its own, if there are several.
    pub(super) problems: Vec<Problem>,
}

impl Finding {
    pub(super) fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            message: message.into(),
            hints: hint.into_iter().collect(),
            exit_code: exit_code::SCRIPT,
            problems: Vec::new(),
        }
    }

    pub(super) fn of_limit((message, hint): (String, &str)) -> Self {
        Self::new(message, Some(hint.to_owned()))
    }

    /// What an error of the program says.
    pub(super) fn of_error(error: &Error) -> Self {
        let mut finding = Self::new(error.to_string(), error.hint());
        finding.exit_code = error.exit_code();
        if let Error::Plan(problems) = error {
            finding.problems = problems.0.clone();
            if problems.0.len() > 1 {
                finding.message = format!("{} options are wrong", problems.0.len());
                finding.hints = problems.0.iter().map(Problem::in_full).collect();
            }
        }
        finding
    }
}

/// The name among `names` that may be meant.
pub(super) fn did_you_mean(name: &str, names: &[&str]) -> Option<String> {
    nearest(name, names).map(|near| format!("did you mean `{near}`?"))
}

/// The engine's messages begin with a capital letter; ours do not.
pub(super) fn lower_first(message: &str) -> String {
    let mut rest = message.chars();
    match rest.next() {
        Some(first) => first.to_lowercase().chain(rest).collect(),
        None => String::new(),
    }
}
