//! Which path has which role.

use super::Role;
use crate::{
    file::destination,
    job::{Problem, Problems},
};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    ops::Bound,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A path that is to have a role.
#[derive(Clone, Debug)]
pub struct Claim {
    role: Role,
    path: PathBuf,
    /// How people know the path.
    name: String,
    /// Which of several things that have the same role; two of them need files of their own.
    owner: usize,
    /// The option that names the path.
    option: Option<&'static str>,
    /// Whether the path is a folder in which nothing else may be written or read.
    is_folder: bool,
}

impl Claim {
    /// A claim to `path`, which people know by that name.
    pub fn new(role: Role, path: &Path) -> Self {
        Self {
            role,
            path: path.to_owned(),
            name: path.to_string_lossy().into_owned(),
            owner: 0,
            option: None,
            is_folder: false,
        }
    }

    /// The same claim, by the name that people know.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The same claim by one of several things that have this role.
    pub fn of(mut self, owner: usize) -> Self {
        self.owner = owner;
        self
    }

    /// The same claim to a folder and everything that is in it.
    pub fn with_contents(mut self) -> Self {
        self.is_folder = true;
        self
    }

    /// Whether the file is to be written.
    pub fn is_written(&self) -> bool {
        !self.role.is_read() && self.role != Role::Printed
    }

    /// Where the path leads.
    pub fn place(&self) -> PathBuf {
        destination(&self.path)
    }

    /// What is wrong if the pattern of an input matches the path of a file that is to be written.
    pub fn is_matched_by(&self, pattern: &str) -> Problem {
        let role = self.role.describe();
        Problem {
            message: format!(
                "`{}` is {role}, and the pattern `{pattern}` would make it an input, too",
                self.name
            ),
            hint: Some(
                "nothing was overwritten; write into another folder, or give the pattern the ending \
                 of the inputs, as in `*.fasta`"
                    .to_owned(),
            ),
            option: self.option.map(str::to_owned),
        }
    }

    /// The same claim by way of an option.
    pub fn by_option(mut self, option: &'static str) -> Self {
        self.option = Some(option);
        self
    }
}

/// Every path of a script, with its role.
///
/// A path is known by where it leads, and, as long as it is there, by its device and inode, which
/// hard links share.
#[derive(Debug, Default)]
pub struct Register {
    /// A folder is followed by what is in it.
    by_place: BTreeMap<PathBuf, Entry>,
    places: HashMap<(u64, u64), PathBuf>,
}

#[derive(Debug)]
struct Entry {
    role: Role,
    owner: usize,
    name: String,
    is_folder: bool,
}

/// Where something lies that is in the way of a claim.
enum Clash<'a> {
    /// It is the same file or folder.
    There(&'a Entry),
    /// It is a folder that the claim's path is in.
    Around(&'a Entry),
    /// It is in the folder that is claimed.
    Inside(&'a Entry),
}

impl Register {
    /// Gives each of `claims` its role, or none of them.
    ///
    /// # Errors
    /// Every file that one part of the script would write and another reads or writes.
    pub fn claim(&mut self, claims: &[Claim]) -> Result<(), Problems> {
        let taken = self.taken(claims)?;
        for (place, entry) in taken.by_place {
            self.keep(place, entry);
        }
        self.places.extend(taken.places);
        Ok(())
    }

    /// Checks that each of `claims` can have its role.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub fn check(&self, claims: &[Claim]) -> Result<(), Problems> {
        self.taken(claims).map(|_| ())
    }

    /// The entries that `claims` would add.
    fn taken(&self, claims: &[Claim]) -> Result<Self, Problems> {
        let mut taken = Self::default();
        let mut problems = Problems::default();
        for claim in claims {
            let place = destination(&claim.path);
            let file = file_id(&claim.path);
            let found = [self, &taken]
                .into_iter()
                .find_map(|register| register.clash(claim, &place, file))
                .map(|clash| problem(claim, &clash));
            match found {
                Some(problem) => problems.0.push(problem),
                None => taken.insert(claim, place, file),
            }
        }
        problems.none_or(taken)
    }

    fn clash(&self, claim: &Claim, place: &Path, file: Option<(u64, u64)>) -> Option<Clash<'_>> {
        let around = || {
            let folders = place.ancestors().skip(1);
            let mut folders = folders.filter_map(|folder| self.by_place.get(folder));
            folders.find(|entry| entry.is_folder && !is_reading_back(entry.role, claim.role))
        };
        let inside = || {
            let behind = (Bound::Excluded(place), Bound::Unbounded);
            let behind = self.by_place.range::<Path, _>(behind);
            let mut inside = behind.take_while(|(other, _)| other.starts_with(place));
            let found = inside.find(|(_, entry)| !is_reading_back(entry.role, claim.role));
            found.map(|(_, entry)| entry).filter(|_| claim.is_folder)
        };
        let there = self.there(claim, place, file).map(Clash::There);
        there
            .or_else(|| around().map(Clash::Around))
            .or_else(|| inside().map(Clash::Inside))
    }

    /// What is at the place of a claim and cannot be there with it.
    fn there(&self, claim: &Claim, place: &Path, file: Option<(u64, u64)>) -> Option<&Entry> {
        let entry = self.entry(place, file)?;
        let is_fine = match (entry.role, claim.role) {
            (old, new) if old.is_read() && new.is_read() => true,
            (old, new) if old == new => entry.owner == claim.owner,
            (old, new) => is_reading_back(old, new),
        };
        (!is_fine).then_some(entry)
    }

    fn entry(&self, place: &Path, file: Option<(u64, u64)>) -> Option<&Entry> {
        let by_file = || {
            let other = self.places.get(&file?)?;
            // A file may have gone since, and left its inode to another one.
            (file_id(other) == file).then(|| self.by_place.get(other))?
        };
        self.by_place.get(place).or_else(by_file)
    }

    fn insert(&mut self, claim: &Claim, place: PathBuf, file: Option<(u64, u64)>) {
        if let Some(file) = file {
            self.places.insert(file, place.clone());
        }
        let entry = Entry {
            role: claim.role,
            owner: claim.owner,
            name: claim.name.clone(),
            is_folder: claim.is_folder,
        };
        self.keep(place, entry);
    }

    /// Keeps an entry, unless one that allows less is there.
    fn keep(&mut self, place: PathBuf, entry: Entry) {
        let stays = self.by_place.get(&place).is_some_and(|old| {
            entry.role == Role::Embeddings || (entry.role.is_read() && old.role != Role::Embeddings)
        });
        if !stays {
            self.by_place.insert(place, entry);
        }
    }
}

/// Whether one reads what the other writes. What is read back is in memory, and replaced only if the
/// script says `overwrite`.
fn is_reading_back(old: Role, new: Role) -> bool {
    let roles = [old, new];
    roles.contains(&Role::Embeddings) && roles.contains(&Role::Output)
}

fn problem(claim: &Claim, clash: &Clash<'_>) -> Problem {
    let (Clash::There(entry) | Clash::Around(entry) | Clash::Inside(entry)) = clash;
    let (name, is, other) = (&claim.name, entry.role.describe(), &entry.name);
    let shown = match other == name {
        true => format!("`{name}`"),
        false => format!("`{name}`, which is `{other}`,"),
    };
    let becomes = match entry.role == claim.role {
        true => "would be that of another one, too".to_owned(),
        false => format!("would be {}, too", claim.role.describe()),
    };
    let would_be = claim.role.describe();
    Problem {
        message: match clash {
            Clash::There(_) => format!("{shown} is {is} and {becomes}"),
            Clash::Around(_) => {
                format!(
                    "`{name}` would be {would_be} in `{other}`, which is {is} and holds nothing else"
                )
            }
            Clash::Inside(_) => {
                format!(
                    "`{name}` would be {would_be} and hold nothing else, but `{other}` in it is {is}"
                )
            }
        },
        hint: Some("nothing was overwritten; give one of them another path".to_owned()),
        option: claim.option.map(str::to_owned),
    }
}

/// The device and the inode of what a path leads to, if anything is there.
fn file_id(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests;
