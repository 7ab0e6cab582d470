//! Which path has which role.

use super::Role;
use crate::{
    file::destination,
    job::{Problem, Problems},
};
use std::{
    collections::HashMap,
    fs,
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
    by_place: HashMap<PathBuf, Entry>,
    places: HashMap<(u64, u64), PathBuf>,
}

#[derive(Debug)]
struct Entry {
    role: Role,
    owner: usize,
    name: String,
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
                .map(|entry| problem(claim, entry));
            match found {
                Some(problem) => problems.0.push(problem),
                None => taken.insert(claim, place, file),
            }
        }
        problems.none_or(taken)
    }

    fn clash(&self, claim: &Claim, place: &Path, file: Option<(u64, u64)>) -> Option<&Entry> {
        let entry = self.entry(place, file)?;
        let is_fine = match (entry.role, claim.role) {
            (old, new) if old.is_read() && new.is_read() => true,
            (old, new) if old == new => entry.owner == claim.owner,
            // What is read back is in memory, and replaced only if the script says `overwrite`.
            (Role::Embeddings, Role::Output) | (Role::Output, Role::Embeddings) => true,
            _ => false,
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

fn problem(claim: &Claim, entry: &Entry) -> Problem {
    let (name, is, other) = (&claim.name, entry.role.describe(), &entry.name);
    let shown = match other == name {
        true => format!("`{name}`"),
        false => format!("`{name}`, which is `{other}`,"),
    };
    let becomes = match entry.role == claim.role {
        true => "would be that of another one, too".to_owned(),
        false => format!("would be {}, too", claim.role.describe()),
    };
    Problem {
        message: format!("{shown} is {is} and {becomes}"),
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
