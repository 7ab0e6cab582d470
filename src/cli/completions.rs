//! `runner completions`.

use super::{
    args::{Cli, Global},
    ending,
};
use crate::progress::Console;
use clap::CommandFactory;
use clap_complete::Shell;

/// Prints what completes commands and flags in `shell`, and returns the exit code.
pub(super) fn print(global: &Global, console: &Console, shell: Shell) -> u8 {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    console.print(String::from_utf8_lossy(&text).trim_end());
    ending::unprinted(global, console)
}
