//! Which of several columns of vectors is read.

use super::EmbeddingsError;
use crate::job::Pooling;

/// The column of vectors to read among these, which stand in the order of their file: that of this name, else that of the
/// last layer. Nothing, if there is no column of one vector a sequence.
///
/// # Errors
/// There is no column of that name, or there are several of that layer.
pub(super) fn choose<'a>(
    names: impl IntoIterator<Item = &'a str>,
    wanted: Option<&str>,
    file: &str,
) -> Result<Option<&'a str>, EmbeddingsError> {
    let vectors: Vec<_> = names.into_iter().filter(|name| is_vector(name)).collect();
    let Some(last) = vectors.last() else {
        return Ok(None);
    };
    let of_last = |name: &&&str| of_layer(name) == of_layer(last);
    let is_chosen = |name: &&&str| match wanted {
        Some(wanted) => **name == wanted,
        None => of_last(name),
    };
    let mut chosen = vectors.iter().filter(is_chosen);
    match (chosen.next(), chosen.next()) {
        (Some(name), None) => Ok(Some(name)),
        _ => {
            let is_clear = vectors.iter().filter(of_last).count() == 1;
            Err(EmbeddingsError::undecided(file, wanted, &vectors, is_clear))
        }
    }
}

/// Checks that it is clear which column of vectors is to be read of a file with these columns, and that there is one.
///
/// # Errors
/// As [`choose`], and if there is no column of one vector a sequence.
pub fn check_columns<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    wanted: Option<&str>,
    file: &str,
) -> Result<(), EmbeddingsError> {
    match choose(names.clone(), wanted, file)? {
        Some(_) => Ok(()),
        None => Err(EmbeddingsError::without_vectors(file, names)),
    }
}

/// Whether a column of that name holds a vector a sequence.
fn is_vector(name: &str) -> bool {
    name == "embedding" || name.starts_with("embedding_")
}

/// The name without that of a pooling.
fn of_layer(name: &str) -> &str {
    let mut poolings = Pooling::NAMES.iter();
    let without = poolings.find_map(|pooling| name.strip_suffix(pooling)?.strip_suffix('_'));
    without.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_poolings_one_has_to_be_named() {
        let check = |names: &[&str], wanted: Option<&str>, expect: Result<Option<&str>, &str>| {
            let found = choose(names.iter().copied(), wanted, "x.h5");
            match (found, expect) {
                (Err(error), Err(expect)) => {
                    assert!(error.message.contains(expect), "{error}");
                }
                (found, expect) => assert_eq!(found.ok(), expect.ok(), "{names:?}"),
            }
        };
        check(&["residues", "contacts"], None, Ok(None));
        check(&["embedding"], None, Ok(Some("embedding")));
        check(
            &["embedding_mean", "logits"],
            None,
            Ok(Some("embedding_mean")),
        );
        let layers = ["embedding_0", "embedding_6", "residues_6"];
        check(&layers, None, Ok(Some("embedding_6")));
        check(&layers, Some("embedding_0"), Ok(Some("embedding_0")));
        let of_both =
            "has no column `residues_6` of one vector a sequence, but `embedding_0`, `embedding_6`";
        check(&layers, Some("residues_6"), Err(of_both));
        let poolings = ["embedding_mean", "embedding_std"];
        let several = "has several vectors of each sequence: `embedding_mean`, `embedding_std`";
        check(&poolings, None, Err(several));
        check(
            &poolings,
            Some("embedding_mean"),
            Ok(Some("embedding_mean")),
        );
        let of_layers = ["embedding_5_mean", "embedding_5_std", "embedding_6_mean"];
        check(&of_layers, None, Ok(Some("embedding_6_mean")));
    }
}
