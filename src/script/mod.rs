//! The script engine and what scripts can say.
//!
//! *Input*: a script file and its arguments. *Output*: what a [`Host`] did for it, or a
//! [`Diagnostic`]. *Owns*: the script API, modules, limits, the wording of script errors.
//! *Never*: does the work itself, or prints anything but what the script prints.

mod api;
mod definitions;
mod diagnostic;
mod engine;
mod files;
mod host;
mod live;
mod modules;
mod rehearsal;
mod rehearsed;
mod session;
mod settings;
mod source;

use crate::{
    cancel::{CancelToken, StopReason},
    error::Error,
    paths::Role,
    progress::Console,
};
use diagnostic::{Origin, diagnose};
use engine::Setup;
use rhai::{Array, Dynamic, EvalAltResult, Scope};
use session::Session;
use source::Sources;
use std::path::{Path, PathBuf};

pub use definitions::definitions;
pub use diagnostic::Diagnostic;
pub use host::{Host, ModelInfo, Record};
pub use live::LiveHost;
pub use rehearsal::{Rehearsal, Seen};

/// A script and what it is run with.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file's name, as the user gave it.
    pub name: String,
    /// The file's text.
    pub text: String,
    /// The arguments after `--`.
    pub args: Vec<String>,
}

/// What a script that ended well leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Records that rules rejected, over all runs.
    pub n_rejected: u64,
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
            Ok(text) => Ok(Self { name, text, args }),
            Err(unreadable) => Err(Diagnostic::without_place(
                format!("the script `{name}` {}", unreadable.message),
                unreadable.hint,
            )),
        }
    }
}

/// Runs `script`. What it prints goes to `console`, if there is one.
///
/// # Errors
/// See [`ScriptError`].
pub fn run(
    script: &Script,
    records: &[(Record, PathBuf)],
    host: Box<dyn Host>,
    console: Option<Console>,
    cancel: CancelToken,
) -> Result<Finished, ScriptError> {
    let session = Session::new(host);
    begin(script, records, &session).map_err(|error| {
        let diagnostic = Diagnostic::of_error(&error);
        ScriptError::Failed(Box::new(diagnostic))
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
        }),
        Err(error) => Err(match error.unwrap_inner() {
            EvalAltResult::ErrorTerminated(token, _) => match token.clone().try_cast() {
                Some(reason) => ScriptError::Stopped(reason),
                None => ScriptError::OutputClosed,
            },
            _ => {
                let names: Vec<_> = constants.iter().map(|(name, _, _)| name).collect();
                let origin = Origin {
                    engine: &engine,
                    sources: &sources,
                    script: &script.name,
                    constants: &names,
                };
                ScriptError::Failed(Box::new(diagnose(*error, &origin)))
            }
        }),
    }
}

/// Makes the script's own file known, and those that its runs are to write about themselves.
fn begin(script: &Script, records: &[(Record, PathBuf)], session: &Session) -> Result<(), Error> {
    session
        .files()
        .read(Role::Script, Path::new(&script.name))?;
    for (record, path) in records {
        session.files().record(*record, path)?;
        session.host_alone().record(*record, path);
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
