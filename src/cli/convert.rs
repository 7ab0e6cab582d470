//! `runner convert`.

use super::{args::Global, convert_args::ConvertArgs, ending, stopped_by_signals};
use crate::{
    host::{self, Conversion, Converted},
    progress::Console,
    text::{bytes, counted, printable},
};
use serde_json::json;
use std::time::{Duration, Instant};

/// How often it is told how far a conversion is.
const BETWEEN_REPORTS: Duration = Duration::from_secs(5);
/// Tensors that are left out by name.
const MOST_LEFT_OUT: usize = 4;

/// Writes a model as a folder of HF transformers, and returns the exit code.
pub(super) fn convert(global: &Global, console: &Console, args: &ConvertArgs) -> u8 {
    let cancel = match stopped_by_signals(global, console) {
        Ok(cancel) => cancel,
        Err(exit_code) => return exit_code,
    };
    let conversion = Conversion {
        source: args.model.clone(),
        folder: args.folder.clone(),
        dtype: args.dtype,
        overwrite: args.overwrite,
    };
    let mut last = Instant::now();
    let mut on_step = |tensors: usize, of: usize| {
        if last.elapsed() < BETWEEN_REPORTS {
            return;
        }
        last = Instant::now();
        if global.is_json() {
            let line = json!({ "event": "converting", "tensors": tensors, "of": of });
            console.note(&line.to_string());
        } else if !global.is_quiet() {
            console.note(&format!("converting: {tensors} of {of} tensors"));
        }
    };
    let converted = match host::convert(&conversion, &cancel, &mut on_step) {
        Ok(converted) => converted,
        Err(error) => return ending::of_error(global, console, &error),
    };
    if global.is_json() {
        console.print(&shown_as_json(&converted));
    } else if !global.is_quiet() {
        console.print(&printable(&shown(&converted)));
    }
    if let Some(name) = &converted.not_finite
        && !global.is_json()
    {
        // That a model is of no use is said also to those who want to hear little.
        console.note(&printable(&format!(
            "warning: tensor `{name}` holds numbers that are not finite, as the model that was converted does"
        )));
    }
    ending::unprinted(global, console)
}

fn shown_as_json(converted: &Converted) -> String {
    json!({
        "folder": converted.folder,
        "tensors": converted.n_tensors,
        "bytes": converted.n_bytes,
        "left_out": converted.left_out,
        "not_finite": converted.not_finite,
    })
    .to_string()
}

fn shown(converted: &Converted) -> String {
    let folder = converted.folder.display();
    let tensors = counted(converted.n_tensors as u64, "tensor", "tensors");
    let mut text = format!("{folder}: {tensors}, {}", bytes(converted.n_bytes));
    let left_out = &converted.left_out;
    if !left_out.is_empty() {
        let some = left_out.iter().take(MOST_LEFT_OUT);
        let some: Vec<_> = some.map(|name| format!("`{name}`")).collect();
        text += &format!("; left out: {}", some.join(", "));
        if left_out.len() > MOST_LEFT_OUT {
            text += &format!(" and {} more", left_out.len() - MOST_LEFT_OUT);
        }
    }
    text
}
