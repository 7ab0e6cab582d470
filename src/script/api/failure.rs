//! The error that a script catches when the program fails.

use crate::{
    error::{Error, exit_code},
    hint::Hint,
    monitor::MonitorError,
};
use rhai::plugin::*;
use std::rc::Rc;

/// An error of the program inside a script. It keeps its exit code through `try`, `catch` and
/// `throw`.
#[derive(Clone)]
pub(in crate::script) struct Failure(Rc<Error>);

impl Failure {
    pub(in crate::script) fn new(error: Error) -> Self {
        Self(Rc::new(error))
    }

    pub(in crate::script) fn error(&self) -> &Error {
        &self.0
    }

    fn kind(&self) -> &'static str {
        match *self.0 {
            ref bug if bug.exit_code() == exit_code::BUG => "bug",
            Error::Reader(_) => "reader",
            Error::Sink(_) | Error::File(_) | Error::Report(_) => "output",
            Error::Monitor(MonitorError::File(_)) => "output",
            ref other => match other.exit_code() {
                exit_code::SCRIPT => "plan",
                exit_code::INPUT => "input",
                exit_code::MODEL => "model",
                exit_code::DEVICE => "device",
                _ => "bug",
            },
        }
    }
}

#[export_module]
pub(super) mod failure_api {
    use super::*;

    pub type Error = Failure;

    /// Returns what went wrong, and how to mend it.
    ///
    /// # Example
    ///
    /// ```rhai
    /// try {
    ///     embed(esm2("models/esm2"), fasta("missing.fa"));
    /// } catch (err) {
    ///     print(err.message);
    /// }
    /// ```
    #[rhai_fn(get = "message", pure)]
    pub fn message(error: &mut Error) -> String {
        error.error().in_full()
    }

    /// Returns what kind of thing went wrong: `plan` (the script's options), `input`, `reader`,
    /// `model`, `device`, `output` or `bug`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// try {
    ///     esm2("models/missing");
    /// } catch (err) {
    ///     if err.kind != "model" { throw err; }
    /// }
    /// ```
    #[rhai_fn(get = "kind", pure)]
    pub fn kind(error: &mut Error) -> String {
        error.kind().to_owned()
    }

    /// Returns the message of the error.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(error: &mut Error) -> String {
        error.error().in_full()
    }

    /// Returns whether two errors say the same.
    #[rhai_fn(name = "==", pure)]
    pub fn equals(a: &mut Error, b: Error) -> bool {
        a.error().in_full() == b.error().in_full()
    }
}
