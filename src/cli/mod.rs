//! The command line: one door to the program, scripts are the other.
//!
//! *Input*: arguments. *Output*: an exit code. *Owns*: flags, and how an end is reported.
//! *Never*: anything that a script cannot also do.

mod args;
mod call;
mod call_args;
mod check;
mod completions;
mod convert;
mod convert_args;
mod definitions;
mod doctor;
mod download;
mod ending;
mod exec;
mod export;
mod flags;
mod forecast;
mod manual;
mod merge;
mod new;
mod parity;
mod parity_args;
mod restart;
mod run;
mod script;
mod shard;
mod stack;
mod status;
mod usage;
mod verify;
mod wording;
mod work_args;
mod written;

use crate::{
    cancel::{CancelToken, StopReason},
    device, doctor as doctor_of_machine,
    error::exit_code,
    progress::{self, Console},
    reader,
    script::Diagnostic,
    signal,
    text::printable,
};
use args::{Cli, Command, Global, ScriptCommand};
use clap::{Parser, error::ErrorKind};
use std::{
    env,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    thread,
};
use tracing_subscriber::EnvFilter;

/// Does what the command line says.
pub fn run() -> ExitCode {
    if env::args_os()
        .nth(1)
        .is_some_and(|word| word == reader::SUBCOMMAND)
    {
        // A reader speaks with its parent alone and sets up nothing of what follows. It is no command for
        // people, so neither help nor completions nor the manual know it.
        return reader::run();
    }
    if env::args_os()
        .nth(1)
        .is_some_and(|word| word == doctor_of_machine::SUBCOMMAND)
    {
        // Nor is a check that the doctor makes in a process of its own.
        device::prepare_process();
        return doctor_of_machine::look_apart();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too.
            let printed = error.print().and_then(|()| io::stdout().flush());
            if let Err(problem) = printed
                && error.exit_code() == 0
            {
                return ExitCode::from(ending::without_help(&Console::default(), &problem));
            }
            if error.kind() == ErrorKind::InvalidSubcommand
                && let Some(proposal) = usage::proposal(env::args_os())
            {
                Console::default().note(&printable(&format!("hint: `{proposal}` runs the script")));
            }
            if let Some(flag) = usage::known_elsewhere(&error, env::args_os()) {
                Console::default().note(&printable(&format!("hint: did you mean `{flag}`?")));
            }
            if usage::is_for_the_script(&error, env::args_os()) {
                Console::default().note("hint: what a script finds in `args` stands behind `--`");
            }
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    // It comes before any thread.
    device::prepare_process();
    let console = Console::default();
    cli.global.colors().write_global();
    start_log(&console, cli.global.log_filter());
    let is_json = cli.global.is_json();
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // In JSON standard error is for programs: what becomes of a panic is a line of its own. A lack of threads is no
        // bug, and is told at the end where it ends one of these two threads.
        let is_told = || matches!(thread::current().name(), Some("main" | stack::NAME));
        match is_json || (is_told() && ending::lacks_threads(panic.payload())) {
            true => tracing::debug!("{panic}"),
            false => shown(panic),
        }
    }));
    let command = || match &cli.command {
        Command::New(args) => new::new(&cli.global, &console, args),
        Command::Exec(script) => stack::with_room(&cli.global, &console, || {
            exec::exec(
                &cli.global,
                &console,
                || script.read(),
                &script.work,
                str::to_owned,
            )
        }),
        Command::Embed(args) => run::run(&cli.global, &console, args),
        Command::Contacts(args) => run::run(&cli.global, &console, args),
        Command::Score(args) => run::run(&cli.global, &console, args),
        Command::Perplexity(args) => run::run(&cli.global, &console, args),
        Command::Check { script, forecast } => stack::with_room(&cli.global, &console, || {
            check::check(&cli.global, &console, script, forecast)
        }),
        Command::Script(ScriptCommand::Definitions { output }) => {
            definitions::write(&cli.global, &console, output.as_deref())
        }
        Command::Doctor => doctor::doctor(&cli.global, &console),
        Command::Status { output } => status::status(&cli.global, &console, output),
        Command::Verify { output } => verify::verify(&cli.global, &console, output),
        Command::Merge(args) => merge::merge(&cli.global, &console, args),
        Command::Export(args) => export::export(&cli.global, &console, args),
        Command::Convert(args) => convert::convert(&cli.global, &console, args),
        Command::Parity(args) => parity::parity(&cli.global, &console, args),
        Command::Download(args) => download::download(&cli.global, &console, args),
        Command::Completions { shell } => completions::print(&cli.global, &console, *shell),
        Command::Man { folder } => manual::write(&cli.global, &console, folder.as_deref()),
    };
    // Unwinding has ended what the command began: no temporary file is left, no reader lives on.
    let exit_code = panic::catch_unwind(AssertUnwindSafe(command))
        .unwrap_or_else(|panic| ending::panicked(&cli.global, &console, &*panic));
    ExitCode::from(exit_code)
}

/// Turns the signals that end programs into a request to stop.
///
/// # Errors
/// The exit code, if that is not possible.
fn stopped_by_signals(global: &Global, console: &Console) -> Result<CancelToken, u8> {
    let cancel = CancelToken::default();
    let (announcer, told) = (console.clone(), cancel.clone());
    let (is_json, is_quiet) = (global.is_json(), global.is_quiet());
    let announce = move |reason| {
        let grace = told.grace().filter(|grace| !grace.is_zero());
        if is_json {
            announcer.note(&ending::stopping_line(reason, grace));
        } else if reason == StopReason::Interrupted || !is_quiet {
            announcer.note(&ending::stopping(reason, grace));
        }
    };
    match signal::watch(cancel.clone(), announce, progress::leave_terminal) {
        Ok(()) => Ok(cancel),
        Err(error) => {
            let message = format!("signals cannot be listened to: {error}");
            let diagnostic = Diagnostic::of_the_program(message, None, exit_code::UNEXPECTED);
            Err(ending::failed(global, console, &diagnostic))
        }
    }
}

/// Sends log lines through the console, so that they do not tear its bars.
fn start_log(console: &Console, default_filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default_filter.into());
    let has_colors = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let console = console.clone();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(has_colors)
        .with_writer(move || console.log_writer())
        .init();
}
