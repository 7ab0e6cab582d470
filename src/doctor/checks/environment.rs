//! Variables of the environment that change what the program does.

use crate::{
    device,
    doctor::{check::Tell, finding::Finding, machine::Machine, mask::masked},
    text::shortened,
};
use serde_json::{Map, Value};
use std::env;

/// How their names begin, in capitals.
const BEGINNINGS: [&str; 6] = [
    "RUNNER_",
    "HF_",
    "HUGGINGFACE_",
    "TRANSFORMERS_",
    "CUDA_",
    "RAYON_",
];
/// The names of others, in capitals.
const NAMES: [&str; 27] = [
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_TF32_OVERRIDE",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "CONDA_PREFIX",
    "VIRTUAL_ENV",
    "PYTHONUSERBASE",
    "HUGGING_FACE_HUB_TOKEN",
    "XDG_CACHE_HOME",
    "TMPDIR",
    "RUST_LOG",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_STEP",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_CPUS_PER_TASK",
    "SLURM_PROCID",
    "SLURM_NTASKS",
    "SLURM_STEP_ID",
    "SLURM_STEP_NUM_TASKS",
];
/// What images of containers say of themselves under names that begin so, in capitals.
const SAY_NOTHING: [&str; 1] = ["CUDA_VERSION"];
/// Characters of a value that people are shown.
const MOST_CHARACTERS: usize = 120;

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
            let shown = set
                .iter()
                .map(|(name, value)| format!("{name}={}", shortened(value, MOST_CHARACTERS)));
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
    let is_one =
        NAMES.contains(&name.as_str()) || BEGINNINGS.iter().any(|begin| name.starts_with(begin));
    is_one && !SAY_NOTHING.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_is_not_listed() {
        for name in [
            "CUDA_VISIBLE_DEVICES",
            "CUDA_PATH",
            "CUDA_HOME",
            "https_proxy",
        ] {
            assert!(matters(name), "{name}");
        }
        for name in [
            "NVIDIA_REQUIRE_CUDA",
            "NVIDIA_PRODUCT_NAME",
            "NVIDIA_CUDA_VERSION",
            "CUDA_VERSION",
            "SLURM_JOB_NAME",
            "PATH",
        ] {
            assert!(!matters(name), "{name}");
        }
    }
}
