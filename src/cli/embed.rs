//! `runner embed`.

use super::{
    args::{EmbedArgs, Global},
    ending, exec,
    flags::Flags,
    wording::Wording,
    written,
};
use crate::{
    error::{Error, exit_code},
    file::Existing,
    job::OptionValue,
    progress::Console,
    script::{Diagnostic, EmbedScript, Script},
    text::printable,
};
use serde_json::json;

/// What errors call a script that is in no file.
const NAME: &str = "runner embed";

/// Writes the script that the flags stand for and runs it, and returns the exit code.
pub(super) fn embed(global: &Global, console: &Console, args: &EmbedArgs) -> u8 {
    if let Err(diagnostic) = check_inputs(args) {
        return ending::failed(global, console, &diagnostic);
    }
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
    let wording = Wording::of_embed();
    exec::exec(
        global,
        console,
        || Ok(script),
        &args.work,
        |hint| wording.reword(hint),
    )
}

/// Checks that no input is the value of a switch, which stands behind `=`.
fn check_inputs(args: &EmbedArgs) -> Result<(), Diagnostic> {
    let is_value = |input: &&String| ["true", "false"].contains(&input.as_str());
    let Some(value) = args.inputs.iter().find(is_value) else {
        return Ok(());
    };
    let Flags {
        rules,
        model,
        embed,
    } = &args.flags;
    let given = [rules, model, embed].into_iter().flatten();
    let mut switches = given.filter(|(_, given)| *given == OptionValue::Flag(true));
    let Some((name, _)) = switches.next() else {
        return Ok(());
    };
    Err(Diagnostic::of_the_program(
        format!("`{value}` is taken for an input"),
        Some(format!(
            "the value of a switch stands behind `=`: `--{}={value}`; a file of that name is `./{value}`",
            name.replace('_', "-")
        )),
        exit_code::USAGE,
    ))
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
