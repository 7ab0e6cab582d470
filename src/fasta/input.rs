//! The inputs of a run: files that were found, and pipes.

use super::{
    compression::Compression,
    error::InputError,
    identity::Identity,
    source::{STDIN, current_folder, paths_of},
};
use crate::file::MOST_LINKS;
use nix::fcntl::OFlag;
use std::{
    collections::HashMap,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, IsTerminal, Read, Seek},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The number of standard input.
const STDIN_DESCRIPTOR: &str = "0";
const PIPE_REMEDY: &str =
    "pipe FASTA into the program: `zcat proteins.fa.gz | runner exec job.rhai`";

/// An input file found on disk, or a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where readers open it. For standard input it is a path that works in other processes.
    pub path: PathBuf,
    /// The name for people: the path as the script wrote it or as its pattern found it, or `-`.
    pub name: String,
    /// Which of the two it is.
    pub kind: InputKind,
}

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A file, of which each reader opens its own part.
    File {
        /// Which file it is, and in which state.
        identity: Identity,
        /// How it is compressed.
        compression: Compression,
    },
    /// A pipe, which can be read only once: a look at its content would take it away.
    Stream,
}

impl Input {
    /// Whether several readers can read it at the same time, each a part.
    pub fn is_shareable(&self) -> bool {
        matches!(
            self.kind,
            InputKind::File {
                compression: Compression::None | Compression::Bgzip,
                ..
            }
        )
    }

    /// Whether it is a pipe, which can be read only once.
    pub fn is_stream(&self) -> bool {
        self.kind == InputKind::Stream
    }

    /// Which file it is, and in which state. `None` for a pipe.
    pub fn identity(&self) -> Option<Identity> {
        match self.kind {
            InputKind::File { identity, .. } => Some(identity),
            InputKind::Stream => None,
        }
    }

    /// Bytes on disk. `None` for a pipe.
    pub fn size_bytes(&self) -> Option<u64> {
        self.identity().map(|identity| identity.size_bytes())
    }
}

/// Finds the files behind the sources of a dataset, in order.
///
/// A source is a path, a pattern (`*`, `?`, `[...]`, `**`, `{a,b}`), whose files come in
/// alphabetical order, or `-` for standard input. `~/` is the user's home folder.
///
/// # Errors
/// An error is returned for a file that is missing or cannot be opened, a folder, a URL, a pattern
/// that matches no file, a terminal, and a file that is named twice, also by different paths, since
/// each of its proteins would have two rows.
pub fn resolve(sources: &[String]) -> Result<Vec<Input>, InputError> {
    let mut inputs = Vec::new();
    let mut names_by_file = HashMap::new();
    for source in sources {
        for path in paths_of(source)? {
            let name = path.display().to_string();
            let (input, file) = open(path, name)?;
            if let Some(other) = names_by_file.insert(file, input.name.clone()) {
                let message = if other == input.name {
                    "is named twice".to_owned()
                } else {
                    format!("is the same file as `{other}`")
                };
                return Err(InputError::new(
                    input.name,
                    message,
                    "name each file once, or each of its proteins would have two rows",
                ));
            }
            inputs.push(input);
        }
    }
    Ok(inputs)
}

/// Looks at a file. Also gives its device and inode, which tell whether two paths name one file.
fn open(path: PathBuf, name: String) -> Result<(Input, (u64, u64)), InputError> {
    let (path, descriptor) = path_for_other_processes(path);
    let fail = |error: io::Error| unopenable(&path, &name, &error);
    let metadata = fs::metadata(&path).map_err(fail)?;
    let file = (metadata.dev(), metadata.ino());
    if metadata.file_type().is_char_device() {
        check_terminal(&path, &name)?;
    }
    if descriptor.as_deref() == Some(STDIN_DESCRIPTOR) {
        check_stdin(&metadata, &name)?;
    }
    if metadata.is_dir() {
        return Err(InputError::new(
            &name,
            "is a folder",
            format!("name its files with a pattern: `{}`", pattern_in(&path)),
        ));
    }
    let kind = if metadata.is_file() {
        let content = File::open(&path).map_err(fail)?;
        let mut head = Vec::with_capacity(Compression::HEAD_BYTES);
        let n_bytes = Compression::HEAD_BYTES as u64;
        content.take(n_bytes).read_to_end(&mut head).map_err(fail)?;
        InputKind::File {
            // Those that were taken first: a file that changed since then shows when it is read.
            identity: Identity::of(&metadata),
            compression: Compression::sniff(&head),
        }
    } else {
        InputKind::Stream
    };
    Ok((Input { path, name, kind }, file))
}

/// A path by which readers find what this process means, and the number of the open file, if it is
/// one: `-`, `/dev/stdin`, `/dev/fd/63` (a shell's `<(...)`) and links to them name open files of this
/// process, which others find below `/proc`.
fn path_for_other_processes(path: PathBuf) -> (PathBuf, Option<String>) {
    let descriptors = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
    let descriptor = if path.as_os_str() == STDIN {
        Some(STDIN_DESCRIPTOR.to_owned())
    } else {
        own_descriptor(&path, &descriptors)
    };
    match descriptor {
        Some(descriptor) => (descriptors.join(&descriptor), Some(descriptor)),
        None => (path, None),
    }
}

/// The number of the open file of this process that a path leads to by its links.
fn own_descriptor(path: &Path, descriptors: &Path) -> Option<String> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let folder = match path.parent()? {
            folder if folder == Path::new("") => Path::new("."),
            folder => folder,
        };
        let folder = folder.canonicalize().ok()?;
        let name = path.file_name()?;
        if folder == descriptors {
            return name.to_str().map(str::to_owned);
        }
        path = folder.join(folder.join(name).read_link().ok()?);
    }
    None
}

/// Refuses a terminal, at which a reader would wait for ever.
fn check_terminal(path: &Path, name: &str) -> Result<(), InputError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path);
    if !opened.is_ok_and(|file| file.is_terminal()) {
        return Ok(());
    }
    let what = if name == STDIN {
        "standard input is a terminal"
    } else {
        "is a terminal"
    };
    Err(InputError::new(name, what, PIPE_REMEDY))
}

/// Refuses what readers could not read as standard input.
fn check_stdin(metadata: &Metadata, name: &str) -> Result<(), InputError> {
    if metadata.file_type().is_socket() {
        return Err(InputError::new(
            name,
            "standard input is a socket",
            PIPE_REMEDY,
        ));
    }
    if metadata.is_file() {
        // Readers open the file themselves, at its beginning.
        let position = std::os::fd::AsFd::as_fd(&io::stdin())
            .try_clone_to_owned()
            .and_then(|descriptor| File::from(descriptor).stream_position())
            .map_err(|error| unopenable(Path::new(name), name, &error))?;
        if position != 0 {
            return Err(InputError::new(
                name,
                format!("standard input is a file of which {position} bytes have been read"),
                "pipe the rest: `cat | runner exec job.rhai`",
            ));
        }
    }
    Ok(())
}

/// Says of an input that it cannot be opened.
pub fn unopenable(path: &Path, name: &str, error: &io::Error) -> InputError {
    match error.kind() {
        io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => InputError::new(
                name,
                format!(
                    "is a symbolic link to `{}`, which is missing",
                    target.display()
                ),
                "mend the link, or name the file itself",
            ),
            Err(_) => InputError::new(
                name,
                "no such file",
                format!("paths are relative to {}", current_folder()),
            ),
        },
        io::ErrorKind::PermissionDenied => InputError::new(
            name,
            "permission denied",
            format!("`chmod u+r {name}` lets its owner read it"),
        ),
        _ => InputError::new(
            name,
            format!("cannot be opened: {error}"),
            "check the file and the disk that it is on",
        ),
    }
}

/// The pattern for the FASTA files of a folder.
fn pattern_in(folder: &Path) -> String {
    folder.join("*.fasta").display().to_string()
}
