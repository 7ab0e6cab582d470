//! Where parts of a CUDA toolkit may be, best first.

use super::surroundings::{Surroundings, children};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The versions of CUDA that the program knows by their libraries' names, best first.
pub(super) const MAJORS: [u32; 2] = [13, 12];

/// The header that tells a toolkit from other folders.
const HEADER: &str = "include/cuda_fp16.h";

/// Where parts of a CUDA toolkit may be, best first.
#[derive(Debug)]
pub(super) struct Places {
    surroundings: Surroundings,
    /// Folders of NVIDIA's Python packages.
    wheels: Vec<PathBuf>,
}

impl Places {
    pub(super) fn new(surroundings: Surroundings) -> Self {
        let packages = site_packages(&surroundings);
        let wheels = packages.into_iter().map(|folder| folder.join("nvidia"));
        Self {
            wheels: wheels.filter(|folder| folder.is_dir()).collect(),
            surroundings,
        }
    }

    /// Files of a library, such as `nvrtc`, that the loader does not find by itself. `wheel` is the folder that
    /// it has in Python packages of CUDA 12.
    pub(super) fn libraries(&self, name: &str, wheel: &str) -> Vec<PathBuf> {
        let own = self
            .surroundings
            .cuda_path
            .iter()
            .flat_map(|toolkit| library_folders(toolkit));
        let wheels = self
            .wheels
            .iter()
            .flat_map(|nvidia| ["cu13", wheel].map(|folder| nvidia.join(folder).join("lib")));
        let usual = self
            .surroundings
            .usual
            .iter()
            .flat_map(|toolkit| library_folders(toolkit));
        let folders = own.chain(wheels).chain(usual);
        let files = folders
            .flat_map(|folder| MAJORS.map(|major| folder.join(format!("lib{name}.so.{major}"))));
        files.filter(|file| file.exists()).collect()
    }

    /// The folder whose `include` has the toolkit's headers: those of the compiler's version, if there are such.
    pub(super) fn headers(&self) -> Option<PathBuf> {
        let has_headers = |folder: &PathBuf| folder.join(HEADER).is_file();
        if let Some(named) = self.surroundings.cuda_path.clone().filter(has_headers) {
            return Some(named);
        }
        let compiler = self.compiler();
        // Beside the library's folder, or above it where libraries of several architectures are.
        let beside = compiler.iter().flat_map(|file| {
            let folders = file.ancestors().skip(2).take(2);
            folders.map(Path::to_path_buf).collect::<Vec<_>>()
        });
        let wheels = self
            .wheels
            .iter()
            .flat_map(|nvidia| ["cu13", "cuda_runtime"].map(|folder| nvidia.join(folder)));
        let usual = self
            .surroundings
            .usual
            .iter()
            .flat_map(|toolkit| roots(toolkit));
        let candidates: Vec<_> = beside
            .chain(wheels)
            .chain(usual)
            .filter(has_headers)
            .collect();
        let major = compiler.as_deref().and_then(major_of_library);
        let fits = |folder: &&PathBuf| major.is_none() || major_of_headers(folder) == major;
        candidates.iter().find(fits).or(candidates.first()).cloned()
    }

    /// The compiler that will be opened, as far as its path tells, without links.
    fn compiler(&self) -> Option<PathBuf> {
        let names = ["libnvrtc.so".to_owned()].into_iter();
        let names: Vec<_> = names
            .chain(MAJORS.map(|major| format!("libnvrtc.so.{major}")))
            .collect();
        let by_name = self
            .surroundings
            .library_path
            .iter()
            .flat_map(|folder| names.iter().map(|name| folder.join(name)))
            .chain(self.surroundings.in_loader_cache.iter().cloned());
        let by_path = self.libraries("nvrtc", "cuda_nvrtc");
        let mut files = by_name.chain(by_path);
        files.find_map(|file| fs::canonicalize(file).ok())
    }
}

/// The folders that Python's packages are in: those beside the program first.
fn site_packages(surroundings: &Surroundings) -> Vec<PathBuf> {
    let is_packages =
        |folder: &&Path| folder.ends_with("site-packages") || folder.ends_with("dist-packages");
    let programs = &surroundings.programs;
    // A package may bring the program along.
    let around = programs
        .iter()
        .flat_map(|program| program.ancestors().filter(is_packages))
        .map(Path::to_path_buf);
    let beside = programs.iter().filter_map(|program| {
        let folder = program.parent()?;
        folder.parent().map(Path::to_path_buf)
    });
    let prefixes = beside.chain(surroundings.prefixes.iter().cloned());
    let below = prefixes.flat_map(|prefix| {
        let libraries = ["lib", "lib64", "local/lib"].map(|folder| prefix.join(folder));
        let pythons = libraries
            .iter()
            .flat_map(|folder| children(folder, "python"));
        let packages = pythons.flat_map(|python| {
            ["site-packages", "dist-packages"].map(|folder| python.join(folder))
        });
        packages.collect::<Vec<_>>()
    });
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in around.chain(below) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// The folder of a toolkit, and those in it for single architectures.
fn roots(toolkit: &Path) -> Vec<PathBuf> {
    let targets = children(&toolkit.join("targets"), "");
    [toolkit.to_owned()].into_iter().chain(targets).collect()
}

/// Where the libraries of a toolkit are.
fn library_folders(toolkit: &Path) -> Vec<PathBuf> {
    let roots = roots(toolkit).into_iter();
    roots
        .flat_map(|root| ["lib64", "lib"].map(|folder| root.join(folder)))
        .collect()
}

/// The version of CUDA in the name of a library's file, such as 13 of `libnvrtc.so.13.0.88`.
fn major_of_library(file: &Path) -> Option<u32> {
    let name = file.file_name()?.to_str()?;
    let (_, version) = name.split_once(".so.")?;
    version.split('.').next()?.parse().ok()
}

/// The version of CUDA that a toolkit's headers are of.
fn major_of_headers(toolkit: &Path) -> Option<u32> {
    version_of_headers(toolkit).map(|version| version / 1000)
}

/// The version of CUDA that a toolkit's headers are of, such as 13000.
pub(super) fn version_of_headers(toolkit: &Path) -> Option<u32> {
    let text = fs::read_to_string(toolkit.join("include/cuda.h")).ok()?;
    let mut lines = text.lines();
    lines.find_map(|line| {
        let number = line.strip_prefix("#define CUDA_VERSION ")?;
        number.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, of which headers say 12.8 or 13.0 by their paths.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let file = folder.path().join(file);
            let parent = file.parent().expect("it has a folder");
            fs::create_dir_all(parent).expect("a folder");
            fs::write(&file, "").expect("a file");
            if file.ends_with(HEADER) {
                let is_new = file.display().to_string().contains("13");
                let version = if is_new { 13000 } else { 12080 };
                let text = format!("/* */\n#define CUDA_VERSION {version}\n");
                fs::write(parent.join("cuda.h"), text).expect("a header");
            }
        }
        folder
    }

    fn beside(root: &Path) -> Surroundings {
        Surroundings {
            programs: vec![root.join("bin/runner")],
            ..Surroundings::default()
        }
    }

    /// Checks what is found, by paths below `root`.
    fn check(root: &Path, surroundings: Surroundings, nvrtc: &[&str], headers: Option<&str>) {
        let root = fs::canonicalize(root).expect("the folder");
        let places = Places::new(surroundings);
        let expected: Vec<_> = nvrtc.iter().map(|path| root.join(path)).collect();
        assert_eq!(places.libraries("nvrtc", "cuda_nvrtc"), expected);
        assert_eq!(places.headers(), headers.map(|path| root.join(path)));
    }

    const CU13: [&str; 2] = [
        "lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13",
        "lib/python3.11/site-packages/nvidia/cu13/include/cuda_fp16.h",
    ];
    const CU12: [&str; 2] = [
        "lib/python3.9/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
        "lib/python3.9/site-packages/nvidia/cuda_runtime/include/cuda_fp16.h",
    ];

    #[test]
    fn packages_beside_the_program_are_found_in_both_layouts() {
        let new = folder(&CU13);
        let root = "lib/python3.11/site-packages/nvidia/cu13";
        check(new.path(), beside(new.path()), &CU13[..1], Some(root));
        let old = folder(&CU12);
        let root = "lib/python3.9/site-packages/nvidia/cuda_runtime";
        check(old.path(), beside(old.path()), &CU12[..1], Some(root));
        // The newer Python first, whose version is not a decimal number.
        let both = folder(&[CU13, CU12].concat());
        let root = "lib/python3.11/site-packages/nvidia/cu13";
        let libraries = [CU13[0], CU12[0]];
        check(both.path(), beside(both.path()), &libraries, Some(root));
        check(both.path(), Surroundings::default(), &[], None);
    }

    #[test]
    fn a_program_inside_a_package_finds_its_neighbours() {
        let folder = folder(&CU13);
        let packages = folder.path().join("lib/python3.11/site-packages");
        let inside = Surroundings {
            programs: vec![packages.join("runner/bin/runner")],
            ..Surroundings::default()
        };
        let root = "lib/python3.11/site-packages/nvidia/cu13";
        check(folder.path(), inside, &CU13[..1], Some(root));
    }

    #[test]
    fn headers_are_of_the_compilers_version() {
        let files = [
            CU13[1],
            CU12[0],
            CU12[1],
            "old/lib64/libnvrtc.so.12",
            "old/include/cuda_fp16.h",
        ];
        let folder = folder(&files);
        let root = "lib/python3.9/site-packages/nvidia/cuda_runtime";
        let surroundings = beside(folder.path());
        check(folder.path(), surroundings, &CU12[..1], Some(root));
        // The loader takes that of its variable.
        let surroundings = Surroundings {
            library_path: vec![folder.path().join("old/lib64")],
            ..beside(folder.path())
        };
        check(folder.path(), surroundings, &CU12[..1], Some("old"));
        let surroundings = Surroundings {
            in_loader_cache: vec![folder.path().join("old/lib64/libnvrtc.so.12")],
            ..beside(folder.path())
        };
        check(folder.path(), surroundings, &CU12[..1], Some("old"));
    }

    #[test]
    fn the_environment_comes_first_and_usual_folders_last() {
        let own = ["own/lib64/libnvrtc.so.12", "own/include/cuda_fp16.h"];
        let usual = [
            "cuda-13/targets/x86_64-linux/lib/libnvrtc.so.13",
            "cuda-13/targets/x86_64-linux/include/cuda_fp16.h",
        ];
        let folder = folder(&[own, usual, CU13].concat());
        let surroundings = Surroundings {
            cuda_path: Some(folder.path().join("own")),
            usual: vec![folder.path().join("cuda-13")],
            ..beside(folder.path())
        };
        let libraries = [own[0], CU13[0], usual[0]];
        check(folder.path(), surroundings, &libraries, Some("own"));
        let surroundings = Surroundings {
            usual: vec![folder.path().join("cuda-13")],
            ..Surroundings::default()
        };
        let root = "cuda-13/targets/x86_64-linux";
        check(folder.path(), surroundings, &usual[..1], Some(root));
        // A variable that names no toolkit does not hide one.
        let surroundings = Surroundings {
            cuda_path: Some(folder.path().join("bin")),
            usual: vec![folder.path().join("cuda-13")],
            ..Surroundings::default()
        };
        check(folder.path(), surroundings, &usual[..1], Some(root));
    }
}
