//! What stands where a model or its weights were looked for.

use super::{
    error::{A_MODEL, Reason},
    file_names::{CONFIG, WEIGHTS, WeightsNames},
};
use crate::{file, hub::id_of_folder};
use std::{fs, io::Read, path::Path};

/// A kind of file that people take for a model, or for its weights in safetensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Something that is no file of a model, but lies in the place of one.
    Stub(Stub),
    /// A checkpoint of PyTorch: a zip archive with a pickle.
    TorchArchive,
    /// A pickle, as which PyTorch before 1.6 began its checkpoints.
    Pickle,
    /// Weights as they should be.
    Safetensors,
}

/// What people have who have not fetched a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stub {
    /// What git leaves in the place of a large file that was not fetched.
    LfsPointer,
    /// A page instead of a download.
    WebPage,
}

/// Bytes that tell what a file is.
const BEGINNING: u64 = 64;

/// How the names of files begin that training leaves beside the weights.
const BESIDE_WEIGHTS: [&str; 5] = [
    "training_args",
    "optimizer",
    "scheduler",
    "scaler",
    "rng_state",
];

/// What is done with an adapter.
pub(super) const MERGE_REMEDY: &str =
    "merge the adapter into its model with `merge_and_unload` and save that";

impl Foreign {
    /// What a file is that begins with `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let text = bytes.trim_ascii_start();
        match bytes {
            _ if bytes.starts_with(b"version https://git-lfs") => {
                Some(Self::Stub(Stub::LfsPointer))
            }
            // Before the others, whose first bytes can be the length of a header.
            [_, _, _, _, _, 0, 0, 0, b'{', ..] => Some(Self::Safetensors),
            [b'P', b'K', 3, 4, ..] => Some(Self::TorchArchive),
            [0x80, 2..=5, ..] => Some(Self::Pickle),
            _ if text.starts_with(b"<!")
                || begins_as(text, b"<html")
                || begins_as(text, b"<head") =>
            {
                Some(Self::Stub(Stub::WebPage))
            }
            _ => None,
        }
    }

    /// What the file at `path` is.
    pub(super) fn at(path: &Path) -> Option<Self> {
        Self::of(&beginning(path)?)
    }
}

impl Stub {
    /// Why it is of no use.
    pub(super) fn reason(self) -> Reason {
        let (text, hint) = match self {
            Self::LfsPointer => (
                "it is a pointer of git-lfs, which stands for a file that was not fetched",
                "run `git lfs pull` where it was cloned",
            ),
            Self::WebPage => (
                "it is a web page",
                "download the file itself: on the Hub its address has `/resolve/`, not `/blob/`",
            ),
        };
        Reason::new(text, hint)
    }
}

/// Whether a text begins with this tag.
fn begins_as(text: &[u8], tag: &[u8]) -> bool {
    text.get(..tag.len())
        .is_some_and(|found| found.eq_ignore_ascii_case(tag))
}

/// The first bytes of the file at `path`.
fn beginning(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = file::open(path).ok()?;
    file.take(BEGINNING).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether a file that begins with these bytes is read by people.
fn is_text(bytes: &[u8]) -> bool {
    let is_of_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..);
    bytes.iter().all(is_of_text)
}

/// What the file at `path` is that was given in place of a model's folder.
pub(super) fn instead_of_a_folder(path: &Path) -> Reason {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let foreign = Foreign::at(path);
    let beginning = beginning(path).unwrap_or_default();
    let is_named_so = ["pt", "pth", "bin", "ckpt", "safetensors"].contains(&&*ending);
    let is_torch = matches!(foreign, Some(Foreign::TorchArchive | Foreign::Pickle))
        || ["pt", "pth", "bin", "ckpt"].contains(&&*ending);
    match foreign {
        Some(Foreign::Stub(stub)) => stub.reason(),
        _ if name.ends_with("-contact-regression.pt") => Reason::new(
            "it predicts contacts from what the model beside it computes",
            "name the file of the model",
        ),
        None if is_named_so && path.is_file() && beginning.is_empty() => {
            Reason::new("it is empty", "was its download cut short?")
        }
        None if is_named_so && is_text(&beginning) => {
            Reason::new("it is a text file, and no weights", A_MODEL)
        }
        _ if name.starts_with("adapter_") => Reason::new(
            "it belongs to an adapter",
            format!(
                "name its folder, `{}`, which needs `adapter_config.json`",
                folder.display()
            ),
        ),
        _ if is_torch
            || foreign == Some(Foreign::Safetensors)
            || ending == "safetensors"
            || name == CONFIG =>
        {
            Reason::new(
                "it is a file of a model",
                format!(
                    "name its folder, `{}`, which needs `config.json` and `model.safetensors` or \
                     `pytorch_model.bin`",
                    folder.display()
                ),
            )
        }
        _ if path.is_file() => Reason::new("it is a file", A_MODEL),
        _ => Reason::new("it is a pipe, a device or a socket", A_MODEL),
    }
}

/// What is in a folder that lacks `config.json` or weights, if that explains the lack.
pub(super) fn in_the_folder(folder: &Path) -> Option<Reason> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    if names.is_empty() {
        return Some("it is empty".into());
    }
    let with = |fits: &dyn Fn(&str) -> bool| names.iter().find(|name| fits(name));
    if let Some(id) = repository(folder)
        && names.iter().any(|name| name == "snapshots")
    {
        return Some(Reason::new(
            "it is the repository of a model in the cache of HF's tools",
            format!("name its id, `{id}`, or a folder in its `snapshots`"),
        ));
    }
    if let Some(id) = names.iter().find_map(|name| id_of_folder(name)) {
        return Some(Reason::new(
            "it is the cache of HF's tools",
            format!("name a model by its id, as `{id}`"),
        ));
    }
    if let Some(name) = with(&|name| folder.join(name).join(CONFIG).is_file()) {
        let inner = folder.join(name);
        return Some(Reason::new(
            format!("its folder `{name}` looks like a model"),
            format!("is it `{}`?", inner.display()),
        ));
    }
    if let Some(name) = with(&|name| name.starts_with("adapter_")) {
        return Some(Reason::new(
            format!("`{name}` belongs to an adapter"),
            "its `adapter_config.json` must be beside it",
        ));
    }
    let ends = |name: &str, endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    for WeightsNames {
        index,
        part,
        endings,
        ..
    } in WEIGHTS
    {
        if let Some(name) = with(&|name| name.starts_with(part) && ends(name, endings)) {
            return Some(Reason::new(
                format!("it holds `{name}`, one of several files, but not their list"),
                format!("fetch `{index}` too"),
            ));
        }
    }
    for WeightsNames {
        single, endings, ..
    } in WEIGHTS
    {
        let is_beside = |name: &str| BESIDE_WEIGHTS.iter().any(|other| name.starts_with(other));
        if let Some(name) = with(&|name| ends(name, endings) && name != single && !is_beside(name))
        {
            return Some(Reason::new(
                format!("it holds `{name}`"),
                format!("if that is the model, call it `{single}`"),
            ));
        }
    }
    None
}

/// The id of the model whose repository in the cache of HF's tools is called as `folder` is.
fn repository(folder: &Path) -> Option<String> {
    id_of_folder(folder.file_name()?.to_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::joined;

    #[test]
    fn files_are_told_by_their_beginning() {
        let check = |bytes: &[u8], expect| assert_eq!(Foreign::of(bytes), expect, "{bytes:?}");
        check(
            b"version https://git-lfs.github.com/spec/v1",
            Some(Foreign::Stub(Stub::LfsPointer)),
        );
        check(b"PK\x03\x04\0\0", Some(Foreign::TorchArchive));
        check(b"\x80\x02\x8a\nl\xfc", Some(Foreign::Pickle));
        check(b"\n<!DOCTYPE html>", Some(Foreign::Stub(Stub::WebPage)));
        check(b"\x10\x03\0\0\0\0\0\0{\"a\"", Some(Foreign::Safetensors));
        check(b"\x80\x03\0\0\0\0\0\0{\"a\"", Some(Foreign::Safetensors));
        check(b">sp|P12345\nMKT", None);
        check(b"{\"model_type\"", None);
        check(b"", None);
    }

    #[test]
    fn files_in_place_of_folders_are_explained() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let check = |name: &str, content: &[u8], expect: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).expect("written");
            let reason = instead_of_a_folder(&path);
            let text = joined(&reason, reason.hint.as_deref());
            assert!(text.contains(expect), "{text}");
        };
        check(
            "esm2_t6_8M_UR50D-contact-regression.pt",
            b"PK\x03\x04",
            "name the file of the model",
        );
        check("pytorch_model.bin", b"\0\x01", "name its folder");
        check("pytorch_model.bin", b"", "it is empty");
        check("model.pt", b"404: not found", "it is a text file");
        check("model.pt", b"<HTML><body>", "it is a web page");
        check("weights", b"PK\x03\x04", "name its folder");
        check(
            "model.safetensors",
            b"\x10\0\0\0\0\0\0\0{}",
            "name its folder",
        );
        check("config.json", b"{}", "name its folder");
        check(
            "adapter_model.safetensors",
            b"\x10\0\0\0\0\0\0\0{}",
            "it belongs to an adapter (name its folder",
        );
        check("adapter_model.bin", b"PK\x03\x04", "`adapter_config.json`");
        check("a.fasta", b">a\nM", "it is a file (a model is a folder");
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        let reason = instead_of_a_folder(&pipe).text;
        assert!(reason.contains("it is a pipe"), "{reason}");
    }
}
