//! Mutants, each once, in the order in which they came.

use super::mutation::Mutation;
use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, RandomState},
};

/// Mutants, each once, in the order in which they came. Their mutations lie in one piece, so that millions of them take
/// little memory, and are gone at once.
pub(super) struct MutantList {
    mutations: Vec<Mutation>,
    /// Where the mutations of each mutant end.
    ends: Vec<usize>,
    /// The numbers of mutants by a hash, and by how many others have it, too.
    numbers: HashMap<(u64, u32), usize>,
    hasher: RandomState,
}

impl MutantList {
    /// No mutants yet.
    pub(super) fn new() -> Self {
        Self {
            mutations: Vec::new(),
            ends: Vec::new(),
            numbers: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// The number of the mutant with these mutations, which is added if it is not there.
    pub(super) fn number(&mut self, mutations: &[Mutation]) -> usize {
        let next = self.len();
        let hash = self.hasher.hash_one(mutations);
        let mut n_alike = 0;
        loop {
            match self.numbers.entry((hash, n_alike)) {
                Entry::Occupied(place) => {
                    let number = *place.get();
                    if of(&self.mutations, &self.ends, number) == mutations {
                        return number;
                    }
                    n_alike += 1;
                }
                Entry::Vacant(place) => {
                    place.insert(next);
                    self.mutations.extend_from_slice(mutations);
                    self.ends.push(self.mutations.len());
                    return next;
                }
            }
        }
    }

    /// The mutations of a mutant, by its number.
    pub(super) fn get(&self, number: usize) -> &[Mutation] {
        of(&self.mutations, &self.ends, number)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The mutations of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[Mutation]> {
        (0..self.len()).map(|number| self.get(number))
    }
}

/// The mutations of a mutant, by its number.
fn of<'a>(mutations: &'a [Mutation], ends: &[usize], number: usize) -> &'a [Mutation] {
    let start = match number {
        0 => 0,
        number => ends[number - 1],
    };
    &mutations[start..ends[number]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_is_there_once() {
        let mutation = |site, to| Mutation { site, to };
        let mutants = [
            vec![mutation(1, b'A')],
            Vec::new(),
            vec![mutation(1, b'A'), mutation(2, b'C')],
            vec![mutation(2, b'C')],
        ];
        let mut list = MutantList::new();
        for _ in 0..2 {
            let numbers = mutants.iter().map(|mutant| list.number(mutant));
            let numbers: Vec<_> = numbers.collect();
            assert_eq!(numbers, [0, 1, 2, 3]);
        }
        assert_eq!(list.len(), 4);
        assert!(list.iter().eq(mutants.iter().map(Vec::as_slice)));
    }
}
