//! What can be called, and under which names.

use crate::script::api::TYPES;
use rhai::Engine;

/// What is written as a function, whatever its first argument is.
const FUNCTIONS: [&str; 8] = [
    "embed",
    "contacts",
    "contact_map",
    "contact_table",
    "attention_maps",
    "score",
    "perplexity",
    "export",
];

/// A function that scripts can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// The name, without the prefix of property getters.
    pub(super) name: String,
    /// Whether it is read like a property, without parentheses.
    pub(super) is_property: bool,
    /// Parameters: name and type.
    pub(super) parameters: Vec<(String, String)>,
    returns: String,
}

impl Signature {
    /// Every function and property of `engine`.
    pub(super) fn all(engine: &Engine) -> Vec<Self> {
        engine.collect_fn_metadata(
            None,
            |function| {
                let function = function.metadata;
                let (is_property, name) = match function.name.strip_prefix("get$") {
                    Some(name) => (true, name),
                    None => (false, function.name.as_str()),
                };
                let parameters = function
                    .params_info
                    .iter()
                    .map(|parameter| parameter.split_once(':').unwrap_or((parameter, "?")))
                    .map(|(name, type_name)| {
                        let name = name.trim();
                        let name = name.strip_prefix("mut ").unwrap_or(name);
                        (name.to_owned(), plain_type(type_name))
                    })
                    // The engine passes its context by itself.
                    .filter(|(_, type_name)| type_name != "NativeCallContext")
                    .collect();
                (!name.contains('$')).then(|| Self {
                    name: name.to_owned(),
                    is_property,
                    parameters,
                    returns: plain_type(&function.return_type),
                })
            },
            true,
        )
    }

    /// Whether it can be called on a value of this type.
    pub(super) fn is_of(&self, type_name: &str) -> bool {
        self.parameters
            .first()
            .is_some_and(|(_, first)| first == type_name)
    }

    /// The call as a script author would write it down.
    pub(super) fn describe(&self) -> String {
        let typed: Vec<_> = self
            .parameters
            .iter()
            .map(|(name, type_name)| format!("{name}: {type_name}"))
            .collect();
        let returns = &self.returns;
        match typed.split_first() {
            // What belongs to a type of this program is written as a method, but for what does something with it.
            Some((_, rest))
                if TYPES.iter().any(|known| self.is_of(known))
                    && !FUNCTIONS.contains(&self.name.as_str()) =>
            {
                let type_name = &self.parameters[0].1;
                format!(
                    "{type_name}.{}({}) -> {returns}",
                    self.name,
                    rest.join(", ")
                )
            }
            _ => format!("{}({}) -> {returns}", self.name, typed.join(", ")),
        }
    }
}

/// A type's name as scripts know it.
pub(super) fn plain_type(rust_name: &str) -> String {
    let name = rust_name.trim().trim_start_matches("&mut ").trim();
    let name = name
        .strip_prefix("RhaiResultOf<")
        .and_then(|name| name.strip_suffix('>'))
        .unwrap_or(name)
        .trim();
    match name {
        "i64" | "INT" => "int",
        "f64" | "FLOAT" => "float",
        "&str" | "String" | "ImmutableString" | "&str | ImmutableString | String" => "string",
        "Array" => "array",
        "Map" => "map",
        "Dynamic" => "?",
        "FnPtr" => "Fn",
        "" => "()",
        other => other,
    }
    .to_owned()
}
