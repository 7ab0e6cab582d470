//! The plan as a FASTA file.

use super::{ScoreError, task::Task};
use crate::file::{self, Existing, FileError, Keep, Staged};
use noodles_bgzf::io::{Writer, writer::Builder};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

/// The file's name in the folder of what is kept.
const NAME: &str = "plan.fa.gz";
/// No copy's name has more bytes.
const LONGEST_NAME: u64 = 128;

impl Task {
    /// Writes the file with all sequences that the model has to see, each once, if it is not there. It has its name
    /// when it is complete, and nobody replaces one that has.
    ///
    /// # Errors
    /// An input or the file system fails, or somebody tells to stop.
    pub fn write_plan(&self, path: &Path) -> Result<(), ScoreError> {
        if path.exists() {
            return Ok(());
        }
        let staged = Staged::create(path, Existing::Stays)?;
        self.write_copies(staged.writer()?, path)?;
        match staged.publish(Keep::Safely) {
            // Another shard was faster, and wrote the same.
            Ok(_) | Err(FileError::Exists(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn write_copies(&self, file: File, path: &Path) -> Result<(), ScoreError> {
        let io = |error: io::Error| ScoreError::from(FileError::io("write", path, error));
        let mut writer = writer(BufWriter::new(file));
        let mut text = Vec::new();
        self.try_each_copy(|protein, copy| {
            text.clear();
            copy.write(protein.number, &protein.sequence, &mut text);
            writer.write_all(&text).map_err(io)
        })?;
        let mut file = writer.finish().map_err(io)?;
        file.flush().map_err(io)
    }
}

/// The file in a folder of what is kept.
pub(super) fn plan_in(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Whether a folder holds a plan, or what is computed of one.
pub(super) fn is_begun(folder: &Path) -> bool {
    let mut names = [NAME, "logits.ledger"].into_iter();
    names.any(|name| folder.join(name).exists())
}

/// Removes the plan in a folder, and the folder, if nothing else is in it. What others wrote stays, and what cannot be
/// removed is in nobody's way.
pub fn remove_plan(folder: &Path) {
    let path = folder.join(NAME);
    if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) && is_plan(&path) {
        let _ = fs::remove_file(&path);
    }
    file::sweep_once(folder);
    let _ = fs::remove_dir(folder);
}

/// Whether a file is a plan that this program wrote: in blocks that are compressed, and with a copy's name first.
fn is_plan(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let mut head = Vec::new();
    let mut reader = noodles_bgzf::io::Reader::new(file).take(LONGEST_NAME);
    if reader.read_to_end(&mut head).is_err() {
        return false;
    }
    let line = head.split(|byte| *byte == b'\n').next();
    let name = line.and_then(|line| str::from_utf8(line.strip_prefix(b">")?).ok());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<_> = name.unwrap_or_default().split('.').collect();
    match parts.as_slice() {
        [protein, variant, place] => {
            let place = place.strip_prefix('-').unwrap_or(place);
            [protein, variant, &place]
                .into_iter()
                .all(|part| is_number(part))
        }
        _ => false,
    }
}

/// Copies of one protein are much alike, so what is fast compresses them well.
fn writer<W: Write>(file: W) -> Writer<W> {
    let level = noodles_bgzf::io::writer::CompressionLevel::FAST;
    Builder::default()
        .set_compression_level(level)
        .build_from_writer(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cancel::CancelToken,
        job::{Dataset, PerplexityMethod, ScoreQuestion},
    };

    #[test]
    fn what_others_wrote_stays() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan_in(folder.path());
        let check = |bytes: &[u8]| {
            fs::write(&plan, bytes).unwrap();
            remove_plan(folder.path());
            assert_eq!(fs::read(&plan).unwrap(), bytes);
        };
        check(b"");
        check(b"mine");
        check(b">1.0.1\n<mask>K\n");
        for text in [
            ">mine\nMKT\n",
            ">1.0\nMKT\n",
            ">1.0.x\nMKT\n",
            "1.0.1\nMKT\n",
        ] {
            let mut writer = writer(Vec::new());
            writer.write_all(text.as_bytes()).unwrap();
            check(&writer.finish().unwrap());
        }
    }

    #[test]
    fn a_plan_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fa");
        fs::write(&path, ">a\nMK\n>b\nT\n").unwrap();
        let dataset = Dataset::new(vec![path.to_string_lossy().into_owned()]);
        let question = ScoreQuestion::Perplexity(dataset, PerplexityMethod::Exact);
        let task = Task::new(&question, &CancelToken::default()).unwrap();
        let plan = plan_in(&folder.path().join("kept"));
        task.write_plan(&plan).unwrap();
        let mut text = String::new();
        noodles_bgzf::io::Reader::new(File::open(&plan).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, ">1.0.1\n<mask>K\n>1.0.2\nM<mask>\n>2.0.1\n<mask>\n");
        let before = fs::metadata(&plan).unwrap().modified().unwrap();
        task.write_plan(&plan).unwrap();
        assert_eq!(fs::metadata(&plan).unwrap().modified().unwrap(), before);
        remove_plan(plan.parent().unwrap());
        assert!(!plan.parent().unwrap().exists());
    }
}
