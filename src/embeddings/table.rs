//! Vectors in memory, with what they are vectors of.

use super::EmbeddingsError;
use std::{borrow::Cow, collections::HashMap, fmt};

/// The embeddings of one file in memory: n vectors of h components.
#[derive(Debug)]
pub struct Embeddings {
    ids: Vec<String>,
    descriptions: Descriptions,
    /// `[n, h]`, row by row.
    vectors: Vec<f32>,
    hidden_size: usize,
    /// The first row of each id.
    rows: HashMap<String, usize>,
    /// The column that is to be read, where one is named.
    column: Option<String>,
}

/// What the definition lines say behind the ids.
#[derive(Debug)]
struct Descriptions {
    /// Those of the first rows, without a gap; of all rows unless they are very long.
    kept: Vec<String>,
    n_bytes: usize,
    /// So many bytes are kept at least.
    most_bytes: usize,
    /// Where the others are. Nothing, where there are none.
    source: Option<Box<dyn Source>>,
}

/// A file of embeddings that can be asked again for what did not stay in memory.
pub(super) trait Source: fmt::Debug {
    /// The description of a row.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    fn description(&self, row: usize) -> Result<String, EmbeddingsError>;
}

impl PartialEq for Embeddings {
    /// Whether both hold the same ids and vectors.
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids && self.vectors == other.vectors
    }
}

impl Embeddings {
    /// No sequence yet, and room for so many bytes of descriptions.
    pub(super) fn empty(description_bytes: usize) -> Self {
        Self {
            ids: Vec::new(),
            descriptions: Descriptions {
                kept: Vec::new(),
                n_bytes: 0,
                most_bytes: description_bytes,
                source: None,
            },
            vectors: Vec::new(),
            hidden_size: 0,
            rows: HashMap::new(),
            column: None,
        }
    }

    /// Says which column of vectors is to be read.
    pub(super) fn set_column(&mut self, column: Option<&str>) {
        self.column = column.map(str::to_owned);
    }

    /// The column of vectors that is to be read, where one is named.
    pub(super) fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// One sequence that nobody embedded, as long as a script is only rehearsed.
    pub fn made_up(hidden_size: usize) -> Self {
        let id = "rehearsal".to_owned();
        let mut embeddings = Self::empty(usize::MAX);
        embeddings.add_vectors(&vec![1.0; hidden_size], hidden_size);
        embeddings.add(id, "a sequence that nobody embedded");
        embeddings
    }

    /// Takes the vectors of the next rows, `[n, h]`.
    pub(super) fn add_vectors(&mut self, vectors: &[f32], hidden_size: usize) {
        self.hidden_size = hidden_size;
        self.vectors.extend_from_slice(vectors);
    }

    /// Takes what the vector of the next row is one of.
    pub(super) fn add(&mut self, id: String, description: &str) {
        let vector_bytes = size_of_val(self.vectors.as_slice());
        let row = self.ids.len();
        self.descriptions.add(row, description, vector_bytes);
        self.rows.entry(id.clone()).or_insert(row);
        self.ids.push(id);
    }

    /// Says where the descriptions are that were not kept.
    pub(super) fn set_source(&mut self, source: Box<dyn Source>) {
        self.descriptions.source = Some(source);
    }

    /// Sequences.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Components of a vector, 0 if the file has no rows.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// The sequences' ids, in the order of the file.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The first row with this id.
    pub fn row(&self, id: &str) -> Option<usize> {
        self.rows.get(id).copied()
    }

    /// The definition line of a row, without its id.
    ///
    /// # Errors
    /// If it has to be read from the file, and that fails.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn description(&self, row: usize) -> Result<Cow<'_, str>, EmbeddingsError> {
        assert!(row < self.len(), "there is no row {row}");
        match (self.descriptions.kept.get(row), &self.descriptions.source) {
            (Some(description), _) => Ok(Cow::Borrowed(description)),
            (None, Some(source)) => source.description(row).map(Cow::Owned),
            (None, None) => Ok(Cow::Borrowed("")),
        }
    }

    /// The vector of a row, `[h]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.hidden_size..][..self.hidden_size]
    }

    /// The cosine of the angle between the vectors of two rows, 0 if one of them is zero.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn cosine(&self, a: usize, b: usize) -> f64 {
        let (a, b) = (self.vector(a), self.vector(b));
        let norms = dot(a, a).sqrt() * dot(b, b).sqrt();
        if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
    }

    /// The `n` other rows whose vectors have the smallest angle to that of `row`, with the cosine,
    /// the nearest first. Rows that are equally near keep the order of the file.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn nearest(&self, row: usize, n: usize) -> Vec<(usize, f64)> {
        let mut others: Vec<_> = (0..self.len())
            .filter(|other| *other != row)
            .map(|other| (other, self.cosine(row, other)))
            .collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1));
        others.truncate(n);
        others
    }
}

impl Descriptions {
    /// Takes the description of `row`, the next one, whose vector and all before it take
    /// `vector_bytes`.
    fn add(&mut self, row: usize, description: &str, vector_bytes: usize) {
        self.n_bytes += description.len();
        let is_next = self.kept.len() == row;
        if is_next && self.n_bytes <= self.most_bytes.max(vector_bytes) {
            self.kept.push(description.to_owned());
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::{parquet, tests::file};
    use super::*;

    #[test]
    fn descriptions_without_room_in_memory_are_read_again() {
        let file = file(&["id", "description", "embedding"]);
        let mut embeddings = Embeddings::empty(0);
        let source = parquet::read(file.path(), &mut embeddings).unwrap();
        embeddings.set_source(source);
        let check = |embeddings: &Embeddings, n_kept: usize| {
            assert_eq!(embeddings.descriptions.kept.len(), n_kept);
            let description = |row| embeddings.description(row).unwrap().into_owned();
            assert_eq!([0, 1, 2].map(description), ["first", "", "third"]);
        };
        // They are shorter than the vectors.
        check(&embeddings, 3);
        // The name may be gone meanwhile.
        drop(file);
        for n_kept in [2, 1, 0] {
            embeddings.descriptions.kept.truncate(n_kept);
            check(&embeddings, n_kept);
        }
    }
}
