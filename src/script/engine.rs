//! The script engine, set up.

use super::{
    api,
    limits::{
        MAX_ARRAY_ITEMS, MAX_CALL_LEVELS, MAX_EXPRESSION_DEPTHS, MAX_MAP_ENTRIES, MAX_STRING_BYTES,
    },
    memory::{Allowance, TooMuchMemory},
    modules::Modules,
    session::Session,
    source::Sources,
};
use crate::{cancel::CancelToken, progress::Console};
use rhai::{Dynamic, Engine, Module, Scope, Token};
use std::time::Instant;

/// What an engine is built from.
pub(super) struct Setup {
    pub(super) session: Session,
    pub(super) sources: Sources,
    /// Names that scripts and modules may use without defining them.
    pub(super) constants: Scope<'static>,
    /// Where `print` goes, if anywhere.
    pub(super) console: Option<Console>,
    pub(super) cancel: CancelToken,
    /// When a look ahead ends, if this is one.
    pub(super) deadline: Option<Instant>,
}

/// An engine that knows the script API and stops when it is told to.
pub(super) fn build(setup: Setup) -> Engine {
    let Setup {
        session,
        sources,
        constants,
        console,
        cancel,
        deadline,
    } = setup;
    let is_foresight = deadline.is_some();
    let (module_session, allowance_session) = (session.clone(), session.clone());
    let mut engine = Engine::new();
    engine
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_call_levels(MAX_CALL_LEVELS)
        .set_max_expr_depths(MAX_EXPRESSION_DEPTHS.0, MAX_EXPRESSION_DEPTHS.1)
        .set_max_string_size(MAX_STRING_BYTES)
        .set_max_array_size(MAX_ARRAY_ITEMS)
        .set_max_map_size(MAX_MAP_ENTRIES)
        .set_default_tag(Dynamic::from(session));
    let_words_be_names(&mut engine);
    api::register(&mut engine);

    // Functions and modules do not see the script's scope; they do see global constants.
    let mut globals = Module::new();
    for (name, _, value) in constants.iter() {
        globals.set_var(name, value);
    }
    engine.register_global_module(globals.into());
    engine.set_module_resolver(Modules::new(module_session, sources, constants));

    let output = console.clone();
    engine.on_print(move |text| {
        if let Some(console) = &output {
            console.print(text);
        }
    });
    engine.on_debug(move |text, source, position| {
        if is_foresight {
            return;
        }
        let source = source.unwrap_or("script");
        let line = position.line().unwrap_or(0);
        tracing::debug!(target: "script", "{source}:{line}: {text}");
    });
    let allowance = Allowance::new(allowance_session);
    engine.on_progress(move |n_operations| {
        if let Some(reason) = cancel.reason() {
            return Some(Dynamic::from(reason));
        }
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Some(Dynamic::UNIT);
        }
        if allowance.is_exceeded(n_operations) {
            return Some(Dynamic::from(TooMuchMemory));
        }
        // Nobody reads what the script prints any more, as in `runner exec a.rhai | head`.
        let is_closed = console
            .as_ref()
            .is_some_and(|console| console.failure().is_some());
        is_closed.then_some(Dynamic::UNIT)
    });
    engine
}

/// Rhai has `export` as a word of its own, for variables of modules; their functions are seen without it. Here it is
/// the name of a function. `thread` it keeps for later; here it is an option that is misspelt, which has a better hint.
#[expect(
    deprecated,
    reason = "it is not, but may change with a version of Rhai: a test of `export` would tell"
)]
fn let_words_be_names(engine: &mut Engine) {
    engine.on_parse_token(|token, _, _| match token {
        Token::Export => Token::Identifier(Box::new("export".into())),
        Token::Reserved(word) if *word == "thread" => Token::Identifier(word),
        other => other,
    });
}
