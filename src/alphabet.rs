//! The 33 tokens of ESM-2, which are the same for every published size of the model.

use crate::hint::Hint;

/// How many tokens there are: rows of the token embedding.
pub const VOCABULARY_SIZE: usize = TOKENS.len();

/// Every token, at the index that is its id.
pub const TOKENS: [&str; 33] = [
    "<cls>", "<pad>", "<eos>", "<unk>", "L", "A", "G", "V", "S", "E", "R", "T", "I", "D", "P", "K",
    "Q", "N", "F", "Y", "M", "H", "W", "C", "X", "B", "U", "Z", "O", ".", "-", "<null_1>",
    "<mask>",
];

/// The token before the first residue, also known as BOS.
pub const CLS: i32 = 0;
/// Padding. Packed batches have none; some models need to know it.
pub const PAD: i32 = 1;
/// The token after the last residue.
pub const EOS: i32 = 2;
/// Any character outside the alphabet.
pub const UNK: i32 = 3;
/// A masked residue. ESM-2 was trained on it, so its embedding is scaled by how many there are.
pub const MASK: i32 = 32;

/// What `<mask>` is called in text, as the tokenisers of transformers and fair-esm read it: in lower case.
pub const MASK_TEXT: &str = TOKENS[MASK as usize];
/// What stands for a `<mask>` in a sequence of bytes, which has one for each residue: no UTF-8 has it, and no reader
/// keeps what is no UTF-8.
pub const MASK_RESIDUE: u8 = 0xff;

/// Special tokens of every sequence: BOS and EOS, which frame it.
pub const N_SPECIAL_TOKENS: usize = 2;

/// Tokens of the shortest sequence that there is: a residue between BOS and EOS.
pub const SHORTEST_SEQUENCE: usize = N_SPECIAL_TOKENS + 1;

/// The characters that ESM-2 has tokens for, in the order of their ids. `*` is not among them, and all
/// letters are in upper case.
pub const RESIDUES: [u8; N_RESIDUES] = residues();

const N_RESIDUES: usize = {
    let (mut n, mut id) = (0, 0);
    while id < TOKENS.len() {
        n += (TOKENS[id].len() == 1) as usize;
        id += 1;
    }
    n
};

/// The token id of each byte.
static TOKEN_IDS: [i32; 256] = token_ids();

/// The token id of a residue, that of [`UNK`] for a byte outside the alphabet.
pub fn token_id(residue: u8) -> i32 {
    TOKEN_IDS[usize::from(residue)]
}

/// Appends the token ids of `sequence` to `input_ids`, between BOS and EOS.
///
/// Lower-case letters are outside the alphabet: records reach this point in upper case.
///
/// # Examples
/// ```
/// let mut input_ids = Vec::new();
/// runner::alphabet::encode(b"MK*", &mut input_ids);
/// assert_eq!(input_ids, [0, 20, 15, 3, 2]);
/// ```
pub fn encode(sequence: &[u8], input_ids: &mut Vec<i32>) {
    input_ids.reserve(sequence.len() + N_SPECIAL_TOKENS);
    input_ids.push(CLS);
    input_ids.extend(sequence.iter().map(|&residue| token_id(residue)));
    input_ids.push(EOS);
}

/// A sequence as text that can be read again: a `<mask>` is six characters there.
///
/// # Examples
/// ```
/// use runner::alphabet::{MASK_RESIDUE, text};
/// assert_eq!(text(&[b'M', MASK_RESIDUE, b'K']), "M<mask>K");
/// ```
pub fn text(sequence: &[u8]) -> String {
    let mut text = String::with_capacity(sequence.len());
    for &residue in sequence {
        match residue {
            MASK_RESIDUE => text.push_str(MASK_TEXT),
            residue => text.push(char::from(residue)),
        }
    }
    text
}

/// Compares the text of a model's `vocab.txt`, one token a line, with [`TOKENS`].
///
/// # Errors
/// The first token that differs, is missing or is one too many.
pub fn check_vocabulary(text: &str) -> Result<(), VocabularyError> {
    let mut found = text.lines().map(str::trim_end);
    let mut expected = TOKENS.into_iter();
    let mut token_id = 0;
    loop {
        match (found.next(), expected.next()) {
            (None, None) => return Ok(()),
            (found, expected) if found == expected => token_id += 1,
            (found, expected) => {
                return Err(VocabularyError {
                    token_id,
                    found: found.map(str::to_owned),
                    expected,
                });
            }
        }
    }
}

/// A `vocab.txt` that is not the alphabet of ESM-2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {} of the vocabulary {}, where ESM-2 {}",
    token_id + 1,
    found.as_ref().map_or("is missing".to_owned(), |token| format!("is `{token}`")),
    expected.map_or("has no more tokens".to_owned(), |token| format!("has `{token}`"))
)]
pub struct VocabularyError {
    /// The first token id that differs, from 0.
    pub token_id: usize,
    /// What the file has there, if anything.
    pub found: Option<String>,
    /// What ESM-2 has there, if anything.
    pub expected: Option<&'static str>,
}

impl Hint for VocabularyError {
    fn hint(&self) -> Option<String> {
        Some("use the vocab.txt that came with the ESM-2 weights".to_owned())
    }
}

/// The tokens of one character.
const fn residues() -> [u8; N_RESIDUES] {
    let mut residues = [0; N_RESIDUES];
    let (mut n, mut id) = (0, 0);
    while id < TOKENS.len() {
        if let [byte] = TOKENS[id].as_bytes() {
            residues[n] = *byte;
            n += 1;
        }
        id += 1;
    }
    residues
}

/// Inverts the one-character tokens of [`TOKENS`], and [`MASK_RESIDUE`].
const fn token_ids() -> [i32; 256] {
    let mut ids = [UNK; 256];
    ids[MASK_RESIDUE as usize] = MASK;
    let mut id = 0;
    while id < TOKENS.len() {
        if let [byte] = TOKENS[id].as_bytes() {
            ids[*byte as usize] = id as i32;
        }
        id += 1;
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    #[test]
    fn names_and_ids_agree() {
        let check = |id: i32, token: &str| assert_eq!(TOKENS[id as usize], token);
        check(CLS, "<cls>");
        check(PAD, "<pad>");
        check(EOS, "<eos>");
        check(UNK, "<unk>");
        check(MASK, "<mask>");
        assert_eq!(RESIDUES, *b"LAGVSERTIDPKQNFYMHWCXBUZO.-");
    }

    #[test]
    fn encodes() {
        let check = |sequence: &str, expected: &[i32]| {
            let mut input_ids = vec![77];
            encode(sequence.as_bytes(), &mut input_ids);
            assert_eq!(input_ids[0], 77, "encode must append");
            assert_eq!(input_ids[1..], *expected, "{sequence}");
        };
        check("", &[0, 2]);
        check("LAGVSERTIDPKQNFYMHWC", {
            &[
                0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 2,
            ]
        });
        check("XBUZO.-", &[0, 24, 25, 26, 27, 28, 29, 30, 2]);
        let mut masked = Vec::new();
        encode(&[b'M', MASK_RESIDUE], &mut masked);
        assert_eq!(masked, [0, 20, 32, 2]);
        // No letter J, no stop codon, no lower case, no part of a longer token's name.
        check("J*a<", &[0, 3, 3, 3, 3, 2]);
        check("\u{e9}", &[0, 3, 3, 2]);
    }

    #[test]
    fn vocabularies_of_real_models_pass() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let vocabularies: Vec<_> = fs::read_dir(golden)
            .unwrap()
            .map(|entry| entry.unwrap().path().join("vocab.txt"))
            .filter(|path| path.exists())
            .collect();
        assert!(!vocabularies.is_empty());
        for path in vocabularies {
            assert_eq!(check_vocabulary(&fs::read_to_string(path).unwrap()), Ok(()));
        }
    }

    #[test]
    fn other_vocabularies_do_not() {
        let joined = TOKENS.join("\n");
        let check = |text: &str, expected: &str| {
            let message = check_vocabulary(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        assert_eq!(check_vocabulary(&joined), Ok(()));
        assert_eq!(
            check_vocabulary(&(joined.replace('\n', "\r\n") + "\r\n")),
            Ok(())
        );
        check(
            "",
            "line 1 of the vocabulary is missing, where ESM-2 has `<cls>`",
        );
        check(
            &joined.replace("\nB\n", "\nJ\n"),
            "line 26 of the vocabulary is `J`",
        );
        check(
            &(joined + "\n<extra>"),
            "line 34 of the vocabulary is `<extra>`, where ESM-2 has no more tokens",
        );
    }
}
