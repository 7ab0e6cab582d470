//! The proof that a process has nothing to do with a GPU.

use serde::{Deserialize, Serialize};
use std::{env, fs, io};

/// What a process sees of GPUs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuView {
    /// `CUDA_VISIBLE_DEVICES`. Only an empty value hides all devices.
    pub cuda_visible_devices: Option<String>,
    /// The paths of the GPU libraries that are mapped into the process.
    pub libraries: Vec<String>,
}

/// How the names of the driver's, NVML's, the runtime's and the compiler's files begin. The
/// runtime's name, libcudart, begins like the driver's.
const LIBRARIES: [&str; 3] = ["libcuda", "libnvidia-ml", "libnvrtc"];

impl GpuView {
    /// What this process sees.
    ///
    /// # Errors
    /// An error is returned if `/proc/self/maps` cannot be read.
    pub fn of_this_process() -> io::Result<Self> {
        // As bytes: `procfs` refuses the whole list for one path that is not UTF-8, such as the program's.
        let maps = fs::read("/proc/self/maps")?;
        Ok(Self {
            cuda_visible_devices: env::var_os("CUDA_VISIBLE_DEVICES")
                .map(|value| value.to_string_lossy().into_owned()),
            libraries: gpu_libraries(&String::from_utf8_lossy(&maps)),
        })
    }

    /// Why this is no view of a CPU-only process, if it is not.
    pub fn fault(&self) -> Option<String> {
        if let Some(library) = self.libraries.first() {
            return Some(format!("it maps the GPU library `{library}`"));
        }
        match self.cuda_visible_devices.as_deref() {
            Some("") => None,
            Some(devices) => Some(format!("its CUDA_VISIBLE_DEVICES is `{devices}`")),
            None => Some("its CUDA_VISIBLE_DEVICES is not set, which shows all devices".to_owned()),
        }
    }
}

/// The GPU libraries among the files of `maps`, which is in the format of `/proc/self/maps`.
fn gpu_libraries(maps: &str) -> Vec<String> {
    let mut libraries: Vec<String> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|start| &line[start..]))
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or(path);
            LIBRARIES.iter().any(|library| name.starts_with(library))
        })
        .map(str::to_owned)
        .collect();
    // A library is mapped in several pieces, which follow each other.
    libraries.dedup();
    libraries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpu_libraries_are_found_by_their_file_names() {
        let maps = "\
7f0000000000-7f0000001000 r--p 00000000 08:01 42 /usr/lib/libcuda.so.550.54\n\
7f0000001000-7f0000002000 r-xp 00001000 08:01 42 /usr/lib/libcuda.so.550.54\n\
7f0000003000-7f0000004000 r-xp 00001000 08:01 43 /opt/my libs/libcudart-d0da41ae.so.11.0\n\
7f0000005000-7f0000006000 r-xp 00001000 08:01 44 /home/libcuda/bin/runner\n\
7f0000007000-7f0000008000 rw-p 00000000 00:00 0 \n\
7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0 [stack]\n";
        assert_eq!(
            gpu_libraries(maps),
            [
                "/usr/lib/libcuda.so.550.54",
                "/opt/my libs/libcudart-d0da41ae.so.11.0"
            ]
        );
    }

    #[test]
    fn only_an_empty_variable_and_no_library_pass() {
        let check = |variable: Option<&str>, libraries: &[&str], expect: Option<&str>| {
            let view = GpuView {
                cuda_visible_devices: variable.map(str::to_owned),
                libraries: libraries.iter().map(|&name| name.to_owned()).collect(),
            };
            let fault = view.fault();
            match expect {
                None => assert_eq!(fault, None),
                Some(part) => assert!(
                    fault.as_ref().is_some_and(|f| f.contains(part)),
                    "{fault:?}"
                ),
            }
        };
        check(Some(""), &[], None);
        check(None, &[], Some("not set"));
        check(Some("0"), &[], Some("`0`"));
        check(Some(""), &["/lib/libcuda.so.1"], Some("/lib/libcuda.so.1"));
    }
}
