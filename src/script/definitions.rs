//! The script API as a definitions file, for editors and for readers.

use super::{
    Rehearsal, constants,
    engine::{self, Setup},
    session::Session,
    source::Sources,
};
use crate::cancel::CancelToken;

/// The text of `scripts/runner.d.rhai`: every function, property and constant, with documentation.
pub fn definitions() -> String {
    let (host, _) = Rehearsal::new();
    let constants = constants("", &[]);
    let engine = engine::build(Setup {
        session: Session::new(Box::new(host)),
        sources: Sources::default(),
        constants: constants.clone(),
        console: None,
        cancel: CancelToken::default(),
    });
    let text = engine
        .definitions_with_scope(&constants)
        .include_standard_packages(false)
        .single_file();
    // Blank lines at the end depend on which sections are empty.
    let mut text = text.trim_end().to_owned();
    text.push('\n');
    text
}
