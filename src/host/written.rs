//! How large an output becomes, about.

use crate::{
    alphabet::N_SPECIAL_TOKENS,
    fasta::Sample,
    job::{Column, Content, EmbedPlan, Form, OutputFormat, OutputTarget, Positions},
};

/// What becomes of rows in a format. Factors are of their bytes in memory.
struct Written {
    format: OutputFormat,
    /// Of one vector a row: exponents are much alike.
    vectors: f64,
    /// Of matrices of probabilities.
    matrices: f64,
    /// Of lists of pairs.
    pairs: f64,
    /// Bytes beside each of the vectors of a row that has many.
    beside_vector: f64,
    /// Of ids.
    ids: f64,
    /// Of descriptions.
    descriptions: f64,
    /// Of residues as letters, where they are asked for.
    letters: f64,
    /// Bytes beside each row.
    beside_row: f64,
}

/// As measured of outputs of real weights.
#[rustfmt::skip]
const WRITTEN: [Written; 6] = [
    Written { format: OutputFormat::Parquet, vectors: 0.85, matrices: 0.77, pairs: 0.4, beside_vector: 4.0,
        ids: 0.4, descriptions: 0.4, letters: 0.55, beside_row: 0.0 },
    Written { format: OutputFormat::Arrow, vectors: 1.0, matrices: 1.0, pairs: 1.0, beside_vector: 0.0,
        ids: 1.0, descriptions: 1.0, letters: 1.0, beside_row: 12.0 },
    Written { format: OutputFormat::Hdf5, vectors: 1.0, matrices: 1.0, pairs: 1.0, beside_vector: 0.0,
        ids: 2.0, descriptions: 0.0, letters: 0.0, beside_row: 270.0 },
    Written { format: OutputFormat::Embed, vectors: 1.0, matrices: 1.0, pairs: 1.0, beside_vector: 0.0,
        ids: 1.0, descriptions: 0.0, letters: 1.0, beside_row: 12.0 },
    Written { format: OutputFormat::Npy, vectors: 1.0, matrices: 1.0, pairs: 1.0, beside_vector: 0.0,
        ids: 1.0, descriptions: 0.0, letters: 0.0, beside_row: 8.0 },
    Written { format: OutputFormat::Safetensors, vectors: 1.0, matrices: 1.0, pairs: 1.0, beside_vector: 0.0,
        ids: 1.0, descriptions: 0.0, letters: 0.0, beside_row: 16.0 },
];

/// Contacts that a residue has, about: those of a folded protein, each counted once.
const PAIRS_OF_A_RESIDUE: f64 = 2.0;
/// Bytes of a pair: the numbers of its residues, and its probability.
const PAIR_BYTES: f64 = 12.0;

/// Bytes of the output of a run over so many sequences, by a model of this hidden size. Nothing, if there is no output.
pub(super) fn output_bytes(sample: &Sample, plan: &EmbedPlan, hidden_size: usize) -> Option<f64> {
    let target = OutputTarget::of(plan.options().output.as_deref()?).ok()?;
    let written = WRITTEN
        .iter()
        .find(|written| written.format == target.format)?;
    let columns = plan.question().columns.iter();
    let answers: f64 = columns
        .map(|column| written.column_bytes(column, sample, hidden_size))
        .sum();
    let letters = match plan.options().sequences {
        true => written.letters * sample.row_residues,
        false => 0.0,
    };
    let descriptions = sample.text_bytes - sample.id_bytes;
    let texts = written.ids * sample.id_bytes + written.descriptions * descriptions;
    Some(answers + letters + texts + written.beside_row * sample.kept)
}

impl Written {
    fn column_bytes(&self, column: &Column, sample: &Sample, hidden_size: usize) -> f64 {
        let number_bytes = column.dtype.bytes() as f64;
        match column.content.form(hidden_size) {
            Form::Vector(width) => self.vectors * sample.kept * width as f64 * number_bytes,
            Form::Vectors(width) => {
                let n_special = match column.content {
                    Content::States { positions, .. } | Content::Logits { positions }
                        if positions == Positions::Tokens =>
                    {
                        N_SPECIAL_TOKENS
                    }
                    _ => 0,
                };
                let n_vectors = sample.row_residues + sample.kept * n_special as f64;
                n_vectors * (width as f64 * number_bytes + self.beside_vector)
            }
            Form::Square => self.matrices * sample.row_squares * number_bytes,
            Form::Pairs => self.pairs * PAIRS_OF_A_RESIDUE * sample.row_residues * PAIR_BYTES,
        }
    }
}
