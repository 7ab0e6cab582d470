//! Characters outside the alphabet, and how often they come.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A character of a sequence line, or a byte that is no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Character(u32);

/// Behind the last character of Unicode.
const FIRST_BYTE: u32 = 0x11_0000;

impl Character {
    /// A byte that is no UTF-8.
    pub(super) fn of_byte(byte: u8) -> Self {
        Self(FIRST_BYTE + u32::from(byte))
    }
}

impl From<char> for Character {
    fn from(character: char) -> Self {
        Self(character.into())
    }
}

/// The character itself where it can be seen, else its number: `J`, `U+00A0`, `\xFF`.
impl fmt::Display for Character {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match char::from_u32(self.0) {
            Some(character @ ('\'' | '"' | '\\')) => write!(f, "{character}"),
            // What Rust would not show as it is, as spaces without breaks, cannot be seen.
            Some(character) if character.escape_debug().len() == 1 => write!(f, "{character}"),
            Some(_) => write!(f, "U+{:04X}", self.0),
            None => write!(f, "\\x{:02X}", self.0 - FIRST_BYTE),
        }
    }
}

/// How often each of some characters comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Characters {
    counts: Vec<(Character, u64)>,
    /// Characters of further kinds, which are not told apart.
    n_others: u64,
}

/// Kinds of characters that are told apart. More of them are no sequence of any kind.
const MOST_KINDS: usize = 32;
/// Kinds of characters that a message names.
const MOST_SHOWN: usize = 8;

impl Characters {
    /// Adds a character `n` times.
    pub(super) fn add(&mut self, character: Character, n: u64) {
        let known = self
            .counts
            .iter_mut()
            .find(|(known, _)| *known == character);
        if let Some((_, count)) = known {
            *count += n;
        } else if self.counts.len() < MOST_KINDS {
            self.counts.push((character, n));
        } else {
            self.n_others += n;
        }
    }

    pub(super) fn add_all(&mut self, others: &Self) {
        for &(character, n) in &others.counts {
            self.add(character, n);
        }
        self.n_others += others.n_others;
    }

    pub(super) fn count(&self, character: Character) -> u64 {
        let found = self.counts.iter().find(|(known, _)| *known == character);
        found.map_or(0, |(_, count)| *count)
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum::<u64>() + self.n_others
    }

    /// Bytes in memory, about.
    pub(super) fn size_bytes(&self) -> usize {
        self.counts.len() * size_of::<(Character, u64)>()
    }
}

/// The most frequent first: "`>` 2, `J` 1".
impl fmt::Display for Characters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = self.counts.clone();
        counts.sort_by_key(|&(character, count)| (std::cmp::Reverse(count), character));
        let n_hidden: u64 = counts.iter().skip(MOST_SHOWN).map(|(_, count)| count).sum();
        counts.truncate(MOST_SHOWN);
        let mut parts: Vec<String> = counts
            .iter()
            .map(|(character, count)| format!("`{character}` {count}"))
            .collect();
        if n_hidden + self.n_others > 0 {
            parts.push(format!("others {}", n_hidden + self.n_others));
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_cannot_be_seen_are_shown_by_number() {
        let check = |character: char, expect: &str| {
            assert_eq!(Character::from(character).to_string(), expect);
        };
        check('J', "J");
        check('\'', "'");
        check('é', "é");
        check('\u{201c}', "\u{201c}");
        check('\u{a0}', "U+00A0");
        check('\u{ad}', "U+00AD");
        check('\u{200b}', "U+200B");
        check('\u{feff}', "U+FEFF");
        check('\u{1b}', "U+001B");
        assert_eq!(Character::of_byte(0xff).to_string(), "\\xFF");
    }

    #[test]
    fn counts_are_bounded_and_sorted() {
        let mut characters = Characters::default();
        for number in 0..100 {
            characters.add(Character(0x4e00 + number), 1);
        }
        characters.add(Character::from('1'), 0);
        characters.add(Character(0x4e05), 4);
        assert_eq!(characters.total(), 104);
        assert!(characters.counts.len() <= MOST_KINDS);
        let shown = characters.to_string();
        assert!(shown.starts_with("`\u{4e05}` 5, "), "{shown}");
        assert!(shown.ends_with(", others 92"), "{shown}");
    }
}
