//! Whether what is asked for can be in the format of the output.

use super::{Content, EmbedOptions, Keys, OutputFormat, Positions, Problems, Question};
use std::collections::BTreeMap;

/// The option, which stands in the identity of an output, too.
const SPECIAL_TOKENS: &str = "special_tokens";
/// Why vectors of other tokens have no place in a format.
const ONE_A_RESIDUE: &str = "which has a vector for each residue, and BOS and EOS are none";

/// Whether a format has room for vectors of BOS and EOS.
fn has_room_for_tokens(format: OutputFormat) -> bool {
    format != OutputFormat::Embed
}

/// What is wrong with an output of such an identity that has many vectors of each sequence, in a format: the message, and
/// how to mend it.
pub fn misfit_of_tokens(
    identity: &BTreeMap<String, String>,
    format: OutputFormat,
) -> Option<(String, String)> {
    let has_tokens = identity.get(SPECIAL_TOKENS).is_some_and(|is| is == "true");
    (has_tokens && !has_room_for_tokens(format)).then(|| {
        (
            format!(
                "vectors of BOS and EOS cannot be written as {}, {ONE_A_RESIDUE}",
                format.title()
            ),
            "write `.parquet`, `.h5`, `.npy`, `.safetensors` or `.arrow`; or embed without `special_tokens`"
                .to_owned(),
        )
    })
}

/// Adds what is wrong to the problems.
pub(super) fn check(options: &EmbedOptions, question: &Question, problems: &mut Problems) {
    // Names of folders have no format, and are checked elsewhere: what is merged of one may be `.h5`.
    let format = options.output.as_deref();
    let format = format.and_then(|output| OutputFormat::of(output).ok());
    if let Some(format) = format
        && let Err(problem) = options.keys.check(format)
    {
        problems.0.push(problem);
    } else if options.keys == Keys::Hash && !options.sequences {
        problems.add_option(
            "keys",
            "`keys: \"hash\"` needs the residues in the output".to_owned(),
            Some("add `sequences: true`".to_owned()),
        );
    }
    let (Some(output), Some(format)) = (options.output.as_deref(), format) else {
        return;
    };
    let (shown, title) = (output.display(), format.title());
    let is_one_array = [OutputFormat::Npy, OutputFormat::Embed].contains(&format);
    if is_one_array && question.columns.len() > 1 {
        let names = question.columns.iter();
        let names: Vec<_> = names.map(|column| format!("`{}`", column.name)).collect();
        problems.add_option(
            "output",
            format!(
                "`{shown}` is {title}, a single array, and there would be {}",
                names.join(", ")
            ),
            Some(
                "end the path with `.parquet`, `.h5`, `.safetensors` or `.arrow`, which hold several, \
                 and export each column to a file of its own: `export(from, to, #{ columns: \"…\" })`"
                    .to_owned(),
            ),
        );
    }
    if format == OutputFormat::Embed && !options.sequences {
        problems.add_option(
            "output",
            format!("`{shown}` is {title}, which holds the residues, too"),
            Some("add `sequences: true`".to_owned()),
        );
    }
    if format == OutputFormat::Embed {
        check_contacts(&format!("`{shown}` is {title}"), question, problems);
    }
    if !has_room_for_tokens(format) && question.columns.iter().any(|of| is_of_tokens(of.content)) {
        problems.add_option(
            SPECIAL_TOKENS,
            format!("`{shown}` is {title}, {ONE_A_RESIDUE}"),
            Some(
                "leave `special_tokens` out, or end the path with `.parquet`, `.h5`, `.npy`, `.safetensors` or \
                 `.arrow`"
                    .to_owned(),
            ),
        );
    }
}

/// Adds contacts, which have no place in scikit-bio's HDF5.
fn check_contacts(output: &str, question: &Question, problems: &mut Problems) {
    let mut columns = question.columns.iter();
    if columns.any(|column| Content::is_of_contacts(column.content)) {
        problems.add_option(
            "output",
            format!("{output}, which holds vectors, and contacts are none"),
            Some(
                "end the path with `.parquet`, `.h5`, `.npy`, `.safetensors` or `.arrow`"
                    .to_owned(),
            ),
        );
    }
}

/// Whether a column has something at BOS and EOS.
fn is_of_tokens(content: Content) -> bool {
    matches!(
        content,
        Content::States {
            positions: Positions::Tokens,
            ..
        } | Content::Logits {
            positions: Positions::Tokens
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Dataset, EmbedPlan, Layer, Problem};

    /// What is wrong with these options.
    fn found(options: EmbedOptions) -> Vec<Problem> {
        let dataset = Dataset::new(vec!["a.fa".to_owned()]);
        match EmbedPlan::new(dataset, options, 6) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.0,
        }
    }

    #[test]
    fn scikit_bio_has_vectors_of_residues_only() {
        let check = |output: &str, change: fn(&mut EmbedOptions), expect: &[(&str, &str)]| {
            let mut options = EmbedOptions {
                output: Some(output.into()),
                sequences: true,
                ..EmbedOptions::default()
            };
            change(&mut options);
            let found = found(options);
            assert_eq!(found.len(), expect.len(), "{output}: {found:?}");
            for (problem, (option, expect)) in found.iter().zip(expect) {
                assert_eq!(problem.option.as_deref(), Some(*option));
                assert!(problem.message.contains(expect), "{problem:?}");
            }
        };
        let contacts = [("output", "contacts are none")];
        let matrix = |of: &mut EmbedOptions| of.contacts = true;
        let pairs = |of: &mut EmbedOptions| {
            of.contacts = true;
            of.threshold = Some(0.3);
        };
        let tokens = |of: &mut EmbedOptions| {
            of.residues = true;
            of.special_tokens = true;
        };
        check("x.embed", matrix, &contacts);
        check("x.embed", pairs, &contacts);
        check("x.embed", tokens, &[("special_tokens", "BOS and EOS")]);
        check("x.embed", |of| of.residues = true, &[]);
        for output in ["x.npy", "x.h5", "x.safetensors"] {
            check(output, matrix, &[]);
            check(output, tokens, &[]);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_before_anything_is_computed() {
        let check = |output: &str, layers: &[i64], sequences: bool, keys: Keys, expect: &[&str]| {
            let options = EmbedOptions {
                output: Some(output.into()),
                layers: layers.iter().copied().map(Layer).collect(),
                sequences,
                keys,
                ..EmbedOptions::default()
            };
            let found = found(options);
            assert_eq!(found.len(), expect.len(), "{output}: {found:?}");
            for (problem, expect) in found.iter().zip(expect) {
                assert!(problem.message.contains(expect), "{problem:?}");
            }
        };
        for output in ["x.parquet", "x.h5", "x.safetensors", "x.arrow", "x/"] {
            check(output, &[0, 6], false, Keys::Id, &[]);
        }
        check("x.npy", &[6], false, Keys::Id, &[]);
        check(
            "x.npy",
            &[0, 6],
            false,
            Keys::Id,
            &["`embedding_0`, `embedding_6`"],
        );
        check("x.embed", &[6], true, Keys::Id, &[]);
        let two = ["a single array", "holds the residues"];
        check("x.embed", &[0, 6], false, Keys::Id, &two);
        check("x.h5", &[6], true, Keys::Hash, &[]);
        check("x.h5", &[6], false, Keys::Hash, &["needs the residues"]);
        check("x/", &[6], true, Keys::Hash, &[]);
        for other in ["x.parquet", "x.npy", "x.arrow", "x.embed"] {
            check(
                other,
                &[6],
                true,
                Keys::Hash,
                &["names datasets of `.h5` files"],
            );
        }
    }
}
