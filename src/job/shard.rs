//! One of several processes that share the work of a script.

use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// One of several processes, often on several machines, that share the work of a script: each embeds some
/// consecutive records of the input, and none talks to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which one it is, from 0.
    index: u32,
    /// How many there are, at least one.
    count: u32,
}

/// What is wrong with the name of a shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// It is not two numbers.
    #[error("`{0}` is no shard: write `3/16` for number 3 of 16, counted from 0")]
    NotAShard(String),
    /// There cannot be so many.
    #[error("there are at most {MOST_SHARDS} shards, and not {0}")]
    TooMany(u32),
    /// There are fewer.
    #[error("there is no shard {index} of {count}: the shards of {count} are 0 to {}", .count - 1)]
    TooLarge {
        /// Which one was asked for.
        index: u32,
        /// How many there are.
        count: u32,
    },
}

/// More shards than any cluster runs, so that names of folders have one length.
const MOST_SHARDS: u32 = 99_999;
/// The setting of a run that says which shard it was.
pub const SHARD_SETTING: &str = "shard";
const FOLDER: &str = "shard-";
const OF: &str = "-of-";

impl Shard {
    /// Number `index` of `count`.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn new(index: u32, count: u32) -> Result<Self, ShardError> {
        match count {
            1..=MOST_SHARDS if index < count => Ok(Self { index, count }),
            1..=MOST_SHARDS => Err(ShardError::TooLarge { index, count }),
            count if count > MOST_SHARDS => Err(ShardError::TooMany(count)),
            _ => Err(ShardError::NotAShard(format!("{index}/{count}"))),
        }
    }

    /// Which one it is, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether it is not all of the work.
    pub fn is_a_part(self) -> bool {
        self.count > 1
    }

    /// The name of the folder that it writes into: those of one output sort in input order.
    pub fn folder_name(self) -> String {
        format!("{FOLDER}{:05}{OF}{:05}", self.index, self.count)
    }

    /// The path of a file that each shard writes for itself: `report.html` is
    /// `report.shard-00003-of-00016.html`.
    pub fn own_file(self, path: &Path) -> PathBuf {
        let mut name = path.file_stem().map_or_else(OsString::new, OsString::from);
        name.push(".");
        name.push(self.folder_name());
        if let Some(ending) = path.extension() {
            name.push(".");
            name.push(ending);
        }
        path.with_file_name(name)
    }

    /// The shard that writes into a folder of this name.
    pub fn of_folder_name(name: &str) -> Option<Self> {
        let (index, count) = name.strip_prefix(FOLDER)?.split_once(OF)?;
        let shard = Self::new(index.parse().ok()?, count.parse().ok()?).ok()?;
        (shard.folder_name() == name).then_some(shard)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let numbers = text.split_once('/');
        let numbers =
            numbers.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let (index, count) = numbers.ok_or_else(|| ShardError::NotAShard(text.to_owned()))?;
        Self::new(index, count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_read_as_they_are_written() {
        let shard: Shard = "3/16".parse().unwrap();
        assert_eq!((shard.index(), shard.count()), (3, 16));
        assert_eq!(shard.to_string(), "3/16");
        assert_eq!(shard.folder_name(), "shard-00003-of-00016");
        assert_eq!(Shard::of_folder_name(&shard.folder_name()), Some(shard));
        assert!(shard.is_a_part() && !Shard::new(0, 1).unwrap().is_a_part());
    }

    #[test]
    fn each_shard_has_files_of_its_own() {
        let shard: Shard = "3/16".parse().unwrap();
        for (path, expect) in [
            ("report.html", "report.shard-00003-of-00016.html"),
            ("out/a.b.csv", "out/a.b.shard-00003-of-00016.csv"),
            ("/x/trace", "/x/trace.shard-00003-of-00016"),
        ] {
            assert_eq!(shard.own_file(Path::new(path)), Path::new(expect));
        }
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in ["", "3", "3/", "/4", "-1/4", "1/0", "1.0/4", "a/b", "1/4/2"] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains("is no shard"), "{text}: {error}");
        }
        let error = "4/4".parse::<Shard>().unwrap_err().to_string();
        assert!(error.ends_with("the shards of 4 are 0 to 3"), "{error}");
        let error = "0/100000".parse::<Shard>().unwrap_err().to_string();
        assert_eq!(error, "there are at most 99999 shards, and not 100000");
        for name in [
            "shard-3-of-16",
            "shard-00016-of-00016",
            "shard-00003",
            "part-0",
        ] {
            assert_eq!(Shard::of_folder_name(name), None, "{name}");
        }
    }
}
