//! What the datasets of a file are called.

use crate::job::Keys;
use sha2::{Digest as _, Sha256};
use std::{borrow::Cow, collections::HashSet, fmt::Write as _};

/// Stands for what cannot be in a name, and for a name that cannot be.
const STAND_IN: &str = "_";

/// The datasets of a file: what they are called, and which sequences they are of.
pub(super) struct KeyList {
    ids: Texts,
    /// Whether names are the accessions in ids.
    are_accessions: bool,
    hashes: Option<Hashes>,
}

/// Names that are hashes of sequences.
#[derive(Default)]
struct Hashes {
    seen: HashSet<[u8; 32]>,
    names: Texts,
}

/// Texts without a gap between them: a million take little more room than their letters.
#[derive(Default)]
struct Texts {
    letters: String,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.letters.push_str(text);
        self.ends.push(self.letters.len());
    }

    fn get(&self, n: usize) -> &str {
        let start = n.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.letters[start..self.ends[n]]
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|n| self.get(n))
    }
}

impl KeyList {
    /// No dataset yet.
    pub(super) fn new(keys: Keys) -> Self {
        Self {
            ids: Texts::default(),
            are_accessions: keys == Keys::Accession,
            hashes: (keys == Keys::Hash).then(Hashes::default),
        }
    }

    /// Whether names are hashes of sequences.
    pub(super) fn are_hashes(&self) -> bool {
        self.hashes.is_some()
    }

    /// Takes the next sequence, and says whether it gets a dataset: under their hash, equal sequences have one.
    pub(super) fn add(&mut self, id: &str, sequence: &str) -> bool {
        if let Some(hashes) = &mut self.hashes {
            let hash = hash(sequence);
            if !hashes.seen.insert(hash) {
                return false;
            }
            let mut name = String::with_capacity(2 * hash.len());
            for byte in hash {
                let _ = write!(name, "{byte:02x}");
            }
            hashes.names.push(&name);
        }
        self.ids.push(id);
        true
    }

    /// The ids of all datasets.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter()
    }

    /// All names in the order of their bytes, each with the number of its dataset.
    pub(super) fn names(&self) -> Vec<(Cow<'_, str>, usize)> {
        match &self.hashes {
            Some(hashes) => sorted(hashes.names.iter().map(Cow::Borrowed).zip(0..)),
            None if self.are_accessions => names_of_ids(self.ids.iter().map(accession)),
            None => names_of_ids(self.ids.iter()),
        }
    }
}

/// The accession in an id of UniProt, such as `P06582` in `sp|P06582|HSP12_CAEEL`, else the id.
fn accession(id: &str) -> &str {
    let mut parts = id.split('|');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("sp" | "tr"), Some(accession), Some(_)) if !accession.is_empty() => accession,
        _ => id,
    }
}

/// The hash by which biotrainer looks sequences up.
fn hash(sequence: &str) -> [u8; 32] {
    let n_letters = sequence.chars().count();
    Sha256::digest(format!("{sequence}_{n_letters}")).into()
}

fn sorted<'a>(names: impl Iterator<Item = (Cow<'a, str>, usize)>) -> Vec<(Cow<'a, str>, usize)> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

/// Names that differ: an id is its own name, unless it cannot be one, or was there before. Then it is changed, and
/// gets a number that makes it another one than all ids.
fn names_of_ids<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<(Cow<'a, str>, usize)> {
    let wanted = ids.map(possible).zip(0..);
    let mut names: Vec<_> = wanted.collect();
    // Who has the name by right stands before those whose ids were changed, and else who came first.
    names.sort_unstable_by(|(a, n_a), (b, n_b)| {
        let is_changed = |name: &Cow<'_, str>| matches!(name, Cow::Owned(_));
        (a, is_changed(a), n_a).cmp(&(b, is_changed(b), n_b))
    });
    let is_again = |n: usize| n > 0 && names[n].0 == names[n - 1].0;
    let mut renamed = Vec::new();
    let mut taken = HashSet::new();
    let mut number = 1;
    for n in 0..names.len() {
        if !is_again(n) {
            number = 1;
            continue;
        }
        let name = loop {
            number += 1;
            let name = format!("{}{STAND_IN}{number}", names[n].0);
            let is_there = names.binary_search_by(|(other, _)| other.as_ref().cmp(&name));
            if is_there.is_err() && taken.insert(name.clone()) {
                break name;
            }
        };
        renamed.push((n, name));
    }
    if renamed.is_empty() {
        return names;
    }
    for (n, name) in renamed {
        names[n].0 = Cow::Owned(name);
    }
    sorted(names.into_iter())
}

/// An id, or what is most like it and can be the name of a link.
fn possible(id: &str) -> Cow<'_, str> {
    const NOT_IN_NAMES: [char; 2] = ['/', '\0'];
    match id {
        // HDF5 knows no empty name, and `.` is the group itself.
        "" | "." => Cow::Owned(STAND_IN.to_owned()),
        _ if id.contains(NOT_IN_NAMES) => Cow::Owned(id.replace(NOT_IN_NAMES, STAND_IN)),
        _ => Cow::Borrowed(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &KeyList) -> Vec<(String, &str)> {
        let ids: Vec<_> = list.ids().collect();
        let names = list.names().into_iter();
        names.map(|(name, n)| (name.into_owned(), ids[n])).collect()
    }

    fn of_ids(ids: &[&'static str]) -> Vec<(String, &'static str)> {
        let mut list = KeyList::new(Keys::Id);
        assert!(ids.iter().all(|id| list.add(id, "MK")));
        let order = list.names().into_iter();
        order.map(|(name, n)| (name.into_owned(), ids[n])).collect()
    }

    #[test]
    fn ids_are_names_where_they_can_be() {
        let check = |ids: &[&'static str], expected: &[(&str, &str)]| {
            let found = of_ids(ids);
            let found: Vec<_> = found
                .iter()
                .map(|(name, id)| (name.as_str(), *id))
                .collect();
            assert_eq!(found, expected);
            let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
            assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        };
        check(&[], &[]);
        check(&["b", "a", "é"], &[("a", "a"), ("b", "b"), ("é", "é")]);
        check(
            &["sp/P1", "..", ".", ""],
            &[("..", ".."), ("_", "."), ("__2", ""), ("sp_P1", "sp/P1")],
        );
        // Nobody loses a name to an id that was changed or came again.
        check(
            &["a/b", "a_b", "a_b", "a_b_2"],
            &[
                ("a_b", "a_b"),
                ("a_b_2", "a_b_2"),
                ("a_b_3", "a_b"),
                ("a_b_4", "a/b"),
            ],
        );
        // A name that two are given in the end.
        check(
            &["x", "x", "x/2", "x_2"],
            &[("x", "x"), ("x_2", "x_2"), ("x_2_2", "x/2"), ("x_3", "x")],
        );
    }

    #[test]
    fn ids_of_uniprot_have_accessions() {
        let check = |id: &str, expect: &str| assert_eq!(accession(id), expect);
        check("sp|P06582|HSP12_CAEEL", "P06582");
        check("tr|A0A024R1R8|A0A024R1R8_HUMAN", "A0A024R1R8");
        check("sp||X", "sp||X");
        check("sp|P06582", "sp|P06582");
        check("gi|1|x", "gi|1|x");
        check("UniRef50_P06582", "UniRef50_P06582");
        let mut list = KeyList::new(Keys::Accession);
        let ids = ["sp|B|X", "A", "tr|A|Y"];
        assert!(ids.iter().all(|id| list.add(id, "MK")));
        let found = list
            .names()
            .into_iter()
            .map(|(name, n)| (name.into_owned(), ids[n]));
        let expect = [("A", "A"), ("A_2", "tr|A|Y"), ("B", "sp|B|X")];
        assert_eq!(
            found.collect::<Vec<_>>(),
            expect.map(|(name, id)| (name.to_owned(), id))
        );
    }

    #[test]
    fn many_records_of_one_id_have_many_names() {
        let found = of_ids(&["a"; 1000]);
        assert_eq!(found.len(), 1000);
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn equal_sequences_share_the_hash_that_biotrainer_knows() {
        let mut list = KeyList::new(Keys::Hash);
        let added = [("p", "MKT"), ("q", "MKT"), ("r", "")].map(|(id, of)| list.add(id, of));
        assert_eq!(added, [true, false, true]);
        // Of Python: hashlib.sha256(b"_0").hexdigest(), and of b"MKT_3".
        let expected = [
            (
                "0a29b69cd680cf7a3dfc9dd9f752702cbcb877fd2d8e242fe9a5f3ff2d9c992e",
                "r",
            ),
            (
                "885f21ab182dd8792f0445e12a7ff564bb97d3d72e66e88dd995539dfe49a219",
                "p",
            ),
        ];
        let found = names(&list);
        assert_eq!(found.len(), expected.len());
        for ((name, id), (expected, of)) in found.iter().zip(expected) {
            assert_eq!((name.as_str(), *id), (expected, of));
        }
    }
}
