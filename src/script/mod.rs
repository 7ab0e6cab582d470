//! The script engine and what scripts can say.
//!
//! *Input*: a script file and its arguments. *Output*: what a [`Host`] did for it, or a
//! [`Diagnostic`]. *Owns*: the script API, modules, limits, the wording of script errors.
//! *Never*: does the work itself, or prints anything but what the script prints.

mod api;
mod definitions;
mod diagnostic;
mod engine;
mod failure;
mod files;
mod limits;
mod literal;
mod memory;
mod modules;
mod output_files;
mod rehearsed;
mod session;
mod settings;
mod source;
mod unmerged;
mod written;

use crate::{
    cancel::{CancelToken, StopReason},
    error::Error,
    host::{Host, Recording},
    job::Problems,
    paths::Role,
    progress::Console,
};
use diagnostic::{Origin, diagnose};
use engine::Setup;
use failure::Failure;
use memory::TooMuchMemory;
use rhai::{Array, Dynamic, EvalAltResult, Scope};
use session::Session;
use source::Sources;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub use definitions::definitions;
pub use diagnostic::Diagnostic;
pub use literal::text_literal;
pub use written::{CallScript, Proteins, Subject};

/// A script and what it is run with.
#[derive(Clone, Debug)]
pub struct Script {
    /// What errors call it: the file's name, as the user gave it, if it has a file.
    pub name: String,
    /// The file that it is in, if it is in one.
    pub file: Option<PathBuf>,
    /// Its text.
    pub text: String,
    /// The arguments after `--`.
    pub args: Vec<String>,
}

/// What a script that ended well leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Records that rules rejected, over all runs.
    pub n_rejected: u64,
    /// Calls of `embed`.
    pub n_runs: u64,
}

/// Why a script did not end well.
#[derive(Clone, Debug)]
pub enum ScriptError {
    /// It is wrong, or what it asked for failed.
    Failed(Box<Diagnostic>),
    /// The user or a scheduler stopped it.
    Stopped(StopReason),
    /// Nobody reads what it prints any more.
    OutputClosed,
}

impl Script {
    /// Reads a script file.
    ///
    /// # Errors
    /// The file cannot be read, or is no script.
    pub fn read(path: &Path, args: Vec<String>) -> Result<Self, Diagnostic> {
        let name = path.to_string_lossy().into_owned();
        match source::read(path) {
            Ok(text) => Ok(Self {
                name,
                file: Some(path.to_owned()),
                text,
                args,
            }),
            Err(unreadable) => Err(Diagnostic::without_place(
                format!("the script `{name}` {}", unreadable.message),
                unreadable.hint,
            )),
        }
    }
}

/// How long a script is looked through before it begins.
const LONGEST_FORESIGHT: Duration = Duration::from_secs(1);

/// How a script ended that did not end well.
struct Ended {
    error: ScriptError,
    /// What was wrong with its plan, if it was that.
    cause: Option<Problems>,
}

/// Runs `script`. What it prints goes to `console`, if there is one.
///
/// Before any work is done it is rehearsed, as far as that takes no time: a file that one part of it would
/// write over, and that another part names later, must not be gone by then.
///
/// # Errors
/// See [`ScriptError`].
pub fn run(
    script: &Script,
    recordings: &[(Recording, PathBuf)],
    host: Box<dyn Host>,
    console: Option<Console>,
    cancel: CancelToken,
) -> Result<Finished, ScriptError> {
    if !host.is_rehearsal() {
        let session = Session::of_foresight(host.shard(), cancel.clone());
        let deadline = Some(Instant::now() + LONGEST_FORESIGHT);
        let foreseen = perform(script, recordings, &session, None, cancel.clone(), deadline);
        if let Err(Ended { cause, error }) = foreseen
            && cause.is_some_and(|problems| session.files().is_certain(&problems))
        {
            return Err(error);
        }
    }
    let session = Session::new(host, cancel.clone());
    perform(script, recordings, &session, console, cancel, None).map_err(|ended| ended.error)
}

fn perform(
    script: &Script,
    recordings: &[(Recording, PathBuf)],
    session: &Session,
    console: Option<Console>,
    cancel: CancelToken,
    deadline: Option<Instant>,
) -> Result<Finished, Ended> {
    begin(script, recordings, session).map_err(|error| {
        let diagnostic = Diagnostic::of_error(&error);
        Ended {
            error: ScriptError::Failed(Box::new(diagnostic)),
            // The next attempt begins with it, too.
            cause: None,
        }
    })?;
    let sources = Sources::default();
    sources.add(&script.name, &script.text);
    let constants = constants(&script.name, &script.args);
    let engine = engine::build(Setup {
        session: session.clone(),
        sources: sources.clone(),
        constants: constants.clone(),
        console,
        cancel,
        deadline,
    });
    let evaluate = || -> Result<(), Box<EvalAltResult>> {
        let mut ast = engine.compile_with_scope(&constants, &script.text)?;
        ast.set_source(script.name.as_str());
        // The constants are global, but what a closure captures must be in the scope.
        engine.run_ast_with_scope(&mut constants.clone(), &ast)
    };
    match evaluate() {
        Ok(()) => Ok(Finished {
            n_rejected: session.n_rejected(),
            n_runs: session.n_runs(),
        }),
        Err(error) => {
            let cause = cause(&error);
            let error = ending(&error).unwrap_or_else(|| {
                let names: Vec<_> = constants.iter().map(|(name, _, _)| name).collect();
                let origin = Origin {
                    engine: &engine,
                    sources: &sources,
                    script: &script.name,
                    constants: &names,
                };
                ScriptError::Failed(Box::new(diagnose(*error, &origin)))
            });
            Err(Ended { error, cause })
        }
    }
}

/// How a script ended that was told to end and is not to blame for it.
fn ending(error: &EvalAltResult) -> Option<ScriptError> {
    let EvalAltResult::ErrorTerminated(token, _) = error.unwrap_inner() else {
        return None;
    };
    if token.is::<TooMuchMemory>() || token.is::<Failure>() {
        return None;
    }
    Some(match token.clone().try_cast() {
        Some(reason) => ScriptError::Stopped(reason),
        None => ScriptError::OutputClosed,
    })
}

/// What was wrong with the plan of a script, if that ended it.
fn cause(error: &EvalAltResult) -> Option<Problems> {
    let (EvalAltResult::ErrorRuntime(thrown, _) | EvalAltResult::ErrorTerminated(thrown, _)) =
        error.unwrap_inner()
    else {
        return None;
    };
    let failure = thrown.read_lock::<Failure>()?;
    match failure.error() {
        Error::Plan(problems) => Some(problems.clone()),
        _ => None,
    }
}

/// Makes the script's own file known, and those that its runs are to write about themselves.
fn begin(
    script: &Script,
    recordings: &[(Recording, PathBuf)],
    session: &Session,
) -> Result<(), Error> {
    if let Some(file) = &script.file {
        session.files().read(Role::Script, file)?;
    }
    for (recording, path) in recordings {
        let path = session.own_file(path);
        session.files().record(*recording, &path)?;
        session.host_alone().record(*recording, &path);
    }
    Ok(())
}

/// The constants that every script and module can use.
fn constants(script: &str, args: &[String]) -> Scope<'static> {
    let args: Array = args.iter().map(|arg| arg.clone().into()).collect();
    let folder = match Path::new(script).parent() {
        Some(folder) if folder != Path::new("") => folder.to_string_lossy().into_owned(),
        _ => ".".to_owned(),
    };
    let mut constants = Scope::new();
    constants.push_constant("args", Dynamic::from(args));
    constants.push_constant("script_dir", folder);
    constants
}
