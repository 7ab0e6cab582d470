//! What is said of a file that cannot say it itself, in a file beside it.

use super::open;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

/// How the name of a card ends, behind the whole name of the file that it is about.
const ENDING: &str = ".json";
/// The entry that every file of this program has.
pub const VERSION: &str = "runner.version";
/// Bytes of the beginning and of the end of a file by which it is known.
const END_BYTES: u64 = 64 << 10;

/// What is said of a file that cannot say it itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Rows, each of a sequence.
    pub rows: u64,
    /// The columns that the file holds.
    pub columns: Vec<String>,
    /// Bytes of the file.
    pub bytes: u64,
    /// A hash of its two ends: by them it is known whether the card is about it.
    pub ends_blake3: String,
    /// Files beside it, by the endings of their names, with their hashes.
    pub beside: BTreeMap<String, String>,
    /// All entries that a Parquet file would have.
    pub metadata: BTreeMap<String, String>,
    /// A hash of the card itself, as JSON without blanks and with an empty text here.
    pub blake3: String,
}

impl Card {
    /// The card of the file at `path`. Nothing, if there is none, or what is there is none, or not what was written.
    pub fn of(path: &Path) -> Option<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(ENDING);
        Self::read(Path::new(&name))
    }

    /// The card that is at `path` itself.
    pub fn read(path: &Path) -> Option<Self> {
        let file = open(path).ok()?;
        let card: Self = serde_json::from_reader(BufReader::new(file)).ok()?;
        let is_ours = card.metadata.contains_key(VERSION) && card.hash().ok()? == card.blake3;
        is_ours.then_some(card)
    }

    /// Whether it is about this file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn is_about(&self, file: &File) -> io::Result<bool> {
        Ok(file.metadata()?.len() == self.bytes && ends(file)? == self.ends_blake3)
    }

    /// The hash of the file beside it whose name ends so, and that ending.
    pub fn of_beside(&self, path: &Path) -> Option<(&str, &str)> {
        let name = path.file_name()?.to_string_lossy();
        let mut beside = self.beside.iter();
        let (ending, hash) = beside.find(|(ending, _)| name.ends_with(ending.as_str()))?;
        Some((ending, hash))
    }

    /// Writes it, with its own hash.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn write(mut self, mut to: &File) -> io::Result<()> {
        self.blake3 = self.hash()?;
        let text = serde_json::to_string_pretty(&self)?;
        writeln!(to, "{text}")
    }

    fn hash(&self) -> io::Result<String> {
        let empty = Self {
            blake3: String::new(),
            ..self.clone()
        };
        let text = serde_json::to_string(&empty)?;
        Ok(blake3::hash(text.as_bytes()).to_hex().to_string())
    }
}

/// A hash of the two ends of a file.
///
/// # Errors
/// If it cannot be read.
pub fn ends(file: &File) -> io::Result<String> {
    let n_bytes = file.metadata()?.len();
    let mut hasher = blake3::Hasher::new();
    for start in [0, n_bytes.saturating_sub(END_BYTES)] {
        let n_read = usize::try_from(END_BYTES.min(n_bytes)).unwrap_or(0);
        let mut bytes = vec![0; n_read];
        file.read_exact_at(&mut bytes, start)?;
        hasher.update(&bytes);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// A hash of a file that begins with a header: of what is behind its first bytes, and then of these.
///
/// # Errors
/// If it cannot be read.
pub fn hash_header_last(path: &Path, n_header: usize) -> io::Result<String> {
    let mut file = open(path)?;
    let mut header = vec![0; n_header];
    file.read_exact_at(&mut header, 0)?;
    file.seek(SeekFrom::Start(n_header as u64))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?.update(&header);
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_card_that_says_something_else_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let place = folder.path().join("x.npy.json");
        let card = Card {
            rows: 12,
            columns: vec!["embedding".to_owned()],
            bytes: 3,
            ends_blake3: blake3::hash(b"abcabc").to_hex().to_string(),
            beside: [(".ids.txt".to_owned(), "hash".to_owned())].into(),
            metadata: [(VERSION.to_owned(), "1".to_owned())].into(),
            blake3: String::new(),
        };
        card.write(&File::create(&place).unwrap()).unwrap();
        let card = Card::of(&path).unwrap();
        fs::write(&path, "abc").unwrap();
        assert!(card.is_about(&File::open(&path).unwrap()).unwrap());
        fs::write(&path, "abd").unwrap();
        assert!(!card.is_about(&File::open(&path).unwrap()).unwrap());
        let beside = card.of_beside(&folder.path().join("x.ids.txt"));
        assert_eq!(beside, Some((".ids.txt", "hash")));
        let text = fs::read(&place).unwrap();
        for n in 0..text.len() {
            let mut changed = text.clone();
            // A blank that is another one says nothing else.
            changed[n] ^= 1;
            fs::write(&place, changed).unwrap();
            let found = Card::of(&path);
            assert!(found.is_none_or(|found| found == card), "byte {n}");
        }
    }
}
