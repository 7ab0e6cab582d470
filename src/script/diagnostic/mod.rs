//! What is wrong with a script, where, and how to mend it.
//!
//! *Input*: an error of the script engine and the texts of script and modules. *Output*: a report
//! with the lines at fault, a caret and a hint. *Owns*: the wording of script errors. *Never*:
//! prints.

mod call;
mod explain;
mod finding;
mod habit;
mod limit;
mod locate;
mod origin;
mod render;
mod signature;

use crate::error::{Error, exit_code};
use finding::Finding;
use std::{ops::Range, rc::Rc};

pub(super) use explain::diagnose;
pub(super) use origin::Origin;

/// An error of a script.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// What is wrong, a fragment without a final dot.
    pub message: String,
    /// The exit code of a program that ends with it.
    pub exit_code: u8,
    /// Where it is, the place at fault first, then the calls that led there.
    places: Vec<Place>,
    /// How to mend it.
    hints: Vec<String>,
}

/// A place in a script or module.
#[derive(Clone, Debug)]
struct Place {
    /// The file's name.
    name: String,
    /// The file's text.
    text: Rc<str>,
    /// How the place took part, for calls that led to the place at fault.
    role: Option<String>,
    /// Byte ranges of the text, each with what to say about it.
    marks: Vec<(Range<usize>, String)>,
}

impl Diagnostic {
    /// An error without a place, for instance a script that cannot be read.
    pub fn without_place(message: String, hint: Option<String>) -> Self {
        Self {
            message,
            exit_code: exit_code::SCRIPT,
            places: Vec::new(),
            hints: hint.into_iter().collect(),
        }
    }

    /// An error of the program that no script called forth.
    pub fn of_error(error: &Error) -> Self {
        let finding = Finding::of_error(error);
        Self {
            message: finding.message,
            exit_code: finding.exit_code,
            places: Vec::new(),
            hints: finding.hints,
        }
    }

    /// An error that no part of the script or of a station has, with its own exit code.
    pub fn of_the_program(message: String, hint: Option<String>, exit_code: u8) -> Self {
        Self {
            exit_code,
            ..Self::without_place(message, hint)
        }
    }

    /// The same with other words for how to mend it.
    pub fn with_hints(mut self, reword: impl Fn(&str) -> String) -> Self {
        self.hints = self.hints.iter().map(|hint| reword(hint)).collect();
        self
    }

    /// How to mend it, in one line, if there is something to say.
    pub fn hint(&self) -> Option<String> {
        (!self.hints.is_empty()).then(|| self.hints.join("; "))
    }
}
