//! A part of the CUDA toolkit that is needed at run time.

use super::DeviceError;
use std::path::PathBuf;

/// A part of the CUDA toolkit that is needed at run time.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    /// Where it is, and of which version.
    pub found: Result<(PathBuf, String), DeviceError>,
}
