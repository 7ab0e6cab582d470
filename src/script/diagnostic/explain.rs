//! From an error of the engine to a diagnostic.

use super::{
    Diagnostic, Place, habit, limit, locate,
    signature::{Signature, plain_type},
};
use crate::{
    error::{Error, exit_code},
    job::{Problem, nearest},
    script::{
        api::{Failure, TYPES},
        modules::SHIPPED,
        source::Sources,
    },
};
use rhai::{Dynamic, Engine, EvalAltResult, LexError, ParseErrorType, Position};
use std::rc::Rc;

/// Characters of a message at most.
const MOST_MESSAGE_CHARS: usize = 4_000;

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

/// What is wrong, before it is known where.
struct Finding {
    message: String,
    hints: Vec<String>,
    exit_code: u8,
    /// Problems to point at each on its own, if there are several.
    problems: Vec<Problem>,
}

impl Finding {
    fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            message: message.into(),
            hints: hint.into_iter().collect(),
            exit_code: exit_code::SCRIPT,
            problems: Vec::new(),
        }
    }

    fn of_limit((message, hint): (String, &str)) -> Self {
        Self::new(message, Some(hint.to_owned()))
    }
}

/// Explains an error that ended a script.
pub(in crate::script) fn diagnose(mut error: EvalAltResult, origin: &Origin<'_>) -> Diagnostic {
    let mut file = origin.script.to_owned();
    let mut callers = Vec::new();
    // The innermost error is the one to explain; each layer around it is a call that led there.
    loop {
        let (role, next_file, inner, position) = match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                // The engine's own name of a closure says nothing to anyone.
                let role = match name.starts_with("anon$") {
                    true => "a closure is called here".to_owned(),
                    false => format!("`{name}` is called here"),
                };
                (role, source, inner, position)
            }
            EvalAltResult::ErrorInModule(name, inner, position) => {
                let role = "the module is imported here".to_owned();
                (role, name, inner, position)
            }
            innermost => {
                error = innermost;
                break;
            }
        };
        callers.extend(place(origin, &file, position, Some(role)));
        if !next_file.is_empty() {
            file = next_file;
        }
        error = *inner;
    }
    let position = error.take_position();
    let stop = Stop::new(origin, &file, position);
    let mut finding = explain(&error, &stop, origin);
    let mut places: Vec<_> = place(origin, &file, position, None).into_iter().collect();
    if let Some(place) = places.first_mut()
        && point_at_problems(place, position, &finding.problems)
        && finding.problems.len() > 1
    {
        // The messages stand beside the carets; what is left to say is how to mend them.
        finding.hints = finding.problems.iter().filter_map(named_hint).collect();
    }
    callers.reverse();
    places.append(&mut callers);
    Diagnostic {
        message: cut(&finding.message),
        exit_code: finding.exit_code,
        places,
        hints: finding.hints,
    }
}

/// Where the engine stopped.
struct Stop {
    /// The text of the script or module.
    text: Rc<str>,
    /// The byte of the text, if it is known.
    offset: Option<usize>,
}

impl Stop {
    fn new(origin: &Origin<'_>, file: &str, position: Position) -> Self {
        let text = origin.sources.get(file).unwrap_or_default();
        let offset = locate::offset(&text, position);
        Self { text, offset }
    }

    /// What stands there out of habit from another language.
    fn habit(&self) -> Option<String> {
        habit::hint(&self.text, self.offset?)
    }
}

/// A message that a script threw, or with a name in it, can be of any length. What is wrong with a name
/// stands behind it.
fn cut(message: &str) -> String {
    let mut chars = message.char_indices();
    if chars.clone().nth(MOST_MESSAGE_CHARS).is_none() {
        return message.to_owned();
    }
    let half = MOST_MESSAGE_CHARS / 2;
    let (Some((head, _)), Some((tail, _))) = (chars.clone().nth(half), chars.nth_back(half)) else {
        return message.to_owned();
    };
    format!("{} … {}", &message[..head], &message[tail..])
}

fn place(
    origin: &Origin<'_>,
    file: &str,
    position: Position,
    role: Option<String>,
) -> Option<Place> {
    let text = origin.sources.get(file)?;
    let range = locate::at(&text, position)?;
    Some(Place {
        name: file.to_owned(),
        text,
        role,
        marks: vec![(range, String::new())],
    })
}

/// Points at each option that is at fault instead of at the call. Returns whether all were found.
fn point_at_problems(place: &mut Place, position: Position, problems: &[Problem]) -> bool {
    let marks: Option<Vec<_>> = problems
        .iter()
        .map(|problem| {
            let range = locate::option(&place.text, position, problem.option.as_ref()?)?;
            let label = match problems {
                [_] => String::new(),
                _ => problem.message.clone(),
            };
            Some((range, label))
        })
        .collect();
    // All or none: a problem that cannot be pointed at must not look as if there were none.
    match marks {
        Some(marks) if !marks.is_empty() => {
            place.marks = marks;
            true
        }
        _ => false,
    }
}

/// A problem's hint, with the option that it is about.
fn named_hint(problem: &Problem) -> Option<String> {
    let hint = problem.hint.as_ref()?;
    Some(match &problem.option {
        Some(option) => format!("`{option}`: {hint}"),
        None => hint.clone(),
    })
}

fn explain(error: &EvalAltResult, stop: &Stop, origin: &Origin<'_>) -> Finding {
    match error {
        EvalAltResult::ErrorParsing(kind, _) => explain_parsing(kind, stop, origin),
        EvalAltResult::ErrorRuntime(thrown, _) => explain_thrown(thrown),
        EvalAltResult::ErrorFunctionNotFound(call, _) => explain_call(call, origin),
        EvalAltResult::ErrorDotExpr(message, _) => explain_property(message, origin),
        EvalAltResult::ErrorVariableNotFound(name, _) => explain_variable(name, stop, origin),
        EvalAltResult::ErrorDataTooLarge(what, _) => Finding::of_limit(limit::of_a_value(what)),
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            Finding::new(format!("the map has no property `{name}`"), None)
        }
        EvalAltResult::ErrorModuleNotFound(name, _) => explain_module(name),
        EvalAltResult::ErrorTerminated(..) => Finding::of_limit(limit::of_memory()),
        EvalAltResult::ErrorDataRace(..) => Finding::new(
            "a closure uses the variable whose method it was given to",
            Some(
                "let the closure use a copy: `let copy = table;`, which is the same table"
                    .to_owned(),
            ),
        ),
        EvalAltResult::ErrorStackOverflow(_) => Finding::of_limit(limit::of_calls()),
        other => Finding::new(lower_first(&other.to_string()), None),
    }
}

fn explain_module(name: &str) -> Finding {
    let shipped = SHIPPED.map(|(name, _)| name);
    let mut finding = Finding::new(
        format!("there is no module `{name}`"),
        did_you_mean(name, &shipped),
    );
    finding.hints.push(format!(
        "modules are looked for beside the importing script; `{}` come with the program",
        shipped.join("` and `")
    ));
    finding
}

fn explain_thrown(thrown: &Dynamic) -> Finding {
    if let Some(failure) = thrown.read_lock::<Failure>() {
        return explain_failure(failure.error());
    }
    // A map with a message is what scripts get from `catch`, and may throw again.
    let message = thrown
        .read_lock::<rhai::Map>()
        .and_then(|map| map.get("message").map(ToString::to_string));
    let message = message.unwrap_or_else(|| match thrown.is_unit() {
        true => "the script threw an error without a message".to_owned(),
        false => thrown.to_string(),
    });
    Finding::new(message, None)
}

fn explain_failure(error: &Error) -> Finding {
    let mut finding = match error {
        Error::Plan(problems) => match problems.0.as_slice() {
            [problem] => Finding::new(problem.message.clone(), problem.hint.clone()),
            several => {
                let mut finding =
                    Finding::new(format!("{} options are wrong", several.len()), None);
                finding.hints = several
                    .iter()
                    .map(|problem| match &problem.hint {
                        Some(hint) => format!("{}; {hint}", problem.message),
                        None => problem.message.clone(),
                    })
                    .collect();
                finding
            }
        },
        Error::Input(input) => {
            let mut bare = input.clone();
            let hint = bare.hint.take();
            Finding::new(bare.to_string(), hint)
        }
        Error::Embeddings(error) => {
            let mut bare = error.clone();
            let hint = bare.hint.take();
            Finding::new(bare.to_string(), hint)
        }
        other => Finding::new(other.to_string(), None),
    };
    finding.exit_code = error.exit_code();
    if let Error::Plan(problems) = error {
        finding.problems = problems.0.clone();
    }
    finding
}

fn explain_parsing(kind: &ParseErrorType, stop: &Stop, origin: &Origin<'_>) -> Finding {
    match kind {
        ParseErrorType::VariableUndefined(name) => explain_variable(name, stop, origin),
        ParseErrorType::ModuleUndefined(name) => Finding::new(
            format!("there is no module `{name}` in this script"),
            Some(format!("import it first: `import \"{name}\" as {name};`")),
        ),
        ParseErrorType::UnexpectedEOF => Finding::new(
            "the script ends in the middle of something",
            Some("a bracket or a string may be open".to_owned()),
        ),
        ParseErrorType::BadInput(LexError::UnterminatedString) => Finding::new(
            "syntax error: open string is not terminated",
            Some("it ends on its line, with `\"`; longer text stands in backquotes".to_owned()),
        ),
        ParseErrorType::LiteralTooLarge(what, _) => Finding::of_limit(limit::of_a_value(what)),
        other => {
            let missing = match other {
                ParseErrorType::MissingToken(token, _) if token == ";" => {
                    let offset = stop.offset;
                    offset.and_then(|offset| habit::missing_semicolon(&stop.text, offset))
                }
                _ => None,
            };
            Finding::new(
                format!("syntax error: {}", lower_first(&other.to_string())),
                stop.habit().or(missing),
            )
        }
    }
}

fn explain_variable(name: &str, stop: &Stop, origin: &Origin<'_>) -> Finding {
    let words = locate::words(&stop.text);
    let mut candidates: Vec<&str> = words.filter(|word| *word != name).collect();
    candidates.extend(origin.constants);
    let near = did_you_mean(name, &candidates).filter(|_| !habit::is_foreign(name));
    let mut finding = Finding::new(format!("there is no variable `{name}`"), near);
    finding.hints.extend(stop.habit());
    finding
}

/// Explains a call like `min_lenght (Dataset, i64)` that fits no function.
fn explain_call(call: &str, origin: &Origin<'_>) -> Finding {
    let (name, types) = call.split_once(" (").unwrap_or((call, ""));
    let types: Vec<String> = types
        .trim_end_matches(')')
        .split(", ")
        .filter(|type_name| !type_name.is_empty())
        .map(plain_type)
        .collect();
    let all = Signature::all(origin.engine);
    let given = types.join(", ");
    let receiver = types
        .first()
        .filter(|first| TYPES.contains(&first.as_str()));

    let same_name: Vec<_> = all
        .iter()
        .filter(|s| s.name == name && !s.is_property)
        .collect();
    if !same_name.is_empty() {
        let mut calls: Vec<_> = same_name
            .iter()
            .map(|s| format!("`{}`", s.describe()))
            .collect();
        calls.sort();
        calls.dedup();
        let message = format!("`{name}` cannot be called with ({given})");
        // Rhai's own operators and conversions have dozens of forms, which help nobody.
        let hint = (calls.len() <= 6).then(|| format!("it is called as {}", calls.join(" or ")));
        let mut finding = Finding::new(message, hint);
        if types.iter().any(|type_name| type_name == "char") {
            let hint = "single quotes make a character: strings stand in double quotes";
            finding.hints.insert(0, hint.to_owned());
        }
        finding.hints.extend(bare_argument(name, &types));
        return finding;
    }
    if let Some(receiver) = receiver {
        let message = format!("`{receiver}` has no method `{name}`");
        if all
            .iter()
            .any(|s| s.is_property && s.name == name && s.is_of(receiver))
        {
            let hint = format!("`{name}` is a property: write it without parentheses");
            return Finding::new(message, Some(hint));
        }
        let methods: Vec<_> = all
            .iter()
            .filter(|s| s.is_of(receiver))
            .map(|s| s.name.as_str())
            .collect();
        return Finding::new(message, did_you_mean(name, &methods));
    }
    let names: Vec<_> = all
        .iter()
        .filter(|s| !s.is_property)
        .map(|s| s.name.as_str())
        .collect();
    Finding::new(
        format!("there is no function `{name}`"),
        did_you_mean(name, &names),
    )
}

/// What a string lacks that stands where `embed` and `esm2` take something else.
fn bare_argument(name: &str, types: &[String]) -> Option<String> {
    let is_text = |at: usize| types.get(at).is_some_and(|type_name| type_name == "string");
    let hint = match name {
        "embed" if is_text(0) => "a model is loaded first: `esm2(\"models/esm2\")`",
        "embed" if is_text(1) => "the records of a file are `fasta(\"proteins.fa\")`",
        "embed" if is_text(2) => "options stand in a map: `#{ output: \"embeddings.parquet\" }`",
        "esm2" if is_text(1) => "options stand in a map: `#{ device: \"cpu\" }`",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Explains Rhai's "Unknown property 'x' - a getter is not registered for type 'Run'".
fn explain_property(message: &str, origin: &Origin<'_>) -> Finding {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (Some(name), Some(type_name)) = (quoted.next(), quoted.next()) else {
        return Finding::new(lower_first(message), None);
    };
    let all = Signature::all(origin.engine);
    let of_type: Vec<_> = all.iter().filter(|s| s.is_of(type_name)).collect();
    if of_type.iter().any(|s| s.name == name && !s.is_property) {
        return Finding::new(
            format!("`{type_name}` has no property `{name}`"),
            Some(format!("`{name}` is a method: write `{name}(...)`")),
        );
    }
    if message.contains("setter") {
        return Finding::new(
            format!("the property `{name}` of `{type_name}` cannot be changed"),
            None,
        );
    }
    let properties: Vec<_> = of_type
        .iter()
        .filter(|s| s.is_property)
        .map(|s| s.name.as_str())
        .collect();
    Finding::new(
        format!("`{type_name}` has no property `{name}`"),
        did_you_mean(name, &properties),
    )
}

fn did_you_mean(name: &str, names: &[&str]) -> Option<String> {
    nearest(name, names).map(|near| format!("did you mean `{near}`?"))
}

/// The engine's messages begin with a capital letter; ours do not.
fn lower_first(message: &str) -> String {
    let mut rest = message.chars();
    match rest.next() {
        Some(first) => first.to_lowercase().chain(rest).collect(),
        None => String::new(),
    }
}
