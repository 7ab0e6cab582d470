//! The number format that a model computes in.

use super::ModelError;
use crate::{
    device::Chosen,
    job::{DeviceChoice, Dtype, ModelSpec},
    ops,
};

/// The number format to compute in: the one asked for, else bf16 on a GPU and f32 on the CPU.
///
/// # Errors
/// If the device does not compute in it.
pub(super) fn of(spec: &ModelSpec, chosen: Option<&Chosen>) -> Result<Dtype, ModelError> {
    match chosen {
        Some(chosen) if chosen.gpu.is_some() => Ok(spec.dtype.unwrap_or(Dtype::Bf16)),
        Some(chosen) => on_cpu(spec, &chosen.label),
        None => on_mock(spec),
    }
}

/// Checks that the device can compute in the number format that is asked for, if that is known already.
///
/// # Errors
/// If it never does.
pub(super) fn check(spec: &ModelSpec) -> Result<(), ModelError> {
    match spec.device {
        DeviceChoice::Cpu => on_cpu(spec, "the CPU").map(|_| ()),
        DeviceChoice::Mock => on_mock(spec).map(|_| ()),
        DeviceChoice::Auto | DeviceChoice::AllGpus | DeviceChoice::Gpus(_) => Ok(()),
    }
}

fn on_cpu(spec: &ModelSpec, label: &str) -> Result<Dtype, ModelError> {
    let asked = spec.dtype.unwrap_or(Dtype::F32);
    match ops::lacking(asked) {
        None => Ok(asked),
        Some(reason) => Err(ModelError::Dtype {
            device: label.to_owned(),
            supported: match ops::lacking(Dtype::Bf16) {
                None => "f32 and bf16",
                Some(_) => "f32",
            },
            asked: asked.name(),
            reason: Some(reason),
        }),
    }
}

fn on_mock(spec: &ModelSpec) -> Result<Dtype, ModelError> {
    match spec.dtype {
        None | Some(Dtype::F32) => Ok(Dtype::F32),
        Some(asked) => Err(ModelError::Dtype {
            device: "the mock device".to_owned(),
            supported: "f32",
            asked: asked.name(),
            reason: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_takes_bf16_where_it_has_what_that_needs_and_never_f16() {
        let asked = |dtype| {
            let spec = ModelSpec {
                device: DeviceChoice::Cpu,
                dtype,
                ..ModelSpec::new("m")
            };
            check(&spec).map_err(|error| error.to_string())
        };
        assert_eq!(asked(None), Ok(()));
        assert_eq!(asked(Some(Dtype::F32)), Ok(()));
        let refused = asked(Some(Dtype::F16)).unwrap_err();
        assert!(
            refused.ends_with("not in f16: that takes a GPU"),
            "{refused}"
        );
        match (ops::lacking(Dtype::Bf16), asked(Some(Dtype::Bf16))) {
            (None, result) => assert_eq!(result, Ok(())),
            (Some(reason), result) => {
                let want = format!("the CPU computes in f32, not in bf16: {reason}");
                assert_eq!(result, Err(want));
            }
        }
    }
}
