//! What there is around the program that tells where a CUDA toolkit may be.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What there is around the program that tells where a CUDA toolkit may be.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// `CUDA_PATH`.
    pub(super) cuda_path: Option<PathBuf>,
    /// The folders of `LD_LIBRARY_PATH`.
    pub(super) library_path: Vec<PathBuf>,
    /// Files of NVRTC that the loader knows from its cache.
    pub(super) in_loader_cache: Vec<PathBuf>,
    /// Paths of the program: as it was called, and without links.
    pub(super) programs: Vec<PathBuf>,
    /// Folders that have Python's packages below them: virtual environments, those of the user, of the machine.
    pub(super) prefixes: Vec<PathBuf>,
    /// Folders in which toolkits are installed.
    pub(super) usual: Vec<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn of_this_process() -> Self {
        let variable = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let conda = variable("CONDA_PREFIX");
        let of_user = variable("PYTHONUSERBASE").or_else(|| Some(variable("HOME")?.join(".local")));
        let machine = ["/usr/local", "/usr"].map(PathBuf::from);
        let prefixes = [variable("VIRTUAL_ENV"), conda.clone(), of_user];
        let library_path = variable("LD_LIBRARY_PATH");
        let mut usual = Vec::from_iter(conda);
        usual.push("/usr/local/cuda".into());
        usual.extend(children(Path::new("/usr/local"), "cuda-"));
        usual.extend(["/opt/cuda", "/usr"].map(PathBuf::from));
        Self {
            cuda_path: variable("CUDA_PATH"),
            library_path: library_path.map_or_else(Vec::new, |list| {
                let folders = env::split_paths(&list);
                folders.filter(|folder| folder.is_absolute()).collect()
            }),
            in_loader_cache: fs::read("/etc/ld.so.cache")
                .map(|cache| cached_paths(&cache))
                .unwrap_or_default(),
            programs: programs(),
            prefixes: prefixes.into_iter().flatten().chain(machine).collect(),
            usual,
        }
    }
}

/// Paths of the program: as it was called, which may be a link in an environment, and without links.
fn programs() -> Vec<PathBuf> {
    let called = env::args_os().next().map(PathBuf::from).and_then(|name| {
        if name.components().count() > 1 {
            return std::path::absolute(name).ok();
        }
        let folders = env::var_os("PATH")?;
        let mut called = env::split_paths(&folders).map(|folder| folder.join(&name));
        called.find(|path| path.is_file())
    });
    let mut programs: Vec<_> = called.into_iter().chain(env::current_exe().ok()).collect();
    programs.dedup();
    programs
}

/// The files of NVRTC in a cache of the loader, whose texts end with zero bytes.
fn cached_paths(cache: &[u8]) -> Vec<PathBuf> {
    let texts = cache.split(|&byte| byte == 0);
    let paths = texts.filter_map(|text| {
        let start = text.iter().position(|&byte| byte == b'/')?;
        Some(Path::new(OsStr::from_bytes(&text[start..])))
    });
    let is_compiler = |path: &&Path| {
        let name = path.file_name().unwrap_or_default().as_bytes();
        name.starts_with(b"libnvrtc.so")
    };
    paths.filter(is_compiler).map(Path::to_path_buf).collect()
}

/// What is in a folder with a name that begins so, the highest version first.
pub(super) fn children(folder: &Path, begin: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut children: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(begin)?;
            let numbers = version.split('.').map_while(|part| part.parse().ok());
            Some((numbers.collect(), entry.path()))
        })
        .collect();
    children.sort_by(|a, b| b.cmp(a));
    children.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_of_the_loader_is_read() {
        let cache = b"glibc-ld.so.cache1.1Q\0\x07\0libz.so\0/lib/libz.so\0libnvrtc.so.12\0/usr/lib/libnvrtc.so.12\0\
                      /opt/a/libnvrtc-builtins.so.12.8\0/opt/cuda/lib64/libnvrtc.so\0";
        let expected = ["/usr/lib/libnvrtc.so.12", "/opt/cuda/lib64/libnvrtc.so"];
        assert_eq!(cached_paths(cache), expected.map(PathBuf::from));
        assert_eq!(cached_paths(b""), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn newer_versions_come_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["cuda-12.8", "cuda-13.0", "cuda-9.2", "cuda-13", "cudnn"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let names = ["cuda-13.0", "cuda-13", "cuda-12.8", "cuda-9.2"];
        let expected = names.map(|name| folder.path().join(name));
        assert_eq!(children(folder.path(), "cuda-"), expected);
        assert!(children(&folder.path().join("none"), "").is_empty());
    }
}
