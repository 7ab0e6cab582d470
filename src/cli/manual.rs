//! `runner man`.

use super::{
    args::{Cli, Global},
    ending, written,
};
use crate::{
    error::Error,
    paths::Role,
    progress::Console,
    script::Diagnostic,
    text::{counted, printable},
};
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::path::Path;

/// Writes the pages into `folder`, or prints the first one, and returns the exit code.
pub(super) fn write(global: &Global, console: &Console, folder: Option<&Path>) -> u8 {
    let mut command = Cli::command();
    // Else each page of a group of commands had one about its `help`, too.
    command = command.disable_help_subcommand(true);
    command.build();
    let Some(folder) = folder else {
        console.print(page(command).1.trim_end());
        return ending::unprinted(global, console);
    };
    let mut pages = Vec::new();
    add_pages(command, &mut pages);
    if let Err(error) = write_into(folder, &pages) {
        return ending::failed(global, console, &Diagnostic::of_error(&error));
    }
    if !global.is_quiet() && !global.is_json() {
        let n_pages = counted(pages.len() as u64, "page", "pages");
        let text = format!("{}: {n_pages}", folder.display());
        console.print(&printable(&text));
    }
    ending::unprinted(global, console)
}

fn write_into(folder: &Path, pages: &[(String, String)]) -> Result<(), Error> {
    for (name, text) in pages {
        written::replace(Role::Manual, &folder.join(name), text)?;
    }
    Ok(())
}

/// Adds the page of a command and those of its commands.
fn add_pages(command: Command, pages: &mut Vec<(String, String)>) {
    let below: Vec<_> = command.get_subcommands().cloned().collect();
    pages.push(page(command));
    for command in below {
        add_pages(command, pages);
    }
}

/// The page of a command, and the name of its file.
fn page(command: Command) -> (String, String) {
    let man = Man::new(command).source(concat!("runner ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text).expect("a buffer takes all");
    (
        man.get_filename(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}
