//! Commands that stand for a call of a script: `runner embed`, `contacts`, `score`, `perplexity`.

use super::{
    args::Global,
    call::{Call, Flags, OfCall},
    call_args::{CallArgs, Subjected},
    ending, exec, stack,
    wording::Wording,
    written,
};
use crate::{
    error::{Error, exit_code},
    file::Existing,
    job::OptionValue,
    progress::Console,
    script::{CallScript, Diagnostic, Script, Subject},
    text::printable,
};
use serde_json::json;

/// Writes the script that the flags stand for and runs it, and returns the exit code.
pub(super) fn run<C: OfCall>(
    global: &Global,
    console: &Console,
    given: &(impl Subjected<C> + Sync),
) -> u8 {
    stack::with_room(global, console, || in_room(global, console, given))
}

fn in_room<C: OfCall>(global: &Global, console: &Console, given: &impl Subjected<C>) -> u8 {
    let args = given.run();
    let subject = check_inputs(given.inputs(), &args.flags.given).and_then(|()| given.subject());
    let text = match subject {
        Ok(subject) => text(C::call(), args, subject),
        Err(diagnostic) => return ending::failed(global, console, &diagnostic),
    };
    if args.print_script {
        console.print(text.trim_end());
        return ending::unprinted(global, console);
    }
    let script = match script(C::call(), args, text) {
        Ok(script) => script,
        Err(error) => return ending::failed(global, console, &Diagnostic::of_error(&error)),
    };
    if global.is_json() {
        let event = json!({ "event": "script", "name": script.name, "text": script.text });
        console.note(&event.to_string());
    } else if !global.is_quiet() {
        console.note(printable(&script.text).trim_end());
    }
    let wording = Wording::of(C::call());
    exec::exec(
        global,
        console,
        || Ok(script),
        &args.work,
        |hint| wording.reword(hint),
    )
}

/// Checks that no input is the value of a switch, which stands behind `=`.
fn check_inputs(inputs: &[String], flags: &Flags) -> Result<(), Diagnostic> {
    let is_value = |input: &&String| ["true", "false"].contains(&input.as_str());
    let Some(value) = inputs.iter().find(is_value) else {
        return Ok(());
    };
    let Flags {
        rules,
        mutants,
        model,
        run,
    } = flags;
    let given = [rules, mutants, model, run].into_iter().flatten();
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

fn text<C: OfCall>(call: &'static Call, args: &CallArgs<C>, subject: Subject) -> String {
    let Flags { model, run, .. } = args.flags.given.clone();
    let script = CallScript {
        call: call.name,
        subject,
        model: args.model.clone(),
        model_options: model,
        options: run,
    };
    script.text()
}

/// The script, in the file that it is to be kept in.
fn script<C: OfCall>(
    call: &'static Call,
    args: &CallArgs<C>,
    text: String,
) -> Result<Script, Error> {
    if let Some(file) = &args.script {
        let remedy = "choose another name, or remove the file";
        written::script(file, &text, Existing::Stays, remedy)?;
    }
    let name = args.script.as_ref();
    Ok(Script {
        // What errors call a script that is in no file.
        name: name.map_or_else(
            || format!("runner {}", call.name),
            |file| file.to_string_lossy().into_owned(),
        ),
        file: args.script.clone(),
        text,
        args: Vec::new(),
    })
}
