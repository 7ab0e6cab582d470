//! The models that Meta has published, and what is said of names that are nearly theirs.

use crate::{job::nearest, model::error::Reason};

/// All ESM-2 of Meta's, whose names need no owner.
const PUBLISHED: [&str; 6] = [
    "esm2_t6_8M_UR50D",
    "esm2_t12_35M_UR50D",
    "esm2_t30_150M_UR50D",
    "esm2_t33_650M_UR50D",
    "esm2_t36_3B_UR50D",
    "esm2_t48_15B_UR50D",
];

/// Whose they are.
const OWNER: &str = "facebook";

/// The whole id of a name that needs no owner: one that is written as Meta writes names, published or not.
pub(super) fn owned(name: &str) -> Option<String> {
    name.starts_with("esm2_t")
        .then(|| format!("{OWNER}/{name}"))
}

/// Whether an id is one of Meta's, published or not.
pub(super) fn is_metas(id: &str) -> bool {
    id.split_once('/').is_some_and(|(owner, _)| owner == OWNER)
}

/// Whether Meta has published a model of this name.
pub(super) fn is_published(name: &str) -> bool {
    PUBLISHED.contains(&name)
}

/// What is said of an id of Meta's that is none of the models that there are.
pub(super) fn unpublished(id: &str) -> Option<Reason> {
    let name = id.strip_prefix(OWNER)?.strip_prefix('/')?;
    if PUBLISHED.contains(&name) || !name.starts_with("esm2") {
        return None;
    }
    Some(Reason {
        text: format!("Meta has published no `{id}`"),
        hint: Some(meant(name)),
    })
}

/// What is said of a name without an owner that may be meant for one of these models.
pub(super) fn hint(name: &str) -> Option<String> {
    let plain = name.to_lowercase().replacen("esm-2", "esm2", 1);
    (plain.starts_with("esm2") && !name.contains('/')).then(|| meant(name))
}

/// Which model is meant, if that can be told, and all that there are.
fn meant(name: &str) -> String {
    let lower = name.to_lowercase();
    let mut begun = PUBLISHED
        .iter()
        .filter(|published| published.to_lowercase().starts_with(&lower));
    // `esm2_t6_8M` begins one name, and `esm2` all of them.
    let begun = begun.next().filter(|_| begun.next().is_none()).copied();
    let of_size = || {
        let wanted = size(name)?;
        let mut all = PUBLISHED.iter().copied();
        all.find(|published| size(published).as_ref() == Some(&wanted))
    };
    let all = PUBLISHED.map(|published| format!("`{published}`"));
    let all = format!("Meta's models are {}", all.join(", "));
    match begun.or_else(of_size).or_else(|| nearest(name, &PUBLISHED)) {
        Some(published) if name.contains("_t") || size(name).is_some() => {
            format!("did you mean `{OWNER}/{published}`? {all}")
        }
        _ => all,
    }
}

/// The part of a name that says how large the model is: `650m` of `esm2_t33_650M_UR50D`.
fn size(name: &str) -> Option<String> {
    let mut parts = name.split(['_', '-', '.']);
    let is_size = |part: &&str| {
        let number = part.strip_suffix(['m', 'b', 'M', 'B']);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    parts.find(is_size).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::joined;

    #[test]
    fn models_that_nobody_published_are_told_from_those_that_are_not_here() {
        let check = |id: &str, expect: Option<&str>| match (unpublished(id), expect) {
            (Some(said), Some(part)) => {
                let said = joined(&said, said.hint.as_deref());
                assert!(said.contains(part), "{said}");
            }
            (said, part) => assert_eq!(said.is_some(), part.is_some(), "{id}: {said:?}"),
        };
        check("facebook/esm2_t33_650M_UR50D", None);
        check("someone/esm2_t33_650M", None);
        check("facebook/other", None);
        check("facebook/esm2_t6_8M", Some("`facebook/esm2_t6_8M_UR50D`?"));
        check("facebook/esm2_t33", Some("`facebook/esm2_t33_650M_UR50D`?"));
        check(
            "facebook/esm2_t33_650M_UR50",
            Some("`facebook/esm2_t33_650M_UR50D`?"),
        );
        check(
            "facebook/esm2_t12_8M_UR50D",
            Some("Meta has published no `facebook/esm2_t12_8M_UR50D`"),
        );
        check("facebook/esm2_t6_8B", Some("`facebook/esm2_t6_8M_UR50D`?"));
    }

    #[test]
    fn short_names_are_explained() {
        let check = |name: &str, expect: Option<&str>| {
            let said = hint(name);
            match (&said, expect) {
                (Some(said), Some(part)) => assert!(said.contains(part), "{name}: {said}"),
                _ => assert_eq!(said.as_deref(), expect, "{name}"),
            }
        };
        check(
            "esm2-650M",
            Some("did you mean `facebook/esm2_t33_650M_UR50D`?"),
        );
        check(
            "ESM-2_3b",
            Some("did you mean `facebook/esm2_t36_3B_UR50D`?"),
        );
        for all in PUBLISHED {
            check("esm2_t7_9M_UR50D", Some(all));
            check("esm2", Some(all));
            check("esm2_large", Some(all));
        }
        check("esm1b", None);
        check("models/esm2", None);
        assert_eq!(
            owned("esm2_t6_8M_UR50D").as_deref(),
            Some("facebook/esm2_t6_8M_UR50D")
        );
        assert_eq!(owned("esm2"), None);
    }
}
