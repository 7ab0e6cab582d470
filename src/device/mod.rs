//! Choosing a device.
//!
//! *Input*: the device that a script names. *Output*: a burn device that works. *Never*: knows
//! ESM-2.

mod choose;

pub use choose::{Chosen, DeviceError, choose};
