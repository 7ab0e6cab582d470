//! The GPUs.

use crate::{
    device::{DeviceError, ShownGpu},
    doctor::{
        check::Tell,
        finding::{Finding, State},
        machine::Machine,
    },
    monitor::{InstalledGpu, Inventory},
    text::{self, in_number},
};
use std::env;

/// Less is too little for a model and a batch.
const ENOUGH_BYTES: u64 = 2 << 30;

/// Every GPU that the driver shows, and what hides others.
pub(super) fn look(machine: &Machine, tell: Tell) {
    let inventory = machine.inventory().ok();
    let gpus = match machine.gpus() {
        Ok(gpus) => gpus,
        Err(DeviceError::NoDriver | DeviceError::BrokenDriver(_) | DeviceError::NotBuilt(_)) => {
            return;
        }
        Err(error) => {
            let n_installed = inventory.map_or(0, |inventory| inventory.gpus.len());
            let is_there = n_installed > 0 || matches!(error, DeviceError::Driver(_));
            let is_hidden = env::var("CUDA_VISIBLE_DEVICES").is_ok_and(|value| value.is_empty());
            let state = match is_there && !is_hidden {
                true => State::Failure,
                false => State::Note,
            };
            tell(Finding::of_error(state, "GPUs", error).with("installed", n_installed));
            return;
        }
    };
    for gpu in gpus {
        tell(of_gpu(gpu, inventory));
    }
    if let Some(finding) = visible(gpus.len(), inventory) {
        tell(finding);
    }
}

fn of_gpu(gpu: &ShownGpu, inventory: Option<&Inventory>) -> Finding {
    let name = format!("cuda:{}", gpu.ordinal);
    let (major, minor) = gpu.capability;
    let installed = inventory.and_then(|inventory| find(inventory, &gpu.uuid));
    let free = installed.and_then(|gpu| gpu.free_bytes);
    let mut parts = vec![
        gpu.name.clone(),
        format!("compute capability {major}.{minor}"),
    ];
    parts.push(match free {
        Some(free) => format!(
            "{} of {} free",
            text::bytes(free),
            text::bytes(gpu.memory_bytes)
        ),
        None => text::bytes(gpu.memory_bytes),
    });
    let is_slice = gpu.name.contains("MIG");
    let modes = installed.map(|gpu| {
        [
            ("MIG", gpu.is_mig),
            ("ECC", gpu.is_ecc),
            ("persistence", gpu.is_persistent),
        ]
    });
    for (mode, is_on) in modes.into_iter().flatten() {
        if let Some(is_on) = is_on {
            parts.push(format!("{mode} {}", if is_on { "on" } else { "off" }));
        }
    }
    parts.push(gpu.uuid.clone());
    let text = parts.join(", ");
    let finding = if !gpu.is_new_enough {
        let remedy =
            "the kernels need 8.0 (Ampere) or newer: models run on other GPUs or on the CPU";
        Finding::warning(name, text, remedy)
    } else if installed.and_then(|gpu| gpu.is_mig) == Some(true) && !is_slice {
        Finding::warning(
            name,
            text,
            "it is cut into slices, one of which this is or hides: `nvidia-smi -L` lists them",
        )
    } else if free.is_some_and(|free| free < ENOUGH_BYTES) {
        Finding::warning(
            name,
            text,
            "other programs hold its memory: `nvidia-smi` lists them",
        )
    } else {
        Finding::good(name, text)
    };
    finding
        .with("ordinal", gpu.ordinal)
        .with("name", gpu.name.as_str())
        .with("uuid", gpu.uuid.as_str())
        .with("capability", format!("{major}.{minor}"))
        .with("memory_bytes", gpu.memory_bytes)
        .with("free_bytes", free)
        .with("mig", installed.and_then(|gpu| gpu.is_mig))
        .with("ecc", installed.and_then(|gpu| gpu.is_ecc))
        .with("persistence", installed.and_then(|gpu| gpu.is_persistent))
}

fn find<'a>(inventory: &'a Inventory, uuid: &str) -> Option<&'a InstalledGpu> {
    inventory.gpus.iter().find(|gpu| gpu.uuid == uuid)
}

/// What hides GPUs, where it is set.
fn visible(n_shown: usize, inventory: Option<&Inventory>) -> Option<Finding> {
    let listed = env::var_os("CUDA_VISIBLE_DEVICES")?;
    let listed = listed.to_string_lossy().into_owned();
    let n_installed = inventory.map(|inventory| inventory.gpus.len());
    let of = n_installed.map_or_else(String::new, |n| format!(" of {n}"));
    let gpus = in_number(n_installed.unwrap_or(n_shown) as u64, "GPU", "GPUs");
    let text = format!("CUDA_VISIBLE_DEVICES is \"{listed}\", which shows {n_shown}{of} {gpus}");
    // It counts from 0 in this order, and ends with the first that is not there.
    let n_listed = listed
        .split(',')
        .filter(|part| !part.trim().is_empty())
        .count();
    let finding = match n_listed == n_shown {
        true => Finding::note("visible", text),
        false => Finding::warning(
            "visible",
            text,
            "the driver shows what it lists, up to the first that is not there",
        ),
    };
    Some(
        finding
            .with("value", listed)
            .with("shown", n_shown)
            .with("installed", n_installed),
    )
}
