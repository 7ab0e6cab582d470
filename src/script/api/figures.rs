//! The figures of a run, as properties of it.

use super::{comment::comment, run::ScriptRun};
use crate::report::{FIGURES, Figure, Get};
use rhai::{Dynamic, FuncRegistration, INT, Module};

/// Adds a getter for each figure.
pub(super) fn add_getters(module: &mut Module) {
    for figure in FIGURES {
        FuncRegistration::new_getter(figure.name)
            .with_purity(true)
            .with_params_info(["run: &mut Run", type_name(figure)])
            .with_comments([comment(&sentence(figure))])
            .set_into_module(module, move |run: &mut ScriptRun| {
                value(figure, run.summary())
            });
    }
}

/// A figure as scripts see it.
pub(super) fn value<T>(figure: &Figure<T>, of: &T) -> Dynamic {
    let value = match figure.get {
        Get::Whole(get) => get(of).map(|number| Dynamic::from_int(number as INT)),
        Get::Decimal(get) => get(of).map(Dynamic::from_float),
        Get::Text(get) => get(of).map(Dynamic::from),
    };
    value.unwrap_or(Dynamic::UNIT)
}

/// The type of a figure as Rust names it, from which the engine makes the name that scripts know.
fn type_name(figure: &Figure) -> &'static str {
    match figure.get {
        _ if figure.missing.is_some() => "Dynamic",
        Get::Whole(_) => "INT",
        Get::Decimal(_) => "FLOAT",
        Get::Text(_) => "String",
    }
}

fn sentence(figure: &Figure) -> String {
    let missing = figure.missing.map(|where_| format!(", or `()` {where_}"));
    format!("Returns {}{}.", figure.doc, missing.unwrap_or_default())
}
