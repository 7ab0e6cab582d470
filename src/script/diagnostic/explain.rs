//! From an error of the engine to a diagnostic.

use super::{
    Diagnostic, Place, call,
    finding::{Finding, did_you_mean, lower_first},
    habit, limit, locate,
    origin::Origin,
};
use crate::{
    job::Problem,
    script::{failure::Failure, modules::SHIPPED},
    text::{counted, without_middle},
};
use rhai::{Dynamic, EvalAltResult, LexError, ParseErrorType, Position};
use std::rc::Rc;

/// Characters of a message at most: what a script throws can be of any length.
const MOST_MESSAGE_CHARS: usize = 4_000;

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
        finding.hints = finding
            .problems
            .iter()
            .filter_map(Problem::named_hint)
            .collect();
    }
    callers.reverse();
    places.append(&mut callers);
    Diagnostic {
        message: without_middle(&finding.message, MOST_MESSAGE_CHARS).into_owned(),
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

    /// The line where it is.
    fn line(&self) -> &str {
        let Some(offset) = self.offset else {
            return "";
        };
        let begin = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        self.text[begin..].lines().next().unwrap_or_default()
    }

    /// What stands there out of habit from another language.
    fn habit(&self) -> Option<String> {
        habit::hint(&self.text, self.offset?)
    }
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

fn explain(error: &EvalAltResult, stop: &Stop, origin: &Origin<'_>) -> Finding {
    match error {
        EvalAltResult::ErrorParsing(kind, _) => explain_parsing(kind, stop, origin),
        EvalAltResult::ErrorRuntime(thrown, _) => explain_thrown(thrown),
        EvalAltResult::ErrorFunctionNotFound(call, _) => call::explain(call, origin.engine),
        EvalAltResult::ErrorDotExpr(message, _) => call::explain_property(message, origin.engine),
        EvalAltResult::ErrorVariableNotFound(name, _) => explain_variable(name, stop, origin),
        EvalAltResult::ErrorDataTooLarge(what, _) => Finding::of_limit(limit::of_a_value(what)),
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            Finding::new(format!("the map has no property `{name}`"), None)
        }
        EvalAltResult::ErrorModuleNotFound(name, _) => explain_module(name),
        EvalAltResult::ErrorTerminated(thrown, _) if thrown.is::<Failure>() => {
            explain_thrown(thrown)
        }
        EvalAltResult::ErrorTerminated(..) => Finding::of_limit(limit::of_memory()),
        EvalAltResult::ErrorDataRace(..) => Finding::new(
            "a closure uses the variable whose method it was given to",
            Some(
                "let the closure use a copy: `let copy = table;`, which is the same table"
                    .to_owned(),
            ),
        ),
        EvalAltResult::ErrorArrayBounds(n_arguments, ..) if stop.line().contains("args[") => {
            let given = counted(*n_arguments as u64, "argument", "arguments");
            Finding::new(
                format!("the script has {given}"),
                Some(
                    "what it finds in `args` stands behind `--`: `runner exec job.rhai -- VALUE`"
                        .to_owned(),
                ),
            )
        }
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
        return Finding::of_error(failure.error());
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
    let outside = stop
        .offset
        .and_then(|offset| habit::outside(&stop.text, offset, name));
    let mut finding = Finding::new(format!("there is no variable `{name}`"), outside.or(near));
    finding.hints.extend(stop.habit());
    finding
}
