//! A residue in the place of another one, and how that is written.

use crate::alphabet::RESIDUES;

/// A residue in the place of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mutation {
    /// The site, from 0.
    pub(super) site: u32,
    /// The residue of the mutant.
    pub(super) to: u8,
}

/// The amino acids that proteins are made of.
pub const AMINO_ACIDS: &[u8; 20] = b"ACDEFGHIKLMNPQRSTVWY";

/// How a table says that nothing is mutated.
const WILD_TYPES: [&str; 5] = ["", "WT", "wt", "_wt", "_WT"];

/// The mutations that a text stands for, by their sites: `A1P:D2N`, where the first residue of `wild_type` has the
/// number `offset`.
///
/// # Errors
/// What is wrong with it, and how to mend it.
pub(super) fn mutations(
    text: &str,
    wild_type: &[u8],
    offset: i64,
) -> Result<Vec<Mutation>, (String, String)> {
    let text = text.trim();
    if WILD_TYPES.contains(&text) {
        return Ok(Vec::new());
    }
    let mut found = Vec::with_capacity(1);
    for part in text.split(':') {
        found.push(mutation(part.trim(), wild_type, offset)?);
    }
    found.sort_unstable();
    if let Some(pair) = found.windows(2).find(|pair| pair[0].site == pair[1].site) {
        let number = i64::from(pair[0].site) + offset;
        return Err((
            format!("`{text}` mutates site {number} twice"),
            "name each site once".to_owned(),
        ));
    }
    // A residue in its own place is no mutation.
    found.retain(|mutation| wild_type[mutation.site as usize] != mutation.to);
    Ok(found)
}

fn mutation(text: &str, wild_type: &[u8], offset: i64) -> Result<Mutation, (String, String)> {
    let form = || {
        (
            format!("`{text}` is no mutation"),
            "write it as `A1P`: the wild type's residue, the number of the site, the mutant's residue; and several \
             as `A1P:D2N`"
                .to_owned(),
        )
    };
    let mut letters = text.chars();
    let (Some(from), Some(to)) = (letters.next(), letters.next_back()) else {
        return Err(form());
    };
    let number: i64 = letters.as_str().parse().map_err(|_| form())?;
    let residue = |letter: char| {
        let upper = u8::try_from(letter.to_ascii_uppercase()).ok();
        upper
            .filter(|letter| letter.is_ascii_alphabetic() && RESIDUES.contains(letter))
            .ok_or_else(|| {
                let hint = match letter {
                    '*' => "a stop has no score: leave such rows out",
                    _ => "residues are letters of amino acids: ACDEFGHIKLMNPQRSTVWY, BUXZO",
                };
                (
                    format!("`{letter}` in `{text}` is no residue"),
                    hint.to_owned(),
                )
            })
    };
    let (from, to) = (residue(from)?, residue(to)?);
    let last = offset + wild_type.len() as i64 - 1;
    let site = number
        .checked_sub(offset)
        .and_then(|site| usize::try_from(site).ok());
    let Some(&stands) = site.and_then(|site| wild_type.get(site)) else {
        return Err((
            format!("`{text}` is outside of the protein, whose sites are {offset} to {last}"),
            "check the protein, and which number its first residue has: `offset`".to_owned(),
        ));
    };
    if stands != from {
        return Err((
            format!(
                "`{text}` has {} as the wild type, and the protein has {} there",
                char::from(from),
                char::from(stands)
            ),
            "check the protein, and which number its first residue has: `offset`".to_owned(),
        ));
    }
    let site = site.and_then(|site| u32::try_from(site).ok());
    Ok(Mutation {
        site: site.ok_or_else(form)?,
        to,
    })
}

/// A mutation as tables have it, counted from 1.
pub(super) fn name(mutation: Mutation, wild_type: &[u8]) -> String {
    let from = char::from(wild_type[mutation.site as usize]);
    format!("{from}{}{}", mutation.site + 1, char::from(mutation.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutants_are_read() {
        let check = |text: &str, offset: i64, expect: &[(u32, u8)]| {
            let found = mutations(text, b"MKTV", offset).unwrap();
            let found: Vec<_> = found.iter().map(|found| (found.site, found.to)).collect();
            assert_eq!(found, expect, "{text}");
        };
        check("M1A", 1, &[(0, b'A')]);
        check(" V4P:K2D ", 1, &[(1, b'D'), (3, b'P')]);
        check("m1a", 1, &[(0, b'A')]);
        check("M24A", 24, &[(0, b'A')]);
        check("M-1A: V2A", -1, &[(0, b'A'), (3, b'A')]);
        check("M0X", 0, &[(0, b'X')]);
        for wild_type in ["", "WT", "_wt", "M1M", "M1M:K2K"] {
            check(wild_type, 1, &[]);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, offset: i64, expect: &str| {
            let (message, _) = mutations(text, b"MKTV", offset).unwrap_err();
            assert!(message.contains(expect), "{message}");
        };
        check(
            "A1P",
            1,
            "`A1P` has A as the wild type, and the protein has M there",
        );
        check("V5P", 1, "outside of the protein, whose sites are 1 to 4");
        check("M0P", 1, "outside of the protein");
        check("M1P", 24, "whose sites are 24 to 27");
        check("M1*", 1, "`*` in `M1*` is no residue");
        check("M1J", 1, "`J` in `M1J` is no residue");
        check("M1A:M1P", 1, "mutates site 1 twice");
        for text in [
            "1",
            "M",
            "M1",
            "MA",
            "M1A:",
            "MK",
            "p.Met1Ala",
            "M1.5A",
            "é1A",
        ] {
            let (message, _) = mutations(text, b"MKTV", 1).unwrap_err();
            assert!(
                message.contains("is no mutation") || message.contains("is no residue"),
                "{text}: {message}"
            );
        }
        check("M99999999999999999999A", 1, "is no mutation");
        check("M9223372036854775807A", -5, "outside");
    }
}
