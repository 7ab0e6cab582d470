//! `runner download`.

use super::{
    args::{DownloadArgs, Global},
    ending, stopped_by_signals,
};
use crate::{
    error::exit_code,
    host::{self, Downloaded},
    progress::{Console, Progress},
    text::printable,
};
use serde_json::json;

/// Downloads models, prints their folders, and returns the exit code.
pub(super) fn download(global: &Global, console: &Console, args: &DownloadArgs) -> u8 {
    let cancel = match stopped_by_signals(global, console) {
        Ok(cancel) => cancel,
        Err(exit_code) => return exit_code,
    };
    let (progress, events) = Progress::start(global.style(), console);
    for model in &args.models {
        let downloaded = host::download(model, args.revision.as_deref(), &events, &cancel);
        match downloaded {
            Ok(downloaded) => console.print(&shown(global, &downloaded)),
            Err(error) => {
                // What was sent is shown before what ends it all.
                drop((events, progress));
                return ending::of_error(global, console, &error);
            }
        }
        if console.failure().is_some() {
            break;
        }
    }
    drop((events, progress));
    match console.failure() {
        None => exit_code::OK,
        Some(_) => ending::unprinted(global, console),
    }
}

/// A folder as it is, for other programs: what is no text in a path is nothing to a shell either.
fn shown(global: &Global, downloaded: &Downloaded) -> String {
    let Downloaded {
        repository,
        revision,
        commit,
        folder,
        n_files,
        n_bytes,
    } = downloaded;
    if global.is_json() {
        return json!({
            "model": repository,
            "revision": revision,
            "commit": commit,
            "folder": folder.to_string_lossy(),
            "files": n_files,
            "bytes": n_bytes,
        })
        .to_string();
    }
    printable(&folder.to_string_lossy()).into_owned()
}
