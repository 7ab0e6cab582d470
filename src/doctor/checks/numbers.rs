//! Whether the numbers are right, on each device and in each number format.

use crate::{
    device::amx,
    doctor::{check::Tell, finding::Finding, machine::Machine, self_test},
    job::{DeviceChoice, Dtype},
};

/// The numbers of the CPU, in bf16 where it has AMX.
pub(super) fn on_cpu(_: &Machine, tell: Tell) {
    let dtypes = [
        Some(Dtype::F32),
        amx::lacking().is_none().then_some(Dtype::Bf16),
    ];
    for dtype in dtypes.into_iter().flatten() {
        tell(test("CPU".to_owned(), &DeviceChoice::Cpu, dtype));
    }
}

/// The numbers of each GPU, where there are any.
pub(super) fn on_gpus(machine: &Machine, tell: Tell) {
    let gpus = machine.gpus().unwrap_or_default();
    for gpu in gpus.iter().filter(|gpu| gpu.is_new_enough) {
        // In int8 a model is compared with bf16 whenever it is loaded.
        for dtype in Dtype::FLOATS {
            let device = DeviceChoice::cuda(gpu.ordinal);
            tell(test(format!("cuda:{}", gpu.ordinal), &device, dtype));
        }
    }
}

fn test(device: String, choice: &DeviceChoice, dtype: Dtype) -> Finding {
    let name = format!("{device} {}", dtype.name());
    let result = self_test::run(choice, dtype);
    let finding = match &result {
        Ok(outcome) => {
            let text = format!(
                "largest error {:.1e}, at most {:.1e} is right; {:.1} s",
                outcome.error, outcome.tolerance, outcome.seconds
            );
            let finding = match outcome.is_right() {
                true => Finding::good(name, text),
                false => Finding::failure(
                    name,
                    text,
                    "the device computes wrong numbers: do not use it, and report it",
                ),
            };
            finding
                .with("error", outcome.error)
                .with("tolerance", outcome.tolerance)
                .with("seconds", outcome.seconds)
        }
        Err(failure) => Finding {
            remedy: failure.remedy.clone(),
            ..Finding::failure(name, failure.message.as_str(), "")
        },
    };
    finding.with("device", device).with("dtype", dtype.name())
}
