//! The mutants of a protein that somebody asks for.

use super::{
    ScoreError,
    mutant_list::MutantList,
    mutation::{AMINO_ACIDS, Mutation},
};
use crate::cancel::CancelToken;

/// The mutants of a protein that somebody asks for.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// None: the protein itself.
    Nothing,
    /// Those of a table.
    Listed(&'a MutantList),
    /// All with one mutation, of these residues: each amino acid replaced by each other one. Sites with something else
    /// have none. They are made as they are looked at: of a long protein they are many.
    AllSingle(&'a [u8]),
}

impl Asked<'_> {
    /// How many there are.
    pub(super) fn len(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Listed(list) => list.len() as u64,
            Self::AllSingle(sequence) => {
                let sites = sequence.iter();
                let n_sites = sites
                    .filter(|residue| AMINO_ACIDS.contains(residue))
                    .count();
                n_sites as u64 * (AMINO_ACIDS.len() as u64 - 1)
            }
        }
    }

    /// Does something with the mutations of each.
    ///
    /// # Errors
    /// That of `each`, or somebody tells to stop.
    pub(super) fn try_each(
        self,
        cancel: &CancelToken,
        mut each: impl FnMut(&[Mutation]) -> Result<(), ScoreError>,
    ) -> Result<(), ScoreError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Listed(list) => list.iter().try_for_each(|mutations| {
                ScoreError::unless_stopped(cancel)?;
                each(mutations)
            }),
            Self::AllSingle(sequence) => (0..).zip(sequence).try_for_each(|(site, &from)| {
                ScoreError::unless_stopped(cancel)?;
                single_of(site, from).try_for_each(|mutation| each(&[mutation]))
            }),
        }
    }
}

/// The mutations of a site with this residue: each other amino acid, or nothing where it holds none.
pub(super) fn single_of(site: u32, from: u8) -> impl Iterator<Item = Mutation> {
    let is_known = AMINO_ACIDS.contains(&from);
    let others = AMINO_ACIDS
        .iter()
        .filter(move |to| is_known && **to != from);
    others.map(move |&to| Mutation { site, to })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::StopReason;

    #[test]
    fn every_site_has_nineteen_mutants() {
        let all = Asked::AllSingle(b"MXK");
        let mut found = Vec::new();
        let looked_at = all.try_each(&CancelToken::default(), |mutations| {
            found.push(mutations.to_vec());
            Ok(())
        });
        looked_at.unwrap();
        assert_eq!((found.len(), all.len()), (38, 38));
        assert!(found.iter().all(|mutant| mutant.len() == 1));
        assert_eq!(found[0], [Mutation { site: 0, to: b'A' }]);
        assert_eq!(found[37], [Mutation { site: 2, to: b'Y' }]);
        let is_silent = |mutant: &Vec<Mutation>| {
            let Mutation { site, to } = mutant[0];
            b"MXK"[site as usize] == to
        };
        assert!(!found.iter().any(is_silent));
    }

    #[test]
    fn whoever_is_told_to_stop_makes_no_more() {
        let mut list = MutantList::new();
        list.number(&[]);
        for asked in [Asked::AllSingle(b"MXK"), Asked::Listed(&list)] {
            let cancel = CancelToken::default();
            cancel.cancel(StopReason::Terminated);
            let looked_at = asked.try_each(&cancel, |_| panic!("told to stop"));
            assert!(matches!(looked_at, Err(ScoreError::Stopped(_))));
        }
    }
}
