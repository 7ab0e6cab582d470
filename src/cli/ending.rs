//! How the end of a script or of another command is reported.

use super::args::Global;
use crate::{
    cancel::StopReason,
    error::{Error, exit_code},
    file,
    hint::{Hint, REPORT_IT},
    progress::Console,
    script::{Diagnostic, Finished, ScriptError},
    text::counted,
};
use serde_json::json;
use std::{any::Any, io, time::Duration};

/// Reports how a script ended, and returns the exit code for it.
pub(super) fn report(
    global: &Global,
    console: &Console,
    result: Result<Finished, ScriptError>,
) -> u8 {
    match result {
        Ok(_) if console.failure().is_some() => unprinted(global, console),
        Ok(Finished { n_rejected: 0, .. }) => exit_code::OK,
        Ok(Finished { n_rejected, .. }) => {
            if !global.is_quiet() && !global.is_json() {
                let records = counted(n_rejected, "record was", "records were");
                console.note(&format!(
                    "warning: {records} rejected; runs with an output list them beside it"
                ));
            }
            exit_code::REJECTED
        }
        Err(ScriptError::Failed(diagnostic)) => failed(global, console, &diagnostic),
        Err(ScriptError::Stopped(reason)) => {
            let error = Error::Stopped(reason);
            stopped(global, console, &error, error.hint())
        }
        Err(ScriptError::OutputClosed) => unprinted(global, console),
    }
}

/// Reports why a command that runs no script did not do what it was to do, and returns the exit code for it.
pub(super) fn of_error(global: &Global, console: &Console, error: &Error) -> u8 {
    match error {
        Error::Stopped(_) => {
            let hint = "run the command again to have what is missing".to_owned();
            stopped(global, console, error, Some(hint))
        }
        error => failed(global, console, &Diagnostic::of_error(error)),
    }
}

/// Reports what is wrong, and returns the exit code for it.
pub(super) fn failed(global: &Global, console: &Console, diagnostic: &Diagnostic) -> u8 {
    if global.is_json() {
        console.note(&failed_line(
            diagnostic.exit_code,
            &diagnostic.message,
            diagnostic.hint(),
            &diagnostic.render(false, None),
        ));
    } else {
        console.note(&diagnostic.render(true, console.note_columns()));
    }
    diagnostic.exit_code
}

/// Reports why not everything was printed, if that is so, and returns the exit code for it. Whoever has
/// closed standard output knows it.
pub(super) fn unprinted(global: &Global, console: &Console) -> u8 {
    match console.failure() {
        None => exit_code::OK,
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => exit_code::OUTPUT_CLOSED,
        Some(error) => failed(global, console, &not_written(error)),
    }
}

/// Reports why the help was not printed, before it is known how the end is to be reported, and returns the exit code
/// for it.
pub(super) fn without_help(console: &Console, error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return exit_code::OUTPUT_CLOSED;
    }
    let diagnostic = not_written(error);
    console.note(&diagnostic.render(true, console.note_columns()));
    diagnostic.exit_code
}

fn not_written(error: &io::Error) -> Diagnostic {
    Diagnostic::of_the_program(
        format!("cannot write to standard output: {error}"),
        file::remedy(error.kind()).map(str::to_owned),
        exit_code::UNEXPECTED,
    )
}

/// What is said when a job is told to stop. A run that goes on has so long to finish what it has begun.
pub(super) fn stopping(reason: StopReason, grace: Option<Duration>) -> String {
    let mut text = match reason {
        StopReason::Interrupted => "stopping".to_owned(),
        by => format!("stopping by {}", by.name()),
    };
    if let Some(grace) = grace {
        text += &format!(
            "; what is begun is finished within {} s",
            grace.as_secs_f64()
        );
    }
    if reason == StopReason::Interrupted {
        text += "; press Ctrl-C again to end at once";
    }
    text
}

/// The same for programs.
pub(super) fn stopping_line(reason: StopReason, grace: Option<Duration>) -> String {
    json!({
        "event": "stopping",
        "by": reason.name(),
        "grace": grace.unwrap_or_default().as_secs_f64(),
    })
    .to_string()
}

/// What is said of the same thing to people and to programs.
pub(super) struct Note {
    pub(super) text: String,
    pub(super) line: String,
}

/// What is said when the program begins anew, because a process that has lost its GPUs has none of them again.
pub(super) fn restarting(reason: &str, number: u32, most: u32) -> Note {
    Note {
        text: format!(
            "warning: all GPUs of this process are lost: {reason}; the script is run again and goes on \
             (attempt {number} of {most})"
        ),
        line: json!({
            "event": "restarting",
            "number": number,
            "most": most,
            "reason": reason,
        })
        .to_string(),
    }
}

/// Reports that somebody stopped the program, which is no fault of anything, and returns the exit code for it.
fn stopped(global: &Global, console: &Console, error: &Error, hint: Option<String>) -> u8 {
    let message = error.to_string();
    let rendered = match &hint {
        Some(hint) => format!("{message}; {hint}"),
        None => message.clone(),
    };
    if global.is_json() {
        console.note(&failed_line(error.exit_code(), &message, hint, &rendered));
    } else {
        console.note(&rendered);
    }
    error.exit_code()
}

/// Reports that a thread could not be started, and returns the exit code for it.
pub(super) fn no_thread(global: &Global, console: &Console, reason: &str) -> u8 {
    let diagnostic = Diagnostic::of_the_program(
        format!("the system has no room for another thread: {reason}"),
        Some(
            "raise the limits on processes and on memory, `ulimit -u` and `ulimit -v`, or those of the container"
                .to_owned(),
        ),
        exit_code::UNEXPECTED,
    );
    failed(global, console, &diagnostic)
}

/// Whether a panic says that a thread could not be started, in the words of the standard library or of rayon.
pub(super) fn lacks_threads(panic: &dyn Any) -> bool {
    let reason = reason(panic);
    ["failed to spawn thread", "ThreadPoolBuildError"]
        .iter()
        .any(|words| reason.contains(words))
}

/// Reports a panic, which is a bug unless there are too few threads, and returns the exit code for it.
pub(super) fn panicked(global: &Global, console: &Console, panic: &dyn Any) -> u8 {
    if lacks_threads(panic) {
        return no_thread(global, console, said_by_system(reason(panic)));
    }
    let diagnostic = Diagnostic::of_the_program(
        format!(
            "the program panicked: {}; the run in progress published nothing",
            reason(panic)
        ),
        Some(REPORT_IT.to_owned()),
        exit_code::BUG,
    );
    failed(global, console, &diagnostic)
}

/// What the system said, out of a panic that has it as programmers see it.
fn said_by_system(reason: &str) -> &str {
    let message = reason.split_once("message: \"").map(|(_, rest)| rest);
    let message = message.and_then(|rest| rest.split_once('"'));
    message.map_or(reason, |(message, _)| message)
}

/// What a panic says.
fn reason(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given")
}

/// The last line of a job that did not end well, for programs.
fn failed_line(exit_code: u8, message: &str, hint: Option<String>, rendered: &str) -> String {
    json!({
        "event": "failed",
        "exit_code": exit_code,
        "message": message,
        "hint": hint,
        "rendered": rendered,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::Parser;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn whoever_stops_a_job_is_told_what_goes_on() {
        let check = |reason, grace, expect: &str| assert_eq!(stopping(reason, grace), expect);
        let grace = Some(Duration::from_secs(20));
        check(
            StopReason::Interrupted,
            None,
            "stopping; press Ctrl-C again to end at once",
        );
        check(
            StopReason::Interrupted,
            grace,
            "stopping; what is begun is finished within 20 s; press Ctrl-C again to end at once",
        );
        check(StopReason::HungUp, None, "stopping by SIGHUP");
        let grace = Some(Duration::from_millis(500));
        check(
            StopReason::InterruptedUnseen,
            grace,
            "stopping by SIGINT; what is begun is finished within 0.5 s",
        );
        assert_eq!(
            stopping_line(StopReason::Terminated, grace),
            r#"{"by":"SIGTERM","event":"stopping","grace":0.5}"#
        );
    }

    #[test]
    fn a_lack_of_threads_is_no_bug() {
        let of_std = "failed to spawn thread: Os { code: 11, kind: WouldBlock, message: \"Resource temporarily unavailable\" }";
        let of_rayon = "The global thread pool has not been initialized.: ThreadPoolBuildError { kind: IOError(Os { code: 11, kind: WouldBlock, message: \"Resource temporarily unavailable\" }) }";
        let cli = Cli::try_parse_from(["runner", "exec", "a.rhai"]).expect("it is right");
        for text in [of_std, of_rayon] {
            let code = panicked(&cli.global, &Console::default(), &text.to_owned());
            assert_eq!(code, exit_code::UNEXPECTED);
            assert_eq!(said_by_system(text), "Resource temporarily unavailable");
        }
        assert_eq!(said_by_system("no words of it"), "no words of it");
    }

    #[test]
    fn a_panic_has_a_code_and_keeps_its_reason() {
        let check = |panic: fn(), expect: &str| {
            let panic = catch_unwind(AssertUnwindSafe(panic)).expect_err("it panics");
            assert_eq!(reason(&*panic), expect);
            let cli = Cli::try_parse_from(["runner", "exec", "a.rhai"]).expect("it is right");
            let code = panicked(&cli.global, &Console::default(), &*panic);
            assert_eq!(code, exit_code::BUG);
        };
        check(|| panic!("plain"), "plain");
        check(
            || panic!("number {}", std::process::id() / u32::MAX),
            "number 0",
        );
        check(|| std::panic::panic_any(7), "no reason given");
    }
}
