//! The number format that a model computes in.

use super::ModelError;
use crate::{
    device::{Chosen, ChosenGpu},
    job::{DeviceChoice, Dtype, ModelSpec},
    ops,
};

/// The number format to compute in: the one asked for, else bf16 on a GPU and f32 on the CPU.
///
/// # Errors
/// If the device does not compute in it.
pub(super) fn of(spec: &ModelSpec, chosen: Option<&Chosen>) -> Result<Dtype, ModelError> {
    match chosen {
        Some(Chosen {
            gpu: Some(gpu),
            label,
            ..
        }) => on_gpu(spec, gpu, label),
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

fn on_gpu(spec: &ModelSpec, gpu: &ChosenGpu, label: &str) -> Result<Dtype, ModelError> {
    let asked = spec.dtype.unwrap_or(Dtype::Bf16);
    match ops::gpu_lacks(gpu, asked) {
        None => Ok(asked),
        Some(reason) => Err(ModelError::Dtype {
            device: label.to_owned(),
            supported: "bf16, f16 and f32",
            asked,
            reason: Some(reason),
        }),
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
            asked,
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
            asked,
            reason: match asked {
                Dtype::Int8 => ops::lacking(asked),
                _ => None,
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

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
        let refused = asked(Some(Dtype::Int8)).unwrap_err();
        assert!(
            refused.contains("not in int8: that takes a GPU of compute capability 9.0 (Hopper)"),
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

    #[test]
    fn int8_is_for_hopper_alone() {
        let asked = |dtype, capability| {
            let spec = ModelSpec {
                dtype,
                ..ModelSpec::new("m")
            };
            let gpu = ChosenGpu {
                ordinal: 0,
                name: "NVIDIA GPU".to_owned(),
                uuid: "GPU-0".to_owned(),
                capability,
                n_left_over: 0,
            };
            on_gpu(&spec, &gpu, "NVIDIA GPU (cuda:0)")
        };
        assert!(matches!(asked(None, (8, 0)), Ok(Dtype::Bf16)));
        assert!(matches!(asked(Some(Dtype::Int8), (9, 0)), Ok(Dtype::Int8)));
        for capability in [(8, 0), (8, 9), (10, 0), (12, 0)] {
            let error = asked(Some(Dtype::Int8), capability).unwrap_err();
            assert_eq!(
                error.in_full(),
                "NVIDIA GPU (cuda:0) computes in bf16, f16 and f32, not in int8: that takes a GPU of compute \
                 capability 9.0 (Hopper), such as an H100 or an H200 (leave `dtype` out, and options of int8 with it)"
            );
        }
        let spec = ModelSpec {
            device: DeviceChoice::Mock,
            dtype: Some(Dtype::Int8),
            ..ModelSpec::new("m")
        };
        let error = check(&spec).unwrap_err().to_string();
        assert!(
            error.starts_with("the mock device computes in f32, not in int8: that takes a GPU")
        );
    }
}
