//! The files of an output on their way to their names: the output itself, and those that lie beside it.

use super::{
    SinkError,
    aside::Aside,
    formats::{Files, are_of_one_output, could_lie_beside, was_beside},
};
use crate::{
    file::{Card, Existing, FileError, Keep, Staged, destination},
    job::OutputTarget,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// The files of an output on their way to their names.
///
/// What lies beside an output is published first, so that an output never stands there without it. A publication
/// that was ended half-way can be done again: a file that is there already, and is of the same output, is no
/// obstacle. One of somebody else is.
#[derive(Debug)]
pub(super) struct Bundle {
    main: Staged,
    existing: Existing,
    beside: Vec<Beside>,
    /// What lies beside the output that is replaced, and not beside this one.
    left_over: Vec<PathBuf>,
}

/// A file that lies beside the output.
#[derive(Debug)]
struct Beside {
    path: PathBuf,
    staged: Staged,
}

impl Bundle {
    /// Empty files. Until they are published they lie in `folder`, or else where they will be.
    ///
    /// # Errors
    /// If something is there that is to stay, or the file system refuses.
    pub(super) fn create(
        target: &OutputTarget,
        has_many: bool,
        folder: Option<&Path>,
        existing: Existing,
    ) -> Result<Self, SinkError> {
        let create = |path: &Path, existing| match folder {
            Some(folder) => Staged::create_in(folder, path, existing),
            None => Staged::create(path, existing),
        };
        let main = create(&target.path, existing)?;
        let paths = target.format.sidecars(&target.path, has_many);
        // Who wants one output replaced does not mean another one.
        if let Some(other) = paths.iter().find(|path| Card::of(path).is_some()) {
            return Err(SinkError::Unfit {
                message: format!(
                    "`{}` would have to lie beside `{}`, and is an output of its own",
                    other.display(),
                    target.path.display()
                ),
                hint: "choose another path".to_owned(),
            });
        }
        let beside = paths.iter().map(|path| {
            // What is there is looked at when this one is complete.
            let existing = match path.exists() {
                true => Existing::IsReplaced,
                false => existing,
            };
            Ok(Beside {
                path: path.clone(),
                staged: create(path, existing)?,
            })
        });
        let beside = beside.collect::<Result<_, FileError>>()?;
        let mut left_over = match existing {
            Existing::IsReplaced => {
                let mut left_over = was_beside(&target.path);
                if target.path.is_symlink() {
                    // What lies beside the file that the link leads to is about the old one.
                    left_over.extend(was_beside(&destination(&target.path)));
                }
                left_over
            }
            Existing::Stays => Vec::new(),
        };
        left_over.retain(|path| !paths.contains(path));
        Ok(Self {
            main,
            existing,
            beside,
            left_over,
        })
    }

    /// Handles for writing.
    ///
    /// # Errors
    /// If the process has too many open files.
    pub(super) fn files(&self) -> Result<Files, SinkError> {
        let beside = self.beside.iter();
        let beside = beside.map(|beside| beside.staged.writer());
        Ok(Files {
            main: self.main.writer()?,
            beside: beside.collect::<Result<_, _>>()?,
            folder: self.main.path().parent().map(Path::to_owned),
        })
    }

    /// The output, to have it on the disk.
    ///
    /// # Errors
    /// If the process has too many open files.
    pub(super) fn main(&self) -> Result<File, SinkError> {
        Ok(self.main.writer()?)
    }

    /// Gives all files their names, the output last. If that fails, all is as it was.
    ///
    /// # Errors
    /// - If something is there that is to stay.
    /// - If the file system refuses.
    pub(super) fn publish(self) -> Result<(), SinkError> {
        let Self {
            main,
            existing,
            beside,
            left_over,
        } = self;
        let mut asides = Vec::new();
        let publish = || {
            for Beside { path, staged } in beside {
                if existing == Existing::Stays && path.exists() {
                    if is_same(&path, staged.path()) {
                        continue;
                    }
                    if !are_of_one_output(&path, staged.path()) {
                        return Err(FileError::Exists(path).into());
                    }
                }
                asides.push(Aside::put(&path, Existing::IsReplaced)?);
                staged.publish(Keep::Safely)?;
            }
            main.publish(Keep::Safely)?;
            Ok(())
        };
        let published = publish();
        match &published {
            Ok(()) => {
                asides.into_iter().for_each(Aside::forget);
                for path in left_over {
                    // It belonged to what has just been replaced.
                    let _ = fs::remove_file(path);
                }
            }
            Err(_) => asides.into_iter().rev().for_each(Aside::put_back),
        }
        published
    }
}

/// Checks that what lies where files beside an output of so many rows will be can be of this output, published before.
/// What it is shows when these files are complete.
///
/// # Errors
/// It is of somebody else, and is to stay.
pub(super) fn check_beside(
    target: &OutputTarget,
    n_rows: u64,
    existing: Existing,
) -> Result<(), SinkError> {
    let beside = target.format.sidecars(&target.path, false);
    let is_foreign = |path: &PathBuf| path.exists() && !could_lie_beside(path, n_rows);
    match beside.into_iter().find(is_foreign) {
        Some(path) if existing == Existing::Stays => Err(FileError::Exists(path).into()),
        _ => Ok(()),
    }
}

/// Whether two files hold the same bytes.
fn is_same(one: &Path, other: &Path) -> bool {
    let hash = |path: &Path| {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok::<_, std::io::Error>(hasher.finalize())
    };
    let n_bytes = |path: &Path| fs::metadata(path).map(|found| found.len());
    matches!((n_bytes(one), n_bytes(other)), (Ok(one), Ok(other)) if one == other)
        && matches!((hash(one), hash(other)), (Ok(one), Ok(other)) if one == other)
}
