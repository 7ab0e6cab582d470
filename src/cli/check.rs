//! `runner check`.

use super::{
    args::{Forecast, Global, ScriptArgs},
    ending, forecast,
    shard::ChosenShard,
};
use crate::{
    host::{Extent, Rehearsal, Seen, ToDownload},
    progress::Console,
    text::{bytes, counted, printable},
};
use serde_json::{Value, json};
use std::{cell::RefCell, path::Path, rc::Rc};

/// Rehearses a script and returns the exit code.
pub(super) fn check(
    global: &Global,
    console: &Console,
    script: &ScriptArgs,
    forecast: &Forecast,
) -> u8 {
    let mut seen = Rc::<RefCell<Seen>>::default();
    let mut chosen_shard = None;
    let read = || script.read();
    let result = script
        .work
        .run(global, console, read, None, |_, chosen, cancel| {
            let shard = chosen.as_ref().map(|chosen| chosen.shard);
            chosen_shard = chosen;
            let (host, rehearsed) = Rehearsal::new(shard, forecast.forecasting(), cancel);
            seen = rehearsed;
            Box::new(host)
        });
    let result = match result {
        Ok(result) => result,
        Err(exit_code) => return exit_code,
    };
    let path = &script.script;
    // Who asks for a forecast wants to see it.
    if result.is_ok() && (!global.is_quiet() || forecast.is_wanted()) {
        let seen = seen.borrow();
        console.print(&if global.is_json() {
            let mut found = json!({
                "script": path.to_string_lossy(),
                "n_runs": seen.n_runs,
                "n_inputs": seen.n_inputs,
                "models": seen.models,
            });
            if !seen.to_download.is_empty() {
                found["to_download"] = seen.to_download.iter().map(as_json).collect();
            }
            if let Some(ChosenShard { shard, by }) = &chosen_shard {
                found["shard"] = json!(shard.to_string());
                found["shard_by"] = json!(by);
            }
            if seen.n_scores > 0 {
                found["n_scores"] = json!(seen.n_scores);
                found["scores"] = seen.extents.iter().map(extent_as_json).collect();
            }
            if forecast.is_wanted() {
                found["forecast"] = forecast::json(&seen.forecasts);
            }
            found.to_string()
        } else {
            let told = downloads(&seen.to_download)
                + scores(&seen.extents).as_str()
                + forecast::text(&seen.forecasts).as_str();
            let shard = chosen_shard.as_ref().map_or_else(String::new, |chosen| {
                format!("; shard {} ({})", chosen.shard, chosen.by)
            });
            printable(&(summary(path, &seen) + shard.as_str() + told.as_str())).into_owned()
        });
    }
    ending::report(global, console, result)
}

fn summary(path: &Path, seen: &Seen) -> String {
    let models: Vec<_> = seen.models.iter().map(String::as_str).collect();
    let models = match models.as_slice() {
        [] => "none".to_owned(),
        models => models.join(", "),
    };
    let scores = match seen.n_scores {
        0 => String::new(),
        n => format!(", {n} of `score` or `perplexity`"),
    };
    format!(
        "{} is fine: {} of `embed`{scores}, {} found; models: {models}",
        path.display(),
        counted(seen.n_runs as u64, "call", "calls"),
        counted(seen.n_inputs as u64, "input file", "input files"),
    )
}

/// How much would be scored, a line each.
fn scores(extents: &[(String, Extent)]) -> String {
    let line = |(inputs, extent): &(String, Extent)| {
        format!(
            "\nscores of {inputs}: {} of {}, {}, {}",
            counted(extent.scores, "score", "scores"),
            counted(extent.proteins, "protein", "proteins"),
            counted(extent.sequences, "sequence", "sequences"),
            counted(extent.tokens, "token", "tokens")
        )
    };
    extents.iter().map(line).collect()
}

fn extent_as_json((inputs, extent): &(String, Extent)) -> Value {
    json!({
        "inputs": inputs,
        "scores": extent.scores,
        "proteins": extent.proteins,
        "sequences": extent.sequences,
        "tokens": extent.tokens,
    })
}

/// What would be downloaded, a line each.
fn downloads(models: &[ToDownload]) -> String {
    let line = |to_download: &ToDownload| {
        let ToDownload {
            model,
            n_files,
            n_bytes,
            ..
        } = to_download;
        format!(
            "\n{model} is to be downloaded: {}, {}",
            counted(*n_files as u64, "file", "files"),
            bytes(*n_bytes)
        )
    };
    models.iter().map(line).collect()
}

fn as_json(to_download: &ToDownload) -> Value {
    json!({
        "model": to_download.model,
        "commit": to_download.commit,
        "files": to_download.n_files,
        "bytes": to_download.n_bytes,
    })
}
