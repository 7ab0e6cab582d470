//! What the program keeps between runs, and what it finds.

use crate::{
    device,
    doctor::{
        check::Tell,
        finding::{Finding, State},
        machine::Machine,
    },
    hub::{Hub, id_of_folder, total},
    text::{self, in_number},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What to do where kernels cannot be kept.
const COMPILED_AGAIN: &str =
    "kernels are compiled again in each process: name a folder of your own in RUNNER_CACHE_DIR";

/// Compiled kernels, the cache of the Hugging Face Hub, and the models of ESM-2 in it.
pub(super) fn look(_: &Machine, tell: Tell) {
    match device::code_cache() {
        Some((folder, can_keep)) => tell(of_kernels(&folder, can_keep.err())),
        // Without CUDA there are none.
        None if cfg!(feature = "cuda") => tell(nowhere_for_kernels()),
        None => {}
    }
    let hub = Hub::of_process();
    of_hub(hub.cache(), tell);
    for odd in hub.odd_variables() {
        tell(Finding::of_error(State::Warning, odd.name, &odd));
    }
}

fn of_kernels(folder: &Path, problem: Option<std::io::Error>) -> Finding {
    let (n_files, bytes) = files(folder);
    let path = folder.display();
    let finding = match &problem {
        None => {
            let files = in_number(n_files, "file", "files");
            Finding::good(
                "kernels",
                format!("{path}: {n_files} {files}, {}", text::bytes(bytes)),
            )
        }
        Some(error) => Finding::warning(
            "kernels",
            format!("{path} cannot be used: {error}"),
            COMPILED_AGAIN,
        ),
    };
    finding
        .with("folder", path.to_string())
        .with("files", n_files)
        .with("bytes", bytes)
        .with("writable", problem.is_none())
}

fn nowhere_for_kernels() -> Finding {
    let text = "there is no folder for them, as this user has no home";
    Finding::warning("kernels", text, COMPILED_AGAIN).with("folder", serde_json::Value::Null)
}

/// The cache of the Hub: its size, whether it can be written to, and what of ESM-2 is in it.
fn of_hub(folder: &Path, tell: Tell) {
    let path = folder.display().to_string();
    let models: Vec<(String, u64)> = children(folder)
        .into_iter()
        .filter_map(|model| Some((id_of_folder(&name(&model))?, files(&model.join("blobs")).1)))
        .collect();
    let bytes = total(models.iter().map(|(_, bytes)| *bytes));
    let n_models = models.len() as u64;
    let is_writable = is_writable(folder);
    let text = match folder.is_dir() {
        false => format!("{path}: empty"),
        true => {
            let models = in_number(n_models, "model", "models");
            format!("{path}: {n_models} {models}, {}", text::bytes(bytes))
        }
    };
    let finding = match is_writable {
        true => Finding::good("Hub", text),
        false => {
            let remedy = "models that are there are used, and none can be downloaded: name a folder in HF_HUB_CACHE";
            Finding::warning("Hub", format!("{text}; it cannot be written to"), remedy)
        }
    };
    let finding = finding
        .with("folder", path)
        .with("models", n_models)
        .with("bytes", bytes)
        .with("writable", is_writable);
    tell(finding);
    for (id, bytes) in models {
        if id.to_ascii_lowercase().contains("esm2") {
            let finding = Finding::note("ESM-2", format!("{id}, {}", text::bytes(bytes)));
            tell(finding.with("id", id).with("bytes", bytes));
        }
    }
}

/// Whether a file can be made in the folder, or in the nearest one above it that is there. Nothing is left.
fn is_writable(folder: &Path) -> bool {
    // What is there and no folder keeps one from being made below it.
    let nearest = folder
        .ancestors()
        .find(|folder| folder.symlink_metadata().is_ok());
    nearest.is_some_and(|folder| tempfile::tempfile_in(folder).is_ok())
}

/// How many files are in a folder, and their bytes.
fn files(folder: &Path) -> (u64, u64) {
    let sizes = children(folder).into_iter().filter_map(|path| {
        let found = path.metadata().ok()?;
        found.is_file().then_some(found.len())
    });
    sizes.fold((0, 0), |(n, sum), bytes| (n + 1, sum.saturating_add(bytes)))
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut children: Vec<_> = entries.map(|entry| entry.path()).collect();
    children.sort();
    children
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_the_hub_are_listed_with_their_sizes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (model, n_bytes) in [("facebook--esm2_t6_8M_UR50D", 3000), ("google--bert", 100)] {
            let blobs = folder.path().join(format!("models--{model}/blobs"));
            fs::create_dir_all(&blobs).expect("a folder");
            fs::write(blobs.join("0123"), vec![0; n_bytes]).expect("a file");
        }
        let mut findings = Vec::new();
        of_hub(folder.path(), &mut |finding| findings.push(finding));
        let [cache, model] = findings.as_slice() else {
            panic!("{findings:?}");
        };
        assert_eq!(cache.state, State::Good);
        assert!(cache.text.ends_with(": 2 models, 3.0 KiB"), "{cache:?}");
        assert_eq!(model.text, "facebook/esm2_t6_8M_UR50D, 2.9 KiB");
        let mut findings = Vec::new();
        of_hub(Path::new("/proc/none"), &mut |finding| {
            findings.push(finding);
        });
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].state, State::Warning);
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        assert!(!is_writable(&file) && !is_writable(&file.join("hub")));
        assert!(is_writable(&folder.path().join("new/hub")));
    }

    #[test]
    fn a_cache_that_cannot_be_used_is_told() {
        let problem = std::io::Error::other("other users may write to it");
        let finding = of_kernels(Path::new("/nowhere"), Some(problem));
        assert_eq!(finding.state, State::Warning);
        assert!(
            finding.text.contains("other users may write"),
            "{finding:?}"
        );
    }
}
