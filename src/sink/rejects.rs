//! The list of the records that were not embedded.

use super::{SinkError, aside::Aside};
use crate::file::{Existing, Keep, Staged, check_target};
use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

/// The columns of the list.
const HEADER: &str = "ordinal\tid\treason\n";

/// The rejected records of an output on their way to `<output>.rejects.tsv`, a line a record, in input
/// order: the record's number in the input from 1, its id, the reason.
///
/// There is no file if nothing is rejected.
#[derive(Debug)]
pub(super) struct Rejects {
    target: Target,
    list: List,
}

#[derive(Debug)]
enum List {
    /// Nothing is rejected.
    None,
    /// It is complete, and has no name yet.
    Staged(Staged),
    /// It stands there already.
    Published,
}

#[derive(Debug)]
struct Target {
    path: PathBuf,
    existing: Existing,
}

impl Rejects {
    /// The list as `path`, made of those of the parts.
    ///
    /// # Errors
    /// If there is another list already that is to stay, or the file system refuses.
    pub(super) fn beside(
        path: PathBuf,
        existing: Existing,
        parts: &[PathBuf],
    ) -> Result<Self, SinkError> {
        Self::made_of(path, existing, HEADER, parts)
    }

    /// The list as `path`, a copy of that of another output, if that has one.
    ///
    /// # Errors
    /// As [`beside`](Self::beside).
    pub(super) fn copied(
        path: PathBuf,
        existing: Existing,
        list: Option<PathBuf>,
    ) -> Result<Self, SinkError> {
        Self::made_of(path, existing, "", list.as_slice())
    }

    fn made_of(
        path: PathBuf,
        existing: Existing,
        header: &str,
        parts: &[PathBuf],
    ) -> Result<Self, SinkError> {
        let target = Target { path, existing };
        if parts.is_empty() {
            // A list of others would seem to be of this output.
            check_target(&target.path, existing)?;
            return Ok(Self {
                target,
                list: List::None,
            });
        }
        // Of a run that was ended when it had published its list, and nothing more, the list is there.
        if is_list_of(&target.path, header, parts) {
            return Ok(Self {
                target,
                list: List::Published,
            });
        }
        let Target { path, existing } = target;
        let staged = Staged::create(&path, existing)?;
        let mut writer = staged.writer()?;
        let mut write = || {
            writer.write_all(header.as_bytes())?;
            parts
                .iter()
                .try_for_each(|part| io::copy(&mut File::open(part)?, &mut writer).map(|_| ()))
        };
        write().map_err(|error| SinkError::io("write", &path, error))?;
        Ok(Self {
            target: Target { path, existing },
            list: List::Staged(staged),
        })
    }

    /// Publishes the list if there is one, and then the output by `publish_output`, so that an output
    /// never stands there without what was left out of it. If the output fails, all is as it was: the
    /// list is taken back, and an older one, which belongs to the output that stays, is back in its place.
    pub(super) fn publish_with<T>(
        self,
        publish_output: impl FnOnce() -> Result<T, SinkError>,
    ) -> Result<(T, Option<PathBuf>), SinkError> {
        let Self { target, list } = self;
        let list = match list {
            List::Staged(list) => list,
            List::Published => return Ok((publish_output()?, Some(target.path))),
            List::None => {
                let output = publish_output()?;
                if target.existing == Existing::IsReplaced {
                    // It belonged to the output that has just been replaced.
                    remove_if_there(&target.path)?;
                }
                return Ok((output, None));
            }
        };
        let aside = Aside::put(&target.path, target.existing)?;
        let published = match list.publish(Keep::Safely) {
            Ok(path) => publish_output().map(|output| (output, path)),
            Err(error) => {
                aside.forget();
                return Err(error.into());
            }
        };
        match published {
            Ok((output, path)) => {
                aside.forget();
                Ok((output, Some(path)))
            }
            Err(error) => {
                aside.put_back();
                Err(error)
            }
        }
    }
}

/// Whether a file is the list that these parts make behind a header.
fn is_list_of(path: &Path, header: &str, parts: &[PathBuf]) -> bool {
    let n_bytes = |path: &Path| fs::metadata(path).map(|found| found.len());
    let expected: io::Result<u64> = parts.iter().map(|part| n_bytes(part)).sum();
    let (Ok(found), Ok(expected)) = (n_bytes(path), expected) else {
        return false;
    };
    let compare = || {
        let mut list = BufReader::new(File::open(path)?);
        let mut begin = vec![0; header.len()];
        list.read_exact(&mut begin)?;
        let mut is_same = begin == header.as_bytes();
        for part in parts {
            let part = BufReader::new(File::open(part)?);
            for byte in part.bytes() {
                let mut other = [0];
                list.read_exact(&mut other)?;
                is_same &= byte? == other[0];
            }
        }
        Ok::<_, io::Error>(is_same)
    };
    found == expected + header.len() as u64 && compare().unwrap_or(false)
}

/// Removes a file, if it is there.
fn remove_if_there(path: &Path) -> Result<(), SinkError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SinkError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::FileError;

    const LINE: &str = "3\tp3\ttoo short\n";

    fn list_of(output: &Path) -> PathBuf {
        output.with_extension("rejects.tsv")
    }

    /// The list of an output, of parts with these lines.
    fn rejects(output: &Path, existing: Existing, lines: &[&str]) -> Result<Rejects, SinkError> {
        let folder = output.with_extension("parts");
        fs::create_dir_all(&folder).unwrap();
        let part = |(n, line): (usize, &&str)| {
            let path = folder.join(n.to_string());
            fs::write(&path, line).unwrap();
            path
        };
        let parts: Vec<_> = lines.iter().enumerate().map(part).collect();
        Rejects::beside(list_of(output), existing, &parts)
    }

    /// A list of one line, and an output that ends in `outcome`.
    fn publish(
        output: &Path,
        outcome: Result<(), SinkError>,
    ) -> Result<Option<PathBuf>, SinkError> {
        let rejects = rejects(output, Existing::Stays, &[LINE])?;
        let published = rejects.publish_with(|| outcome);
        published.map(|((), list)| list)
    }

    fn n_files(folder: &Path) -> usize {
        folder
            .read_dir()
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_file())
            .count()
    }

    #[test]
    fn the_list_is_made_of_those_of_the_parts() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("o.parquet");
        let made = rejects(&output, Existing::Stays, &[LINE, "", "9\tp9\tempty\n"]).unwrap();
        let ((), list) = made.publish_with(|| Ok(())).unwrap();
        assert_eq!(
            fs::read_to_string(list.unwrap()).unwrap(),
            "ordinal\tid\treason\n3\tp3\ttoo short\n9\tp9\tempty\n"
        );
    }

    #[test]
    fn without_rejections_there_is_no_list() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("o.parquet");
        let rejects = rejects(&output, Existing::Stays, &[]).unwrap();
        assert_eq!(rejects.publish_with(|| Ok(7)).unwrap(), (7, None));
        assert_eq!(n_files(folder.path()), 0);
    }

    #[test]
    fn the_list_follows_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("o.parquet");
        let list = list_of(&output);
        // It is taken back if the output fails.
        publish(&output, Err(FileError::Exists(output.clone()).into())).unwrap_err();
        assert!(!list.exists());
        // Another one is never replaced by accident, but its own may stand there.
        publish(&output, Ok(())).unwrap();
        publish(&output, Ok(())).unwrap();
        fs::write(&list, "something else").unwrap();
        assert!(
            matches!(publish(&output, Ok(())), Err(SinkError::File(FileError::Exists(path))) if path == list)
        );
        // It goes with the output that it belonged to.
        let rejects = rejects(&output, Existing::IsReplaced, &[]).unwrap();
        rejects.publish_with(|| Ok(())).unwrap();
        assert!(!list.exists());
        // One of others does not stand beside an output without a list.
        fs::write(&list, "somebody's").unwrap();
        assert!(self::rejects(&output, Existing::Stays, &[]).is_err());
        assert_eq!(fs::read_to_string(&list).unwrap(), "somebody's");
    }

    #[test]
    fn an_older_list_stays_with_the_output_that_it_belongs_to() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("o.parquet");
        let list = list_of(&output);
        let again = |outcome: Result<(), SinkError>| {
            let rejects = rejects(&output, Existing::IsReplaced, &["9\tp9\ttoo long\n"]).unwrap();
            rejects.publish_with(|| outcome).map(|((), list)| list)
        };
        publish(&output, Ok(())).unwrap();
        let old = fs::read_to_string(&list).unwrap();
        // What a killed run has put aside.
        let aside = folder.path().join("o.rejects.tsv.previous");
        fs::write(&aside, "put aside").unwrap();
        // A new list, and none, for an output that fails.
        again(Err(FileError::NotAFile(output.clone()).into())).unwrap_err();
        let none = rejects(&output, Existing::IsReplaced, &[]).unwrap();
        let failed: Result<((), _), _> =
            none.publish_with(|| Err(FileError::NotAFile(output.clone()).into()));
        failed.unwrap_err();
        assert_eq!(fs::read_to_string(&list).unwrap(), old);
        again(Ok(())).unwrap();
        assert!(fs::read_to_string(&list).unwrap().contains("p9"));
        assert_eq!(fs::read_to_string(&aside).unwrap(), "put aside");
        assert_eq!(n_files(folder.path()), 2, "nothing else is left");
    }
}
