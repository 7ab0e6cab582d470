//! `runner status`.

use super::{args::Global, ending};
use crate::{
    error::Error,
    progress::Console,
    script::Diagnostic,
    sink::{self, Rate, ShardStatus, State, Status},
    text::{bytes, counted, duration, printable},
};
use std::path::Path;

/// Says how far an output is, and returns the exit code.
pub(super) fn status(global: &Global, console: &Console, output: &Path) -> u8 {
    let status = match sink::status(output) {
        Ok(status) => status,
        Err(error) => {
            let mut diagnostic = Diagnostic::of_error(&Error::Sink(error));
            if let Some(hint) = hint_of_scores(output) {
                diagnostic = diagnostic.with_hints(|_| hint.clone());
            }
            return ending::failed(global, console, &diagnostic);
        }
    };
    let text = match global.is_json() {
        true => serde_json::to_string(&status).expect("maps have texts as keys"),
        false => printable(&shown(&status)).into_owned(),
    };
    console.print(&text);
    ending::unprinted(global, console)
}

/// What is said of a table of scores, whose sequences are an output of their own while it is made.
fn hint_of_scores(table: &Path) -> Option<String> {
    if table.extension().is_none_or(|ending| ending != "csv") {
        return None;
    }
    let beside = |ending: &str| {
        let mut name = table.file_name()?.to_owned();
        name.push(ending);
        Some(table.with_file_name(name))
    };
    let folders = beside(".parts")?.read_dir().into_iter().flatten().flatten();
    let mut folders = folders.map(|entry| entry.path());
    if let Some(folder) = folders.find(|folder| folder.join("logits.ledger").is_dir()) {
        let logits = folder.join("logits/");
        return Some(format!(
            "`runner status {}` says how far its sequences are",
            logits.display()
        ));
    }
    let note = beside(".json")?;
    (table.is_file() && note.is_file())
        .then(|| format!("`{}` says how it came about", note.display()))
}

fn shown(status: &Status) -> String {
    let mut lines = vec![
        ("output", status.output.display().to_string()),
        ("state", state(status)),
        (
            "done",
            format!(
                "{}: {}, {} rejected",
                counted(status.records, "record", "records"),
                rows(status.rows),
                status.rejected
            ),
        ),
        (
            "parts",
            format!("{}, {}", status.parts, bytes(status.bytes)),
        ),
    ];
    lines.splice(2..2, shards(&status.shards));
    if let Some(shard) = status.shard {
        lines.insert(1, ("shard", shard.to_string()));
    }
    let conflicts = status.conflicts.iter();
    lines.extend(conflicts.map(|conflict| ("conflict", conflict.clone())));
    if let (Some(at), Some(seconds)) = (&status.last_commit, status.seconds_since_last_commit) {
        lines.push((
            "last commit",
            format!("{at}, {} ago", duration(seconds as f64)),
        ));
    }
    if let Some(seconds) = status.seconds {
        lines.push(("time", duration(seconds)));
    }
    let rates = [("rate", status.rate), ("rate of late", status.recent_rate)];
    for (name, rate) in rates {
        if let Some(Rate {
            rows_per_sec,
            tokens_per_sec,
        }) = rate
        {
            lines.push((
                name,
                format!("{rows_per_sec:.1} rows/s, {tokens_per_sec:.0} tokens/s"),
            ));
        }
    }
    if status.lost_rows > 0 || status.lost_seconds > 0.0 {
        let lost = duration(status.lost_seconds);
        let rows = rows(status.lost_rows);
        lines.push(("done twice", format!("{rows}, {lost}")));
    }
    if status.damaged_lines > 0 {
        lines.push((
            "damaged",
            format!(
                "{} of the ledger",
                counted(status.damaged_lines, "line", "lines")
            ),
        ));
    }
    if let Some(wrong) = &status.wrong {
        let output = status.output.display();
        lines.push(("there now", format!("`{output}` {wrong}")));
    }
    for stretch in &status.stretches {
        lines.push((
            "stretch",
            format!(
                "{} process {} on {}, {}",
                stretch.at, stretch.pid, stretch.host, stretch.device
            ),
        ));
    }
    for (name, map) in [
        ("identity", &status.identity),
        ("settings", &status.settings),
    ] {
        let entries = map
            .iter()
            .map(|(key, value)| (name, format!("{key} = {value}")));
        lines.extend(entries);
    }
    aligned(&lines)
}

/// Lines of a name and a text, of which those of one name have it once.
fn aligned(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut last = "";
    let lines = lines.iter().map(|(name, text)| {
        let shown = if *name == last { "" } else { name };
        last = name;
        format!("{shown:width$}  {text}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn state(status: &Status) -> String {
    match (status.state, &status.owner) {
        (State::BeingMade, Some(owner)) => format!(
            "being made by process {} on {} since {}, with {} since",
            owner.pid,
            owner.host,
            owner.since,
            rows(owner.beat.rows)
        ),
        (State::BeingMade, None) => "being made".to_owned(),
        (State::Finished, _) if status.shard.is_some() => {
            let output = status.output.display();
            format!("finished: `runner merge {output}` puts it and the others together")
        }
        (State::Finished, _) => "finished".to_owned(),
        (State::Stopped, _) if !status.shards.is_empty() => {
            let is_stopped = |shard: &ShardStatus| shard.state == State::Stopped;
            let is_unreadable = |shard: &ShardStatus| shard.state == State::Unreadable;
            if status.shards.iter().any(is_unreadable) {
                return "nobody knows: the ledgers of some shards cannot be read".to_owned();
            }
            let begin = match status.shards.iter().any(is_stopped) {
                true => "stopped: run the shards again that are not finished",
                false => "not finished: run the shards that are missing",
            };
            format!("{begin}, with `--shard i/n` and the arguments that the others had")
        }
        (State::Stopped, _) => match status.shard {
            Some(shard) => {
                format!("stopped: run the script again to go on, with `--shard {shard}`")
            }
            None => "stopped: run the script again to go on".to_owned(),
        },
        (State::Unmerged, _) if !status.conflicts.is_empty() => {
            "all shards are finished, and do not belong together".to_owned()
        }
        (State::Unmerged, _) => {
            let output = status.output.display();
            format!("all shards are finished: `runner merge {output}` puts them together")
        }
        (State::Missing, _) => "missing".to_owned(),
        (State::Unreadable, _) => "its ledger cannot be read".to_owned(),
    }
}

/// How many shards are in each state, and, a line each, those that are not finished.
fn shards(shards: &[ShardStatus]) -> Vec<(&'static str, String)> {
    if shards.is_empty() {
        return Vec::new();
    }
    let named = |state| match state {
        State::Finished | State::Unmerged => "finished",
        State::BeingMade => "being made",
        State::Stopped => "stopped",
        State::Missing => "missing",
        State::Unreadable => "unreadable",
    };
    let states = [
        State::Finished,
        State::BeingMade,
        State::Stopped,
        State::Missing,
        State::Unreadable,
    ];
    let counts = states.into_iter().filter_map(|state| {
        let n_shards = shards.iter().filter(|shard| shard.state == state).count();
        (n_shards > 0).then(|| format!("{n_shards} {}", named(state)))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let unfinished = shards
        .iter()
        .filter(|shard| shard.state != State::Finished)
        .map(|shard| {
            let by = shard.owner.as_ref().map_or_else(String::new, |owner| {
                format!(" by process {} on {}", owner.pid, owner.host)
            });
            let state = named(shard.state);
            let rest = shard.problem.clone().unwrap_or_else(|| rows(shard.rows));
            ("shard", format!("{}  {state}{by}, {rest}", shard.shard))
        });
    [("shards", format!("{}: {counts}", shards.len()))]
        .into_iter()
        .chain(unfinished)
        .collect()
}

fn rows(number: u64) -> String {
    counted(number, "row", "rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_once_and_texts_below_each_other() {
        let line = |name, text: &str| (name, text.to_owned());
        let lines = [line("a", "1"), line("long", "2"), line("long", "3")];
        assert_eq!(aligned(&lines), "a     1\nlong  2\n      3");
    }
}
