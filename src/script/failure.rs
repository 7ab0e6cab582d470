//! Errors of the program inside a script.

use crate::{
    error::{Error, exit_code},
    hint::Hint,
    job::Problems,
    monitor::MonitorError,
};
use rhai::{Dynamic, EvalAltResult, Map, Position};
use std::rc::Rc;

/// The result of a function that a script can call. The name is one that Rhai's definitions know.
pub(super) type RhaiResultOf<T> = Result<T, Box<EvalAltResult>>;

/// An error of the program inside a script. It keeps its exit code through `try`, `catch` and
/// `throw`.
#[derive(Clone)]
pub(super) struct Failure(Rc<Error>);

impl Failure {
    pub(super) fn error(&self) -> &Error {
        &self.0
    }

    /// What kind of thing went wrong, in one word.
    pub(super) fn kind(&self) -> &'static str {
        match *self.0 {
            ref bug if bug.exit_code() == exit_code::BUG => "bug",
            Error::Reader(_) => "reader",
            Error::Model(_) => "model",
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

/// An error of the script itself, which it can catch.
pub(super) fn raise(message: String) -> Box<EvalAltResult> {
    raise_error(Problems::one(message, None).into())
}

/// An error of the script itself, which it can catch, and how to mend it.
pub(super) fn raise_with_hint(message: String, hint: &str) -> Box<EvalAltResult> {
    raise_error(Problems::one(message, Some(hint.to_owned())).into())
}

/// An error of the program, which the script can catch unless it is a request to stop.
pub(super) fn raise_error(error: Error) -> Box<EvalAltResult> {
    let position = Position::NONE;
    match error {
        // A script that catches errors in a loop must still end when it is told to.
        Error::Stopped(reason) => {
            EvalAltResult::ErrorTerminated(Dynamic::from(reason), position).into()
        }
        error => {
            let failure = Dynamic::from(Failure(Rc::new(error)));
            EvalAltResult::ErrorRuntime(failure, position).into()
        }
    }
}

/// An error that a script has whatever its runs give, so that it cannot catch it.
pub(super) fn raise_fault(problems: Problems) -> Box<EvalAltResult> {
    let failure = Dynamic::from(Failure(Rc::new(problems.into())));
    EvalAltResult::ErrorTerminated(failure, Position::NONE).into()
}

/// What an error says, never nothing.
pub(super) fn message(error: &EvalAltResult) -> String {
    let text = match error.unwrap_inner() {
        EvalAltResult::ErrorRuntime(thrown, _) => thrown_message(thrown),
        other => other.to_string(),
    };
    match text.trim() {
        "" => "an error without a message".to_owned(),
        text => text.to_owned(),
    }
}

fn thrown_message(thrown: &Dynamic) -> String {
    if let Some(failure) = thrown.read_lock::<Failure>() {
        return failure.error().in_full();
    }
    let message = thrown
        .read_lock::<Map>()
        .and_then(|map| map.get("message").map(ToString::to_string));
    message.unwrap_or_else(|| thrown.to_string())
}
