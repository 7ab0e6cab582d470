//! `runner export`.

use super::{
    args::{ExportArgs, Global},
    ending, stopped_by_signals,
};
use crate::{
    cancel::CancelToken,
    error::{Error, exit_code},
    job::{ExportPlan, OptionMap, OptionValue, Problems},
    progress::Console,
    script::Diagnostic,
    sink::{self, ExportStep, Exported},
    text::{counted, printable},
};
use serde_json::json;
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// How often it is told how far an export is.
const BETWEEN_REPORTS: Duration = Duration::from_secs(5);

/// Writes a finished output again in another format, and returns the exit code.
pub(super) fn export(global: &Global, console: &Console, args: &ExportArgs) -> u8 {
    let cancel = match stopped_by_signals(global, console) {
        Ok(cancel) => cancel,
        Err(exit_code) => return exit_code,
    };
    let plan = match plan(args) {
        Ok(plan) => plan,
        Err(problems) => return ending::failed(global, console, &misused(problems)),
    };
    let exported = match write(global, console, &plan, &cancel) {
        Ok(exported) => exported,
        Err(error) => return ending::of_error(global, console, &error),
    };
    let text = match global.is_json() {
        true => json!({
            "output": exported.file,
            "rows": exported.rows,
            "was_exported": exported.is_old,
        })
        .to_string(),
        false => printable(&shown(&exported)).into_owned(),
    };
    if global.is_json() || !global.is_quiet() {
        console.print(&text);
    }
    ending::unprinted(global, console)
}

/// What a script would say.
fn plan(args: &ExportArgs) -> Result<ExportPlan, Problems> {
    let texts = [("keys", &args.keys), ("columns", &args.columns)];
    let texts = texts.into_iter().filter_map(|(name, text)| {
        let text = OptionValue::Text(text.clone()?);
        Some((name.to_owned(), text))
    });
    let overwrite = ("overwrite".to_owned(), OptionValue::Flag(args.overwrite));
    let options: OptionMap = texts.chain([overwrite]).collect();
    ExportPlan::new(&args.output, &args.file, options)
}

/// What is wrong with the command line itself.
fn misused(problems: Problems) -> Diagnostic {
    let mut diagnostic = Diagnostic::of_error(&Error::Plan(problems));
    diagnostic.exit_code = exit_code::USAGE;
    diagnostic
}

fn write(
    global: &Global,
    console: &Console,
    plan: &ExportPlan,
    cancel: &CancelToken,
) -> Result<Exported, Error> {
    let mut last = Instant::now();
    let mut on_step = |ExportStep { rows, of }| {
        if last.elapsed() >= BETWEEN_REPORTS {
            last = Instant::now();
            if global.is_json() {
                let line = json!({ "event": "exporting", "rows": rows, "of": of });
                console.note(&line.to_string());
            } else if !global.is_quiet() {
                console.note(&format!(
                    "exporting: {rows} of {}",
                    counted(of, "row", "rows")
                ));
            }
        }
        match cancel.reason() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    };
    let exported = sink::export(plan, &mut on_step);
    exported.map_err(|error| Error::of_merge(error, cancel.reason()))
}

fn shown(exported: &Exported) -> String {
    let (file, rows) = (exported.file.display(), exported.rows);
    let rows = counted(rows, "row", "rows");
    match exported.is_old {
        true => format!("{file} is exported already: {rows}"),
        false => format!("{file}: {rows}"),
    }
}
