//! What an error is explained with.

use crate::script::source::Sources;
use rhai::Engine;

/// What an error is explained with.
pub(in crate::script) struct Origin<'a> {
    /// The engine that the script ran on.
    pub(in crate::script) engine: &'a Engine,
    /// The texts of the script and of its modules.
    pub(in crate::script) sources: &'a Sources,
    /// The script's name.
    pub(in crate::script) script: &'a str,
    /// Names that scripts may use without defining them.
    pub(in crate::script) constants: &'a [&'a str],
}
