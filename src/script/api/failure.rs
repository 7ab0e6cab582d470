//! The error that a script catches when the program fails.

use crate::{hint::Hint, script::failure::Failure};
use rhai::plugin::*;

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
