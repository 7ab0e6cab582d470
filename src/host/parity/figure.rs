//! What is compared of the answers of a model's heads: a row a figure.

use crate::{
    alphabet::{MASK_RESIDUE, N_SPECIAL_TOKENS, VOCABULARY_SIZE, token_id},
    fasta::Record,
    job::{Content, Positions},
    score::{AMINO_ACIDS, spearman},
};

/// What is compared of the answers of a head.
pub(super) struct Figure {
    /// What it is called, in tables and in JSON.
    pub(super) name: &'static str,
    /// What its numbers are of, for people.
    pub(super) numbers_of: &'static str,
    /// What the model is asked of each sequence.
    pub(super) content: Content,
    /// The sequences that it is asked about, as few as memory and time allow.
    pub(super) asked: fn(&[Record]) -> Vec<Asked>,
    /// The numbers that are compared of an answer.
    pub(super) numbers: fn(&Asked, &[f32]) -> Vec<f64>,
    /// What a number of this place is of, for people.
    pub(super) place: fn(&Asked, usize) -> String,
    /// What is said of them beside their differences.
    pub(super) measure: Option<Measure>,
}

/// How well answers agree, as a number of at most 1, which it is for equal ones.
#[derive(Clone, Copy)]
pub(super) struct Measure {
    /// What it is called, in tables and in JSON.
    pub(super) name: &'static str,
    /// It, of all sequences with what was answered and what should have been. Nothing, if there is too little.
    pub(super) of: fn(&[Pair<'_>]) -> Option<f64>,
}

/// A sequence that a model is asked about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) record: Record,
    /// Which of the proteins it is of.
    pub(super) protein: usize,
    /// Its only mask, if it is a copy with one.
    pub(super) masked: Option<Masked>,
}

/// A masked site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Masked {
    /// The site, from 0.
    pub(super) site: usize,
    /// The residue that the mask hides, an amino acid.
    pub(super) residue: u8,
}

/// A sequence, what was answered, and what should have been.
pub(super) struct Pair<'a> {
    pub(super) asked: &'a Asked,
    pub(super) got: &'a [f32],
    pub(super) want: &'a [f32],
}

/// All figures, by their names.
pub(super) const FIGURES: &[Figure] = &[
    Figure {
        name: "contacts",
        numbers_of: "pairs",
        content: Content::Contacts,
        asked: some_pairs,
        numbers: pairs,
        place: pair,
        measure: None,
    },
    Figure {
        name: "logits",
        numbers_of: "logits",
        content: Content::Logits {
            positions: Positions::Residues,
        },
        asked: all,
        numbers: |_, answer| answer.iter().map(|&logit| f64::from(logit)).collect(),
        place: |_, number| format!("residue {}", number / VOCABULARY_SIZE + 1),
        measure: Some(Measure {
            name: "same_residue",
            of: same_residue,
        }),
    },
    Figure {
        name: "scores",
        numbers_of: "mutants",
        content: Content::Logits {
            positions: Positions::Masks,
        },
        asked: masked_copies,
        numbers: scores,
        place: mutant,
        measure: Some(Measure {
            name: "spearman",
            of: least_spearman,
        }),
    },
];

/// Pairs of residues whose contacts are in main memory at most, twice, in four bytes each.
const MOST_PAIRS: usize = 8 << 20;

/// Tokens of masked copies: those of a few short proteins.
const MOST_COPIED_TOKENS: usize = 8192;

fn all(records: &[Record]) -> Vec<Asked> {
    let asked = |(protein, record): (usize, &Record)| Asked {
        record: record.clone(),
        protein,
        masked: None,
    };
    records.iter().enumerate().map(asked).collect()
}

/// The first proteins whose pairs there is room for.
fn some_pairs(records: &[Record]) -> Vec<Asked> {
    let mut room = MOST_PAIRS;
    let mut asked = all(records);
    asked.retain(|asked| {
        let n_pairs = asked.record.sequence.len().pow(2);
        let fits = (2..=room).contains(&n_pairs);
        if fits {
            room -= n_pairs;
        }
        fits
    });
    asked
}

/// Copies of the shortest proteins in which one site each is masked, as many as are worth their time.
fn masked_copies(records: &[Record]) -> Vec<Asked> {
    let mut shortest: Vec<_> = records.iter().enumerate().collect();
    shortest.retain(|(_, record)| !record.sequence.contains(&MASK_RESIDUE));
    shortest.sort_by_key(|(_, record)| record.sequence.len());
    let copies = shortest.into_iter().flat_map(|(protein, record)| {
        let sites = record.sequence.iter().enumerate();
        let sites = sites.filter(|(_, residue)| AMINO_ACIDS.contains(residue));
        sites.map(move |(site, &residue)| {
            let mut record = record.clone();
            record.sequence[site] = MASK_RESIDUE;
            Asked {
                record,
                protein,
                masked: Some(Masked { site, residue }),
            }
        })
    });
    let mut n_tokens = 0;
    let fits = |asked: &Asked| {
        n_tokens += asked.record.sequence.len() + N_SPECIAL_TOKENS;
        n_tokens <= MOST_COPIED_TOKENS
    };
    copies.take_while(fits).collect()
}

/// Each pair of residues once, by their places from 0.
fn each_pair(asked: &Asked) -> impl Iterator<Item = (usize, usize)> {
    let length = asked.record.sequence.len();
    (0..length).flat_map(move |first| (first + 1..length).map(move |second| (first, second)))
}

fn pairs(asked: &Asked, answer: &[f32]) -> Vec<f64> {
    let length = asked.record.sequence.len();
    let pairs = each_pair(asked);
    pairs
        .map(|(first, second)| f64::from(answer[first * length + second]))
        .collect()
}

fn pair(asked: &Asked, number: usize) -> String {
    let pair = each_pair(asked).nth(number);
    let (first, second) = pair.expect("there is a number for each");
    format!("residues {} and {}", first + 1, second + 1)
}

/// The amino acids that can take the place of the masked one.
fn mutants(masked: Masked) -> impl Iterator<Item = u8> {
    let amino_acids = AMINO_ACIDS.iter().copied();
    amino_acids.filter(move |&to| to != masked.residue)
}

fn masked(asked: &Asked) -> Masked {
    asked.masked.expect("all of these copies have a mask")
}

/// The masked marginals of the mutants at the masked site: what softmax takes off cancels out.
fn scores(asked: &Asked, answer: &[f32]) -> Vec<f64> {
    let masked = masked(asked);
    let logit = |residue| f64::from(answer[token_id(residue) as usize]);
    let wild_type = logit(masked.residue);
    mutants(masked).map(|to| logit(to) - wild_type).collect()
}

fn mutant(asked: &Asked, number: usize) -> String {
    let masked = masked(asked);
    let to = mutants(masked).nth(number);
    let to = to.expect("there is a number for each");
    let (from, to) = (char::from(masked.residue), char::from(to));
    format!("{from}{}{to}", masked.site + 1)
}

/// The share of positions at which the same token is the most probable one.
fn same_residue(pairs: &[Pair<'_>]) -> Option<f64> {
    let most_probable = |logits: &[f32]| {
        let tokens = 0..logits.len();
        tokens.max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
    };
    let positions = pairs.iter().flat_map(|pair| {
        let got = pair.got.chunks_exact(VOCABULARY_SIZE);
        got.zip(pair.want.chunks_exact(VOCABULARY_SIZE))
    });
    let (mut n_same, mut n_positions) = (0_usize, 0_usize);
    for (got, want) in positions {
        n_same += usize::from(most_probable(got) == most_probable(want));
        n_positions += 1;
    }
    (n_positions > 0).then(|| n_same as f64 / n_positions as f64)
}

/// Spearman's rank correlation of the scores of a protein's mutants, the least of all proteins.
fn least_spearman(pairs: &[Pair<'_>]) -> Option<f64> {
    let proteins = pairs.chunk_by(|a, b| a.asked.protein == b.asked.protein);
    let correlations = proteins.filter_map(|copies| {
        let scores = copies.iter().flat_map(|pair| {
            let got = scores(pair.asked, pair.got);
            got.into_iter().zip(scores(pair.asked, pair.want))
        });
        spearman(&scores.collect::<Vec<_>>())
    });
    correlations.min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, sequence: &[u8]) -> Record {
        Record {
            id: id.to_owned(),
            description: String::new(),
            length: sequence.len() as u32,
            sequence: sequence.to_vec(),
            piece: None,
        }
    }

    fn figure(name: &str) -> &'static Figure {
        FIGURES.iter().find(|figure| figure.name == name).unwrap()
    }

    #[test]
    fn sites_of_amino_acids_are_masked_in_the_shortest_proteins_first() {
        let long = [b'A'; 200];
        let masked = [b'M', MASK_RESIDUE];
        let records = [&long[..], b"MXK", &masked, b"W"].map(|sequence| record("p", sequence));
        let asked = masked_copies(&records);
        let copies = asked.iter().take(4);
        let copies = copies.map(|asked| (asked.protein, asked.masked.unwrap().site));
        assert_eq!(copies.collect::<Vec<_>>(), [(3, 0), (1, 0), (1, 2), (0, 0)]);
        assert_eq!(asked[2].record.sequence, [b'M', b'X', MASK_RESIDUE]);
        assert_eq!(asked[2].masked.unwrap().residue, b'K');
        let tokens = asked.iter().map(|asked| asked.record.sequence.len() + 2);
        let tokens: usize = tokens.sum();
        assert!(
            tokens <= MOST_COPIED_TOKENS && tokens + 202 > MOST_COPIED_TOKENS,
            "{tokens}"
        );
    }

    #[test]
    fn pairs_are_those_that_there_is_room_for() {
        let lengths = [1, 2000, 2, 2000, 1000, 3];
        let records = lengths.map(|length| record("p", &vec![b'A'; length]));
        let proteins: Vec<_> = some_pairs(&records)
            .iter()
            .map(|asked| asked.protein)
            .collect();
        assert_eq!(proteins, [1, 2, 3, 5], "neither one alone nor one too many");
    }

    #[test]
    fn numbers_have_places() {
        let asked = &all(&[record("p", b"MKT")])[0];
        let contacts = figure("contacts");
        let answer: Vec<f32> = (0..9_u8).map(f32::from).collect();
        assert_eq!((contacts.numbers)(asked, &answer), [1.0, 2.0, 5.0]);
        assert_eq!((contacts.place)(asked, 2), "residues 2 and 3");
        assert_eq!((figure("logits").place)(asked, 33), "residue 2");
        let copies = masked_copies(&[record("p", b"AC")]);
        let answer: Vec<f32> = (0..33_u8).map(f32::from).collect();
        let scores = figure("scores");
        let found = (scores.numbers)(&copies[1], &answer);
        assert_eq!(found.len(), 19);
        // A is token 5, C is 23 and D is 13.
        assert_eq!(found[..2], [-18.0, -10.0]);
        assert_eq!((scores.place)(&copies[1], 1), "C2D");
    }

    #[test]
    fn what_is_most_probable_is_compared() {
        let asked = &all(&[record("p", b"MK")])[0];
        let mut want = vec![0.0; 2 * VOCABULARY_SIZE];
        (want[20], want[33 + 15]) = (3.0, 2.0);
        let mut got = want.clone();
        got[33 + 4] = 2.5;
        let pair = Pair {
            asked,
            got: &got,
            want: &want,
        };
        assert_eq!(same_residue(&[pair]), Some(0.5));
        assert_eq!(same_residue(&[]), None);
    }

    #[test]
    fn the_worst_ranked_protein_counts() {
        let copies = masked_copies(&[record("p", b"A"), record("q", b"C")]);
        let want: Vec<f32> = (0..33_u8).map(f32::from).collect();
        let turned: Vec<f32> = want.iter().map(|logit| -logit).collect();
        let pairs = [&want, &turned];
        let pairs = copies.iter().zip(pairs);
        let pairs = pairs.map(|(asked, got)| Pair {
            asked,
            got,
            want: &want,
        });
        let pairs: Vec<_> = pairs.collect();
        assert_eq!(least_spearman(&pairs[..1]), Some(1.0));
        assert_eq!(least_spearman(&pairs), Some(-1.0));
    }
}
