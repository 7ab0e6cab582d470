//! Where a table of scores lies, and what says how it came about.

use super::{
    Done, Extent, ScoreError,
    plan_file::{is_begun, plan_in},
};
use crate::{
    file::{self, FileError, Keep},
    hint::joined,
    job::{ScorePlan, Shard},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// What the first entry of a note is, by which it is known.
pub const GENERATOR: &str = "runner";
/// The folder of parts with logits, in the folder of what is kept.
const LOGITS: &str = "logits/";
/// Characters of the hash that names that folder.
const KEY_CHARACTERS: usize = 16;

/// Where a table of scores lies, and what is kept while it is made.
pub struct ScoreOutput {
    pub(super) output: PathBuf,
    pub(super) note: PathBuf,
    /// The list of records that rules reject.
    pub(super) rejects: PathBuf,
    pub(super) overwrite: bool,
    resume: bool,
    /// Whether a process makes a part of the logits only.
    is_shard: bool,
    kept: PathBuf,
    key: String,
    /// All that can change a score, by name.
    pub(super) identity: BTreeMap<String, String>,
}

/// What stands beside a table of scores: how it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// The program.
    pub(super) generator: String,
    pub(super) version: String,
    /// The columns with scores.
    pub(super) columns: Vec<String>,
    pub(super) method: String,
    /// What the numbers are.
    pub(super) meaning: String,
    pub(super) scores: u64,
    pub(super) proteins: u64,
    pub(super) rejected: u64,
    pub(super) truncated: u64,
    /// Sequences that the model saw.
    pub(super) sequences: u64,
    pub(super) tokens: u64,
    pub(super) spearman: Option<f64>,
    /// Rows of which it was measured what the scores are to agree with.
    pub(super) measured: u64,
    /// A hash of the table.
    pub(super) blake3: String,
    pub(super) identity: BTreeMap<String, String>,
}

impl ScoreOutput {
    /// Where the table goes that a plan asks for, and which `identity` says all about. Of several processes that share
    /// the work each makes a shard of the logits.
    pub fn new(plan: &ScorePlan, identity: BTreeMap<String, String>, shard: Option<Shard>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for (name, value) in &identity {
            for text in [name, value] {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
        let key = hasher.finalize().to_hex();
        Self {
            output: plan.output.clone(),
            note: plan.note(),
            rejects: plan.rejects(),
            overwrite: plan.run.overwrite,
            resume: plan.run.resume,
            is_shard: shard.is_some(),
            kept: plan.kept_folder(),
            key: key[..KEY_CHARACTERS].to_owned(),
            identity,
        }
    }

    /// The folder of what is kept of this table while it is made.
    pub fn folder(&self) -> PathBuf {
        self.kept.join(&self.key)
    }

    /// The file with the sequences that the model has to see.
    pub fn plan(&self) -> PathBuf {
        plan_in(&self.folder())
    }

    /// The folder of parts with logits.
    pub fn logits(&self) -> PathBuf {
        Self::logits_in(&self.folder())
    }

    /// The folder of parts with logits of what is kept in a folder.
    pub fn logits_in(folder: &Path) -> PathBuf {
        folder.join(LOGITS)
    }

    /// The table, if it is there and is what is asked for. Nothing, if it is to be made.
    ///
    /// # Errors
    /// Something else is there, or was begun, and may not be replaced.
    pub fn finished(&self) -> Result<Option<Done>, ScoreError> {
        if self.overwrite {
            self.check_shard()?;
            return Ok(None);
        }
        if self.output.exists() {
            return match self.read_note()? {
                Some(note) if note.identity == self.identity && self.resume => {
                    Ok(Some(self.done(note)))
                }
                Some(note) => Err(self.exists(&self.output, self.difference(&note))),
                None => Err(self.exists(&self.output, "exists".to_owned())),
            };
        }
        if !self.resume && self.folder().exists() {
            return Err(self.exists(&self.folder(), "exists".to_owned()));
        }
        if let Some(other) = self.others().into_iter().find(|other| is_begun(other)) {
            return Err(self.exists(
                &other,
                "was begun with other mutants, another model or other options".to_owned(),
            ));
        }
        // Whoever is killed before the table has its name leaves what lies beside it, and the plan.
        if !is_begun(&self.folder()) {
            self.check_beside(|note| note.identity == self.identity)?;
        }
        Ok(None)
    }

    /// Checks that a table that is there is what is asked for, as far as that is known: `identity` need not say all.
    ///
    /// # Errors
    /// It is another one, and may not be replaced.
    pub fn check(&self) -> Result<(), ScoreError> {
        if self.overwrite {
            return self.check_shard();
        }
        let is_same = |note: &Note| {
            let mut identity = self.identity.iter();
            identity.all(|(name, value)| note.identity.get(name) == Some(value))
        };
        if !self.output.exists() {
            return match self.kept.exists() {
                true => Ok(()),
                false => self.check_beside(is_same),
            };
        }
        match self.read_note()? {
            Some(note) if is_same(&note) => Ok(()),
            Some(note) => Err(self.exists(&self.output, self.difference(&note))),
            None => Err(self.exists(&self.output, "exists".to_owned())),
        }
    }

    /// Checks that no shard is to replace a table: the others would be missing.
    fn check_shard(&self) -> Result<(), ScoreError> {
        match self.is_shard && self.output.exists() {
            true => Err(ScoreError::Replaces(self.output.clone())),
            false => Ok(()),
        }
    }

    /// Checks that what lies beside a table that is not there may be replaced: that it was of the same one.
    fn check_beside(&self, is_same: impl Fn(&Note) -> bool) -> Result<(), ScoreError> {
        let note = self.any_note()?;
        if self.resume && note.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        let mut beside = [&self.note, &self.rejects].into_iter();
        match beside.find(|path| path.exists()) {
            Some(path) => {
                let table = self.output.display();
                let message = format!("exists, and `{table}`, which it would lie beside, does not");
                Err(self.exists(path, message))
            }
            None => Ok(()),
        }
    }

    /// The folders of what is kept of other tables that were to have this name. Those behind links are somebody
    /// else's.
    pub fn others(&self) -> Vec<PathBuf> {
        let is_key = |name: &str| {
            let mut digits = name.bytes();
            name.len() == KEY_CHARACTERS
                && digits.all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        };
        if self.kept.is_symlink() {
            return Vec::new();
        }
        let entries = self.kept.read_dir().into_iter().flatten().flatten();
        let others = entries.filter(|entry| {
            let name = entry.file_name();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let is_other = |name: &str| is_key(name) && name != self.key;
            is_folder && name.to_str().is_some_and(is_other)
        });
        others.map(|entry| entry.path()).collect()
    }

    /// Removes the folders of what is kept in which nothing is.
    pub fn remove_if_empty(&self) {
        let _ = fs::remove_dir(self.folder());
        // A link stays one, and what cannot be removed is in nobody's way.
        let _ = fs::remove_dir(&self.kept);
    }

    fn exists(&self, path: &Path, message: String) -> ScoreError {
        ScoreError::Exists {
            output: path.to_owned(),
            message,
        }
    }

    /// How the table that is there differs from what is asked for.
    fn difference(&self, note: &Note) -> String {
        let mut differing = self.identity.iter();
        let differing = differing.find(|(name, value)| note.identity.get(*name) != Some(value));
        match differing {
            Some((name, is)) => {
                let was = note.identity.get(name).map_or("nothing", String::as_str);
                let detail = format!("`{name}` was {was} and is {is}");
                joined("has other scores", Some(&detail))
            }
            None => "exists".to_owned(),
        }
    }

    /// The note, whatever it is about.
    fn any_note(&self) -> Result<Option<Note>, ScoreError> {
        let text = match fs::read(&self.note) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| FileError::io("read", &self.note, error))?,
        };
        Ok(serde_json::from_slice::<Note>(&text).ok())
    }

    /// The note, if it is about the table that is there.
    fn read_note(&self) -> Result<Option<Note>, ScoreError> {
        let Some(note) = self.any_note()? else {
            return Ok(None);
        };
        let io = |error| FileError::io("read", &self.output, error);
        let mut hasher = blake3::Hasher::new();
        let mut table = File::open(&self.output).map_err(io)?;
        io::copy(&mut table, &mut hasher).map_err(io)?;
        let is_of_it = hasher.finalize().to_hex().as_str() == note.blake3;
        Ok(is_of_it.then_some(note))
    }

    /// Writes the note. It comes before the table, so that there is none that nothing is known of.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn write_note(&self, note: &Note) -> Result<(), ScoreError> {
        let text = serde_json::to_string_pretty(note).unwrap_or_default();
        Ok(file::replace(
            &self.note,
            format!("{text}\n").as_bytes(),
            Keep::Safely,
        )?)
    }

    fn done(&self, note: Note) -> Done {
        Done {
            output: self.output.clone(),
            columns: note.columns,
            method: note.method,
            extent: Extent {
                scores: note.scores,
                proteins: note.proteins,
                rejected: note.rejected,
                truncated: note.truncated,
                sequences: note.sequences,
                tokens: note.tokens,
                longest: 0,
                text_bytes: 0,
            },
            spearman: note.spearman,
            measured: note.measured,
            histogram: None,
            rejects: Some(self.rejects.clone()).filter(|rejects| rejects.exists()),
        }
    }
}
