//! The CUDA toolkit.

use crate::{
    device::{self, DeviceError, Part},
    doctor::{
        check::Tell,
        finding::{Finding, State},
        machine::Machine,
    },
};
use serde_json::Value;

/// Where its parts are, and whether they go together with the driver.
pub(super) fn look(machine: &Machine, tell: Tell) {
    let has_gpu = machine.has_gpu();
    let parts = device::toolkit_parts();
    let versions = parts.iter().filter_map(|part| {
        let (_, version) = part.found.as_ref().ok()?;
        version.split('.').next().map(str::to_owned)
    });
    let mut majors: Vec<String> = versions.collect();
    majors.dedup();
    let are_all_there = parts.iter().all(|part| part.found.is_ok());
    for Part { name, found } in &parts {
        let finding = match found {
            Ok((path, version)) => Finding::good(*name, format!("{version}: {}", path.display()))
                .with("version", version.as_str())
                .with("path", path.display().to_string()),
            Err(error) => missing(name, error, has_gpu)
                .with("version", Value::Null)
                .with("path", Value::Null),
        };
        tell(finding);
    }
    if majors.len() > 1 {
        let text = format!("its parts are of CUDA {}", majors.join(" and "));
        let remedy = "kernels may not compile: take all parts from one toolkit, or remove what names the other one";
        tell(Finding::warning("CUDA toolkit", text, remedy));
    }
    // What is missing was told.
    if are_all_there
        && !parts.is_empty()
        && let Err(error) = device::toolkit_is_ready()
    {
        let state = if has_gpu { State::Failure } else { State::Note };
        tell(Finding::of_error(state, "CUDA toolkit", &error));
    }
}

fn missing(name: &str, error: &DeviceError, has_gpu: bool) -> Finding {
    let is_broken = matches!(error, DeviceError::NoLibrary { refused, .. } if !refused.is_empty());
    match (has_gpu, is_broken) {
        (true, _) => Finding::of_error(State::Failure, name, error),
        (false, true) => Finding::of_error(State::Warning, name, error),
        // Nobody needs it here.
        (false, false) => Finding::note(name, format!("{error}; only GPUs need it")),
    }
}
