//! Variables of the environment that change what the program does.

use crate::{
    device,
    doctor::{check::Tell, finding::Finding, machine::Machine, mask::masked},
};
use serde_json::{Map, Value};
use std::env;

/// How their names begin, in capitals.
const BEGINNINGS: [&str; 7] = [
    "RUNNER_",
    "HF_",
    "HUGGINGFACE_",
    "TRANSFORMERS_",
    "CUDA_",
    "NVIDIA_",
    "RAYON_",
];
/// The names of others, in capitals.
const NAMES: [&str; 11] = [
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "CONDA_PREFIX",
    "VIRTUAL_ENV",
    "XDG_CACHE_HOME",
    "TMPDIR",
    "RUST_LOG",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// Those that are set, without secrets.
pub(super) fn look(_: &Machine, tell: Tell) {
    let mut set: Vec<(String, String)> = env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| matters(name) && !device::is_set_here(name))
        .map(|(name, value)| {
            let value = masked(&name, &value);
            (name, value)
        })
        .collect();
    set.sort();
    let text = match set.as_slice() {
        [] => "none is set that matters here".to_owned(),
        set => {
            let shown = set.iter().map(|(name, value)| format!("{name}={value}"));
            shown.collect::<Vec<_>>().join(" ")
        }
    };
    let facts: Map<String, Value> = set
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    tell(Finding::note("variables", text).with("variables", facts));
}

fn matters(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    NAMES.contains(&name.as_str()) || BEGINNINGS.iter().any(|begin| name.starts_with(begin))
}
