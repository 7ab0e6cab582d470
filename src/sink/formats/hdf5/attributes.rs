//! What a file says of itself, as attributes of its root.

use crate::hdf5::{Attribute, COLUMNS, Value};

/// The attribute with the number of rows that were written.
pub(super) const ROWS: &str = "runner.rows";
/// The entry with the model's name.
const MODEL: &str = "runner.model";
/// The attribute by which ProtSpace calls embeddings.
const MODEL_NAME: &str = "model_name";

/// Published models, and what ProtSpace calls them.
const PROTSPACE: [(&str, &str); 5] = [
    ("esm2_t6_8M_UR50D", "esm2_8m"),
    ("esm2_t12_35M_UR50D", "esm2_35m"),
    ("esm2_t30_150M_UR50D", "esm2_150m"),
    ("esm2_t33_650M_UR50D", "esm2_650m"),
    ("esm2_t36_3B_UR50D", "esm2_3b"),
];

/// The attributes of a file with these metadata, with so many rows, in digits, and with these columns, as its layout
/// says them.
pub(super) fn of_root<'a>(
    metadata: &'a [(String, String)],
    n_rows: &'a str,
    columns: &'a str,
) -> impl Iterator<Item = Attribute<'a>> {
    let model = metadata.iter().find(|(name, _)| name == MODEL);
    let model = model.map(|(_, model)| (MODEL_NAME, model_name(model)));
    let entries = metadata.iter();
    let entries = entries.map(|(name, value)| (name.as_str(), value.as_str()));
    let own = [(ROWS, n_rows), (COLUMNS, columns)];
    model.into_iter().chain(entries).chain(own).map(text)
}

/// An attribute that is a text.
pub(super) fn text<'a>((name, text): (&'a str, &'a str)) -> Attribute<'a> {
    Attribute {
        name,
        value: Value::Text(text),
    }
}

/// What programs of the field call a model.
fn model_name(model: &str) -> &str {
    let own = model.rsplit('/').next().unwrap_or(model);
    let published = PROTSPACE.iter().find(|(published, _)| *published == own);
    published.map_or(model, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_models_have_the_names_of_protspace() {
        assert_eq!(model_name("esm2_t33_650M_UR50D"), "esm2_650m");
        assert_eq!(model_name("facebook/esm2_t6_8M_UR50D"), "esm2_8m");
        assert_eq!(model_name("me/esm2_tuned"), "me/esm2_tuned");
    }
}
