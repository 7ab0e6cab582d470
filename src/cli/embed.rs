//! `runner embed`.

use super::{
    args::{EmbedArgs, Global},
    ending, exec, written,
};
use crate::{
    error::Error,
    file::Existing,
    progress::Console,
    script::{Diagnostic, EmbedScript, Script},
    text::printable,
};
use serde_json::json;

/// What errors call a script that is in no file.
const NAME: &str = "runner embed";

/// Writes the script that the flags stand for and runs it, and returns the exit code.
pub(super) fn embed(global: &Global, console: &Console, args: &EmbedArgs) -> u8 {
    let text = text(args);
    if args.print_script {
        console.print(text.trim_end());
        return ending::unprinted(global, console);
    }
    let script = match script(args, text) {
        Ok(script) => script,
        Err(error) => return ending::failed(global, console, &Diagnostic::of_error(&error)),
    };
    if global.is_json() {
        let event = json!({ "event": "script", "name": script.name, "text": script.text });
        console.note(&event.to_string());
    } else if !global.is_quiet() {
        console.note(printable(&script.text).trim_end());
    }
    exec::exec(global, console, || Ok(script), &args.work)
}

fn text(args: &EmbedArgs) -> String {
    let flags = args.flags.clone();
    let script = EmbedScript {
        sources: args.inputs.clone(),
        rules: flags.rules,
        model: args.model.clone(),
        model_options: flags.model,
        options: flags.embed,
    };
    script.text()
}

/// The script, in the file that it is to be kept in.
fn script(args: &EmbedArgs, text: String) -> Result<Script, Error> {
    if let Some(file) = &args.script {
        let remedy = "choose another name, or remove the file";
        written::script(file, &text, Existing::Stays, remedy)?;
    }
    let name = args.script.as_ref();
    Ok(Script {
        name: name.map_or_else(
            || NAME.to_owned(),
            |file| file.to_string_lossy().into_owned(),
        ),
        file: args.script.clone(),
        text,
        args: Vec::new(),
    })
}
