//! Devices.

/// What can go wrong with a device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {}
