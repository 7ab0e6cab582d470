//! Finding the files behind the sources of a dataset.

use super::{compression::Compression, error::InputError};
use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io::{self, IsTerminal, Read, Seek},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

/// How standard input is named in scripts and messages.
const STDIN: &str = "-";

/// An input file found on disk, or a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where readers open it. For standard input it is a path that works in other processes.
    pub path: PathBuf,
    /// The name for people: the path as the script wrote it or as its pattern found it, or `-`.
    pub name: String,
    /// Bytes on disk. `None` for a pipe, which can be read only once.
    pub size_bytes: Option<u64>,
    /// The compression. `None` for a pipe, where a look at the content would take it away.
    pub compression: Option<Compression>,
}

impl Input {
    /// Whether several readers can read it at the same time, each a part.
    pub fn is_shareable(&self) -> bool {
        matches!(
            self.compression,
            Some(Compression::None | Compression::Bgzip)
        )
    }
}

/// Finds the files behind the sources of a dataset, in order.
///
/// A source is a path, a pattern (`*`, `?`, `[...]`, `**`), whose files come in alphabetical
/// order, or `-` for standard input.
///
/// # Errors
/// An error is returned for a file that is missing or cannot be opened, a folder, a pattern that
/// matches no file, standard input that is a terminal, and a file that is named twice, also by
/// different paths, since each of its proteins would have two rows.
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

/// The paths that a source stands for.
fn paths_of(source: &str) -> Result<Vec<PathBuf>, InputError> {
    let path = PathBuf::from(source);
    let is_pattern = source.contains(['*', '?', '[']) && !path.exists();
    if !is_pattern {
        return Ok(vec![path]);
    }
    let matches = glob::glob(source).map_err(|error| {
        InputError::new(
            source,
            format!("is no valid pattern: {error}"),
            "`*`, `?`, `[abc]` and `**` as a whole folder name are understood",
        )
    })?;
    let mut paths = Vec::new();
    for path in matches {
        let path = path.map_err(|error| {
            InputError::new(
                error.path().display().to_string(),
                format!("cannot be searched for `{source}`: {}", error.error()),
                "check the folder's permissions",
            )
        })?;
        if !path.is_dir() {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(InputError::new(
            source,
            "matches no file",
            format!("the pattern is relative to {}", current_folder()),
        ));
    }
    Ok(paths)
}

/// Looks at a file. Also gives its device and inode, which tell whether two paths name one file.
fn open(path: PathBuf, name: String) -> Result<(Input, (u64, u64)), InputError> {
    let is_stdin = name == STDIN;
    let path = path_for_other_processes(path);
    let fail = |error: io::Error| unopenable(&name, &error);
    let metadata = fs::metadata(&path).map_err(fail)?;
    let file = (metadata.dev(), metadata.ino());
    if is_stdin {
        check_stdin(&metadata)?;
    }
    if metadata.is_dir() {
        return Err(InputError::new(
            &name,
            "is a folder",
            format!("name its files with a pattern: `{}`", pattern_in(&path)),
        ));
    }
    let (size_bytes, compression) = if metadata.is_file() {
        let mut head = Vec::with_capacity(Compression::HEAD_BYTES);
        File::open(&path)
            .and_then(|file| {
                file.take(Compression::HEAD_BYTES as u64)
                    .read_to_end(&mut head)
            })
            .map_err(fail)?;
        (Some(metadata.len()), Some(Compression::sniff(&head)))
    } else {
        (None, None)
    };
    let input = Input {
        path,
        name,
        size_bytes,
        compression,
    };
    Ok((input, file))
}

/// A path by which readers find what this process means: `-`, `/dev/stdin` and `/dev/fd/63` (a
/// shell's `<(...)`) name open files of this process, which others find below `/proc`.
fn path_for_other_processes(path: PathBuf) -> PathBuf {
    let own = match path.to_str() {
        Some(STDIN | "/dev/stdin") => Some("0"),
        Some(text) => text
            .strip_prefix("/dev/fd/")
            .or_else(|| text.strip_prefix("/proc/self/fd/")),
        None => None,
    };
    match own {
        Some(descriptor) => PathBuf::from(format!("/proc/{}/fd/{descriptor}", std::process::id())),
        None => path,
    }
}

/// Refuses what readers could not read as standard input.
fn check_stdin(metadata: &Metadata) -> Result<(), InputError> {
    let stdin = io::stdin();
    let remedy = "pipe FASTA into the program: `zcat proteins.fa.gz | runner exec job.rhai`";
    if stdin.is_terminal() {
        return Err(InputError::new(
            STDIN,
            "standard input is a terminal",
            remedy,
        ));
    }
    if metadata.file_type().is_socket() {
        return Err(InputError::new(STDIN, "standard input is a socket", remedy));
    }
    if metadata.is_file() {
        // Readers open the file themselves, at its beginning.
        let position = std::os::fd::AsFd::as_fd(&stdin)
            .try_clone_to_owned()
            .and_then(|descriptor| File::from(descriptor).stream_position())
            .map_err(|error| unopenable(STDIN, &error))?;
        if position != 0 {
            return Err(InputError::new(
                STDIN,
                format!("standard input is a file of which {position} bytes have been read"),
                "pipe the rest: `cat | runner exec job.rhai`",
            ));
        }
    }
    Ok(())
}

fn unopenable(name: &str, error: &io::Error) -> InputError {
    match error.kind() {
        io::ErrorKind::NotFound => InputError::new(
            name,
            "no such file",
            format!("paths are relative to {}", current_folder()),
        ),
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

fn current_folder() -> String {
    std::env::current_dir().map_or_else(
        |_| "the current folder".to_owned(),
        |folder| format!("`{}`", folder.display()),
    )
}
