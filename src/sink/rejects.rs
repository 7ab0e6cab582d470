//! The list of the records that were not embedded.

use super::SinkError;
use crate::{
    fasta::Rejection,
    file::{Existing, FileError, Keep, Staged, check_target},
};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// The columns of the list.
const HEADER: &str = "ordinal\tid\treason\n";

/// What the list of the output that is replaced has behind its name, until that is done.
const ASIDE: &str = ".previous";
/// Names that are tried for it.
const MOST_ASIDE: usize = 100;

/// Writes the rejected records of a run to `<output>.rejects.tsv`, a line a record, in input order:
/// the record's number in the input from 1, its id, the reason.
///
/// There is no file if nothing is rejected. Nothing is kept in memory.
#[derive(Debug)]
pub struct Rejects {
    target: Option<Target>,
    list: Option<List>,
    n_rejected: u64,
}

#[derive(Debug)]
struct Target {
    path: PathBuf,
    existing: Existing,
}

/// A list that has at least one line.
#[derive(Debug)]
struct List {
    writer: BufWriter<File>,
    staged: Staged,
}

impl Rejects {
    /// The list beside `output`, which may replace an older list if `overwrite`.
    ///
    /// # Errors
    /// If there is a list already, and `overwrite` is off.
    pub(super) fn beside(output: &Path, overwrite: bool) -> Result<Self, SinkError> {
        let path = with_suffix(output, ".rejects.tsv");
        let existing = Existing::unless(overwrite);
        check_target(&path, existing)?;
        Ok(Self {
            target: Some(Target { path, existing }),
            list: None,
            n_rejected: 0,
        })
    }

    /// Counts the rejections of a run without an output, and writes nothing.
    pub(super) fn uncollected() -> Self {
        Self {
            target: None,
            list: None,
            n_rejected: 0,
        }
    }

    /// Adds a record: the one with number `ordinal` in the input, from 1.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub fn add(&mut self, ordinal: u64, rejection: &Rejection) -> Result<(), SinkError> {
        self.n_rejected += 1;
        let Some(target) = &self.target else {
            return Ok(());
        };
        let list = match &mut self.list {
            Some(list) => list,
            None => self.list.insert(List::create(target)?),
        };
        let id = escape(&rejection.id);
        let reason = escape(&rejection.reason);
        writeln!(list.writer, "{ordinal}\t{id}\t{reason}")
            .map_err(|error| SinkError::io("write", &target.path, error))
    }

    /// Records rejected so far.
    pub fn n_rejected(&self) -> u64 {
        self.n_rejected
    }

    /// Publishes the list if there is one, and then the output by `publish_output`, so that an output
    /// never stands there without what was left out of it. If the output fails, all is as it was: the
    /// list is taken back, and an older one, which belongs to the output that stays, is back in its place.
    pub(super) fn publish_with<T>(
        self,
        publish_output: impl FnOnce() -> Result<T, SinkError>,
    ) -> Result<(T, Option<PathBuf>), SinkError> {
        let Some(target) = self.target else {
            return Ok((publish_output()?, None));
        };
        let Some(list) = self.list else {
            let output = publish_output()?;
            if target.existing == Existing::IsReplaced {
                // It belonged to the output that has just been replaced.
                remove_if_there(&target.path)?;
            }
            return Ok((output, None));
        };
        let aside = Aside::put(&target)?;
        let published = match list.publish() {
            Ok(path) => publish_output().map(|output| (output, path)),
            Err(error) => {
                aside.forget();
                return Err(error);
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

/// The list of the output that is replaced, under a second name. Whatever ends the program meanwhile,
/// it is not lost.
struct Aside {
    path: PathBuf,
    /// Nothing, if there was no list.
    aside: Option<PathBuf>,
}

impl Aside {
    fn put(target: &Target) -> Result<Self, SinkError> {
        let path = target.path.clone();
        if target.existing == Existing::Stays || !path.exists() {
            return Ok(Self { path, aside: None });
        }
        // A list that an earlier run left there when it was killed is nobody's to remove.
        let names = (1..).map(|n: u32| match n {
            1 => with_suffix(&path, ASIDE),
            n => with_suffix(&path, &format!("{ASIDE}-{n}")),
        });
        for aside in names.take(MOST_ASIDE) {
            let put = match fs::hard_link(&path, &aside) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                // Not every file system gives a file a second name.
                Err(_) => copy(&path, &aside),
                Ok(()) => Ok(()),
            };
            put.map_err(|error| SinkError::io("put aside", &path, error))?;
            return Ok(Self {
                path,
                aside: Some(aside),
            });
        }
        Err(FileError::Exists(with_suffix(&path, ASIDE)).into())
    }

    /// The output that it belonged to is gone, or it never lost its own name.
    fn forget(self) {
        // The run has ended as it has; a file too much is no reason to say otherwise.
        let _ = self.aside.map(fs::remove_file);
    }

    /// The output that it belongs to stays.
    fn put_back(self) {
        // The error at hand says more than a failure to clean up after it. What cannot be put back still
        // has its second name.
        let _ = match self.aside {
            Some(aside) => fs::rename(aside, self.path),
            None => fs::remove_file(self.path),
        };
    }
}

impl List {
    fn create(target: &Target) -> Result<Self, SinkError> {
        let staged = Staged::create(&target.path, target.existing)?;
        let mut writer = BufWriter::new(staged.writer()?);
        writer
            .write_all(HEADER.as_bytes())
            .map_err(|error| SinkError::io("write", &target.path, error))?;
        Ok(Self { writer, staged })
    }

    fn publish(mut self) -> Result<PathBuf, SinkError> {
        let flushed = self.writer.flush();
        flushed.map_err(|error| SinkError::io("write", self.staged.target(), error))?;
        Ok(self.staged.publish(Keep::Safely)?)
    }
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

/// Copies a file to a name that nothing has.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut File::create_new(to)?)?;
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// `field` without the characters that end a field or a line.
fn escape(field: &str) -> String {
    let escaped = field.replace('\t', "\\t");
    escaped.replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(id: &str, reason: &str) -> Rejection {
        Rejection {
            id: id.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// A list of one line, and an output that ends in `outcome`.
    fn publish(
        output: &Path,
        outcome: Result<(), SinkError>,
    ) -> Result<Option<PathBuf>, SinkError> {
        let mut rejects = Rejects::beside(output, false)?;
        rejects.add(3, &rejection("p3", "too short"))?;
        let published = rejects.publish_with(|| outcome);
        published.map(|((), list)| list)
    }

    #[test]
    fn lists_what_was_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let mut rejects = Rejects::beside(&folder.path().join("o.parquet"), false).unwrap();
        let rejected = [
            (2, rejection("p2", "empty sequence")),
            (1_000_000, rejection("odd\tid\r", "two\nlines")),
        ];
        for (ordinal, rejection) in &rejected {
            rejects.add(*ordinal, rejection).unwrap();
        }
        assert_eq!(rejects.n_rejected(), 2);
        let ((), list) = rejects.publish_with(|| Ok(())).unwrap();
        let list = list.unwrap();
        assert_eq!(list, folder.path().join("o.parquet.rejects.tsv"));
        assert_eq!(
            fs::read_to_string(list).unwrap(),
            "ordinal\tid\treason\n2\tp2\tempty sequence\n1000000\todd\\tid\\r\ttwo\\nlines\n"
        );
    }

    #[test]
    fn without_rejections_there_is_no_list() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("o.parquet");
        let rejects = Rejects::beside(&output, false).unwrap();
        assert_eq!(rejects.publish_with(|| Ok(7)).unwrap(), (7, None));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn the_list_follows_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("o.parquet");
        let list = folder.path().join("o.parquet.rejects.tsv");
        // It is taken back if the output fails.
        publish(&output, Err(FileError::Exists(output.clone()).into())).unwrap_err();
        assert!(!list.exists());
        // It is never replaced by accident.
        publish(&output, Ok(())).unwrap();
        assert!(
            matches!(publish(&output, Ok(())), Err(SinkError::File(FileError::Exists(path))) if path == list)
        );
        // It goes with the output that it belonged to.
        let rejects = Rejects::beside(&output, true).unwrap();
        rejects.publish_with(|| Ok(())).unwrap();
        assert!(!list.exists());
    }

    #[test]
    fn an_older_list_stays_with_the_output_that_it_belongs_to() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("o.parquet");
        let list = folder.path().join("o.parquet.rejects.tsv");
        let again = |outcome: Result<(), SinkError>| {
            let mut rejects = Rejects::beside(&output, true).unwrap();
            rejects.add(9, &rejection("p9", "too long")).unwrap();
            rejects.publish_with(|| outcome).map(|((), list)| list)
        };
        publish(&output, Ok(())).unwrap();
        let old = fs::read_to_string(&list).unwrap();
        // What a killed run has put aside.
        let aside = folder.path().join("o.parquet.rejects.tsv.previous");
        fs::write(&aside, "put aside").unwrap();
        // A new list, and none, for an output that fails.
        again(Err(FileError::NotAFile(output.clone()).into())).unwrap_err();
        let none = Rejects::beside(&output, true).unwrap();
        let failed: Result<((), _), _> =
            none.publish_with(|| Err(FileError::NotAFile(output.clone()).into()));
        failed.unwrap_err();
        assert_eq!(fs::read_to_string(&list).unwrap(), old);
        again(Ok(())).unwrap();
        assert!(fs::read_to_string(&list).unwrap().contains("p9"));
        assert_eq!(fs::read_to_string(&aside).unwrap(), "put aside");
        let n_files = folder.path().read_dir().unwrap().count();
        assert_eq!(n_files, 2, "nothing else is left");
    }

    #[test]
    fn a_run_without_output_only_counts() {
        let mut rejects = Rejects::uncollected();
        rejects.add(1, &rejection("p1", "empty sequence")).unwrap();
        assert_eq!(rejects.n_rejected(), 1);
        assert_eq!(rejects.publish_with(|| Ok(())).unwrap(), ((), None));
    }
}
