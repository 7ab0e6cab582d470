//! The GPUs that the driver shows.

use super::Doing;
use crate::device::DeviceError;
use cudarc::driver::{
    result::device,
    sys::{self, CUdevice_attribute},
};

/// A GPU that the driver shows.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) ordinal: usize,
    pub(super) device: sys::CUdevice,
    pub(super) name: String,
    /// As `nvidia-smi -L` writes it.
    pub(super) uuid: String,
    pub(super) capability: (u32, u32),
    pub(super) n_multiprocessors: usize,
}

impl Found {
    /// The GPUs that the driver shows, under CUDA_VISIBLE_DEVICES.
    ///
    /// # Errors
    /// If it does not answer.
    pub(super) fn all() -> Result<Vec<Self>, DeviceError> {
        let n = device::get_count().doing("count the devices")?;
        (0..n)
            .map(|ordinal| {
                let handle = device::get(ordinal).doing("open the device")?;
                let name = device::get_name(handle).doing("read its name")?;
                let uuid = device::get_uuid(handle).doing("read its UUID")?;
                Ok(Self {
                    ordinal: ordinal as usize,
                    device: handle,
                    name,
                    uuid: uuid_text(&uuid.bytes.map(|byte| byte as u8)),
                    capability: (
                        attribute(
                            handle,
                            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                        )?,
                        attribute(
                            handle,
                            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                        )?,
                    ),
                    n_multiprocessors: attribute(
                        handle,
                        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
                    )? as usize,
                })
            })
            .collect()
    }

    /// How to name it, for people.
    pub(super) fn describe(&self) -> String {
        format!("\"cuda:{}\" ({}, {})", self.ordinal, self.name, self.uuid)
    }
}

/// A number that the driver knows about a device.
fn attribute(device: sys::CUdevice, which: CUdevice_attribute) -> Result<u32, DeviceError> {
    // SAFETY: `device` came from the driver.
    let value = unsafe { device::get_attribute(device, which) };
    let value = value.doing("read its attributes")?;
    Ok(u32::try_from(value).unwrap_or(0))
}

/// A UUID as `nvidia-smi -L` writes it.
fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut text = String::from("GPU-");
    for (n, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&n) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_read_as_nvidia_smi_writes_them() {
        let bytes = std::array::from_fn(|n| (17 * n) as u8);
        assert_eq!(
            uuid_text(&bytes),
            "GPU-00112233-4455-6677-8899-aabbccddeeff"
        );
    }
}
