//! Files that are there completely or not at all.
//!
//! *Input*: where a file is to be, and what it holds. *Output*: the file, or nothing. *Owns*: temporary
//! names, and that none of them outlives its process. *Never*: writes to a pipe or a device, waits for
//! another process.

mod card;
mod destination;
mod error;
mod guarded;
mod home;
mod kept;
mod process;
mod space;
mod staged;
mod staged_folder;
mod stale;
mod target;
mod temporary;

pub use card::{Card, VERSION, ends, hash_header_last};
pub use destination::{MOST_LINKS, destination};
pub use error::{FileError, remedy};
pub use guarded::guarded;
pub use home::{Home, home_folder};
pub use process::{Life, Process, host_name};
pub use space::free_bytes;
pub use staged::{Keep, Staged, replace, write};
pub use staged_folder::{StagedFolder, check_folder};
pub use stale::{is_temporary, is_temporary_of_others, sweep_once};
pub use target::{Existing, check_target, create, create_folder, open, sync_folder};
pub use temporary::{TemporaryFolder, remove_temporary, temporary_place};
