//! `runner merge`.

use super::{
    args::{Global, MergeArgs},
    ending, stopped_by_signals,
};
use crate::{
    cancel::CancelToken,
    error::{Error, exit_code},
    job::MergePlan,
    progress::Console,
    sink::{self, MergeStep, Merged},
    text::{counted, printable},
};
use serde_json::json;
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// How often it is told how far a merge is.
const BETWEEN_REPORTS: Duration = Duration::from_secs(5);

/// Puts the shards of an output together, and returns the exit code.
pub(super) fn merge(global: &Global, console: &Console, args: &MergeArgs) -> u8 {
    let cancel = match stopped_by_signals(global, console) {
        Ok(cancel) => cancel,
        Err(exit_code) => return exit_code,
    };
    let plan = MergePlan {
        file: args.file.clone(),
        overwrite: args.overwrite,
        ..MergePlan::new(&args.output)
    };
    let merged = match put_together(global, console, &plan, &cancel) {
        Ok(merged) => merged,
        Err(error) => return ending::of_error(global, console, &error),
    };
    if let Some(warning) = &merged.warning {
        match global.is_json() {
            true => console.note(&json!({ "event": "warning", "message": warning }).to_string()),
            false => console.note(&format!("warning: {}", printable(warning))),
        }
    }
    let text = match global.is_json() {
        true => shown_as_json(&merged),
        false => printable(&shown(&merged)).into_owned(),
    };
    if global.is_json() || !global.is_quiet() {
        console.print(&text);
    }
    match ending::unprinted(global, console) {
        exit_code::OK if merged.rejected > 0 => exit_code::REJECTED,
        exit_code => exit_code,
    }
}

fn put_together(
    global: &Global,
    console: &Console,
    plan: &MergePlan,
    cancel: &CancelToken,
) -> Result<Merged, Error> {
    let mut last = Instant::now();
    let mut on_step = |step| {
        let progress = match step {
            MergeStep::Checked { parts, of } => Some(("checking", parts, of)),
            MergeStep::Joined { parts, of } => Some(("merging", parts, of)),
            _ => None,
        };
        if let Some((what, parts, of)) = progress
            && last.elapsed() >= BETWEEN_REPORTS
        {
            last = Instant::now();
            if global.is_json() {
                let line = json!({ "event": what, "parts": parts, "of": of });
                console.note(&line.to_string());
            } else if !global.is_quiet() {
                console.note(&format!("{what}: {parts} of {of} parts"));
            }
        }
        match cancel.reason() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    };
    let merged = sink::merge(plan, &mut on_step);
    merged.map_err(|error| Error::of_merge(error, cancel.reason()))
}

fn shown_as_json(merged: &Merged) -> String {
    json!({
        "output": merged.published.output,
        "rejects": merged.published.rejects,
        "records": merged.records,
        "rows": merged.rows,
        "rejected": merged.rejected,
        "shards": merged.shards,
        "was_merged": merged.is_old,
        "warning": merged.warning,
    })
    .to_string()
}

fn shown(merged: &Merged) -> String {
    let output = merged.published.output.as_deref();
    let output = output.map_or_else(String::new, |output| output.display().to_string());
    let (rows, rejected) = (counted(merged.rows, "row", "rows"), merged.rejected);
    match merged.is_old {
        true => format!("{output} is merged already: {rows}, {rejected} rejected"),
        false => format!("{output}: {rows}, {rejected} rejected"),
    }
}
