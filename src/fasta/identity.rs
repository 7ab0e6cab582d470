//! Which file an input was when the run looked at it, and whether it still is that file.

use super::error::Fault;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Which file an input was when the run looked at it, and in which state.
///
/// Each of its units is read by whoever is free, at another time and by the file's name. A file that
/// was replaced, rewritten, extended or cut meanwhile would give a mixture of two, so each reader
/// compares when it opens the file and again when it has read its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    device: u64,
    inode: u64,
    size_bytes: u64,
    /// When it was last written to: seconds and nanoseconds.
    modified: (i64, i64),
}

impl Identity {
    /// Of the file that `metadata` are of.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Bytes on disk.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The file's state, and which one it is on its disk. Which disk that is does not count: it can
    /// have another number when the machine starts again.
    pub(super) fn state(&self) -> [u8; 32] {
        let (seconds, nanoseconds) = self.modified;
        let mut state = [0; 32];
        let numbers = [
            self.inode.to_le_bytes(),
            self.size_bytes.to_le_bytes(),
            seconds.to_le_bytes(),
            nanoseconds.to_le_bytes(),
        ];
        state.copy_from_slice(numbers.as_flattened());
        state
    }

    /// Checks that `path` still names this file in this state.
    ///
    /// # Errors
    /// The fault that ends the run.
    pub fn check_path(&self, path: &Path) -> Result<(), Fault> {
        self.compare(fs::metadata(path))
    }

    /// Checks an open file, and that `path` still names it.
    pub(super) fn check(&self, file: &File, path: &Path) -> Result<(), Fault> {
        self.compare(file.metadata())?;
        self.check_path(path)
    }

    fn compare(&self, now: io::Result<Metadata>) -> Result<(), Fault> {
        let now = match now {
            Ok(metadata) => Self::of(&metadata),
            Err(error) => return Err(changed(&format!("it cannot be found any more: {error}"))),
        };
        if (now.device, now.inode) != (self.device, self.inode) {
            return Err(changed("another file has its name now"));
        }
        if now.size_bytes != self.size_bytes {
            let (before, now) = (self.size_bytes, now.size_bytes);
            return Err(changed(&format!("it had {before} bytes, now {now}")));
        }
        if now.modified != self.modified {
            return Err(changed("it was written to, or touched"));
        }
        Ok(())
    }
}

fn changed(how: &str) -> Fault {
    Fault::of_file(
        format!("changed while it was read: {how}"),
        "run again when nothing writes to it any more, or name a copy",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fasta::{
        UnitReader, Units, resolve,
        tests::{COMPRESSORS, Compress, bgzip, policy},
    };
    use std::{os::unix::fs::symlink, time::UNIX_EPOCH};

    type Change = fn(&Path, &[u8]);

    /// Ways to another state of a file, and what is said of each.
    const CHANGES: [(&str, Change); 6] = [
        ("another file has its name", |path, content| {
            fs::write(path.with_extension("other"), content).unwrap();
            fs::rename(path.with_extension("other"), path).unwrap();
        }),
        ("another file has its name", |path, content| {
            fs::write(path.with_extension("other"), content).unwrap();
            fs::remove_file(path).unwrap();
            symlink(path.with_extension("other"), path).unwrap();
        }),
        ("cannot be found", |path, _| fs::remove_file(path).unwrap()),
        ("it had", |path, content| {
            fs::write(path, &content[1..]).unwrap();
        }),
        ("it had", |path, content| {
            fs::write(path, [content, b">c\nM\n"].concat()).unwrap();
        }),
        ("written to, or touched", |path, _| {
            let file = File::options().append(true).open(path).unwrap();
            file.set_modified(UNIX_EPOCH).unwrap();
        }),
    ];

    #[test]
    fn a_file_that_changes_is_noticed_by_its_readers() {
        let plain: Compress = |text| text.to_vec();
        let compressors = COMPRESSORS.map(|(_, compress)| compress);
        for compress in compressors.into_iter().chain([plain]) {
            let content = compress(b">a\nMKT\n>b\nMKT\n");
            // Between its discovery and its first unit, and while that is read.
            for ((part, change), n_read) in
                CHANGES.iter().flat_map(|c| (0..=3).map(move |n| (c, n)))
            {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("x.fa");
                fs::write(&path, &content).unwrap();
                let inputs = resolve(&[path.to_str().unwrap().to_owned()]).unwrap();
                let unit = Units::new(inputs, 100).next().unwrap().unwrap();
                let fault = if n_read == 0 {
                    change(&path, &content);
                    UnitReader::open(&unit, policy()).err()
                } else {
                    let mut reader = UnitReader::open(&unit, policy()).unwrap();
                    for _ in 1..n_read {
                        assert!(matches!(reader.next_outcome(), Ok(Some(_))));
                    }
                    change(&path, &content);
                    std::iter::from_fn(|| reader.next_outcome().transpose()).find_map(Result::err)
                };
                let message = fault.expect(part).message;
                assert!(message.contains("changed while it was read"), "{message}");
                assert!(message.contains(part), "`{part}` in: {message}");
            }
        }
    }

    #[test]
    fn a_bgzip_file_that_changes_is_noticed_by_the_planner() {
        for n_units in 0..=2 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.fa");
            fs::write(&path, bgzip(b">a\nMKT\n>b\nMKT\n", 4)).unwrap();
            let inputs = resolve(&[path.to_str().unwrap().to_owned()]).unwrap();
            let mut units = Units::new(inputs, 8);
            for _ in 0..n_units {
                units.next().unwrap().unwrap();
            }
            fs::write(&path, bgzip(b">c\nM\n", 4)).unwrap();
            let message = units.find_map(Result::err).unwrap().fault.message;
            assert!(message.contains("changed while it was read"), "{message}");
        }
    }
}
