//! The register of a script's paths: what each is for, and that none gets in the way of another.
//!
//! *Input*: paths, each with the role that it plays. *Output*: a refusal where a file would be
//! written that something else reads or writes, or that this program did not write. *Owns*: which
//! two paths are one file. *Never*: creates or changes anything.

mod ours;
mod register;
mod role;
mod writable;

pub use ours::{CONTACT_MAP_MARK, check_ours};
pub use register::{Claim, Register};
pub use role::Role;
pub use writable::{check_in_place, check_output_place, check_writable};

use crate::{file::FileError, job::Problems};

/// Why a path cannot be used as the script wants it.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// The script must name another one.
    #[error(transparent)]
    Plan(#[from] Problems),
    /// The file system would refuse.
    #[error(transparent)]
    File(#[from] FileError),
}
