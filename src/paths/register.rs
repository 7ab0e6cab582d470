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
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("in.fa"), ">a\nM\n").unwrap();
        fs::hard_link(folder.path().join("in.fa"), folder.path().join("hard.fa")).unwrap();
        symlink("in.fa", folder.path().join("soft.fa")).unwrap();
        symlink("sub", folder.path().join("way")).unwrap();
        folder
    }

    /// Claims paths one after the other; the last one is refused or not.
    fn check(claims: &[(Role, &str)], expect: Option<&str>) {
        let folder = folder();
        let mut register = Register::default();
        let (last, others) = claims.split_last().unwrap();
        let claim =
            |(role, name): &(Role, &str)| Claim::new(*role, &folder.path().join(name)).named(name);
        for other in others {
            register.claim(&[claim(other)]).unwrap();
        }
        let message = register.claim(&[claim(last)]).err().map(|p| p.to_string());
        match (message, expect) {
            (Some(message), Some(expect)) => assert!(message.contains(expect), "{message}"),
            (message, expect) => assert_eq!(message.as_deref(), expect, "{claims:?}"),
        }
    }

    #[test]
    fn what_is_read_is_not_written() {
        use Role::*;
        for name in ["in.fa", "./in.fa", "sub/../in.fa", "way/../in.fa"] {
            check(&[(Input, "in.fa"), (Metrics, name)], Some("an input"));
        }
        for name in ["hard.fa", "soft.fa"] {
            let expect = format!("`{name}`, which is `in.fa`, is an input and would be an output");
            check(&[(Input, "in.fa"), (Output, name)], Some(&expect));
            check(&[(Output, name), (Input, "in.fa")], Some("an output"));
        }
        check(&[(Script, "in.fa"), (Report, "in.fa")], Some("the script"));
        check(&[(Input, "in.fa"), (Module, "in.fa")], None);
        check(&[(ModelFile, "in.fa"), (Plot, "in.fa")], Some("a model"));
    }

    #[test]
    fn two_parts_do_not_write_one_file() {
        use Role::*;
        let both = [(Report, "new.html"), (Trace, "sub/../new.html")];
        check(
            &both,
            Some("is the report and would be the file of `trace`"),
        );
        check(&[(Report, "way/new"), (Trace, "sub/new")], Some("report"));
        check(&[(Report, "new.html"), (Report, "new.html")], None);
        check(&[(Output, "new"), (Output, "new")], None);
        check(&[(Output, "sub/new"), (Output, "new")], None);
    }

    #[test]
    fn outputs_are_read_back() {
        use Role::*;
        check(&[(Output, "new"), (Embeddings, "new")], None);
        check(&[(Embeddings, "new"), (Output, "new")], None);
        check(&[(Embeddings, "new"), (Report, "new")], Some("embeddings"));
        let back = [(Output, "new"), (Embeddings, "new"), (Report, "new")];
        check(&back, Some("an output"));
        let input = [(Embeddings, "in.fa"), (Input, "in.fa"), (Output, "in.fa")];
        check(&input, Some("an input"));
    }

    #[test]
    fn folders_of_outputs_hold_nothing_else() {
        use Role::*;
        let folder = folder();
        let claim = |role: Role, name: &str| {
            let claim = Claim::new(role, &folder.path().join(name)).named(name);
            match name.ends_with('/') {
                true => claim.with_contents(),
                false => claim,
            }
        };
        let check = |first: (Role, &str), second: (Role, &str), expect: Option<&str>| {
            let mut register = Register::default();
            register.claim(&[claim(first.0, first.1)]).unwrap();
            let refused = register.claim(&[claim(second.0, second.1)]);
            let message = refused.err().map(|problems| problems.to_string());
            match (&message, expect) {
                (Some(message), Some(expect)) => assert!(message.contains(expect), "{message}"),
                _ => assert_eq!(message.as_deref(), expect, "{first:?} {second:?}"),
            }
        };
        let around =
            "`new/a.html` would be the report in `new/`, which is an output and holds nothing else";
        check((Output, "new/"), (Report, "new/a.html"), Some(around));
        let inside =
            "`new/` would be an output and hold nothing else, but `new/a.html` in it is the report";
        check((Report, "new/a.html"), (Output, "new/"), Some(inside));
        check(
            (Output, "new/"),
            (Output, "new/a/b.parquet"),
            Some("which is an output"),
        );
        check(
            (Output, "new/a/"),
            (Output, "new/"),
            Some("in it is an output"),
        );
        check(
            (Output, "sub/"),
            (Trace, "way/a"),
            Some("`trace` in `sub/`"),
        );
        check(
            (Parts, "new.ledger/"),
            (Metrics, "new.ledger/a"),
            Some("that is being made"),
        );
        check(
            (Output, "new/"),
            (Input, "new/a.fa"),
            Some("would be an input in"),
        );
        check((Output, "new/"), (Output, "new"), None);
        check(
            (Output, "new/"),
            (Report, "new"),
            Some("`new`, which is `new/`, is an output"),
        );
        check((Output, "new/"), (Embeddings, "new/a.parquet"), None);
        check((Output, "new/"), (Report, "new.html"), None);
        check((Report, "new-er/a"), (Output, "new/"), None);
        check((Report, "neW"), (Output, "new/"), None);
        check((Input, "in.fa"), (Output, "new/"), None);
    }

    #[test]
    fn claims_are_made_together_or_not_at_all() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        let mut register = Register::default();
        let both = [
            Claim::new(Role::Input, &at("new")),
            Claim::new(Role::Output, &at("sub/../new")).by_option("output"),
        ];
        let problems = register.claim(&both).unwrap_err();
        assert_eq!(problems.0[0].option.as_deref(), Some("output"));
        register.claim(&both[1..]).unwrap();
        let problems = register.check(&both[..1]).unwrap_err().to_string();
        assert!(problems.contains("is an output"), "{problems}");
    }

    #[test]
    fn tables_of_two_sweeps_are_two() {
        let mut register = Register::default();
        let claim = |owner| Claim::new(Role::SavedTable, Path::new("no/such.csv")).of(owner);
        register.claim(&[claim(1)]).unwrap();
        register.claim(&[claim(1)]).unwrap();
        let problems = register.claim(&[claim(2)]).unwrap_err().to_string();
        assert!(
            problems.contains("would be that of another one"),
            "{problems}"
        );
    }

    #[test]
    fn an_inode_may_have_a_new_owner() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        let mut register = Register::default();
        let file = file_id(&at("in.fa")).unwrap();
        register
            .claim(&[Claim::new(Role::Input, &at("in.fa"))])
            .unwrap();
        fs::rename(at("hard.fa"), at("other")).unwrap();
        fs::remove_file(at("in.fa")).unwrap();
        assert_eq!(file_id(&at("other")), Some(file));
        register
            .claim(&[Claim::new(Role::Output, &at("other"))])
            .unwrap();
    }
}
