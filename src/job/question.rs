//! What a model is asked of every sequence: the columns of an answer.

use super::{ContactPairs, NUMBERS_OF_A_PAIR, OutputDtype, Pooling};
use crate::alphabet::{MASK, N_SPECIAL_TOKENS, VOCABULARY_SIZE};

/// What a model is asked of every sequence. Its answer, the rows on their way and the output have these
/// columns, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// At least one.
    pub columns: Vec<Column>,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// What it is called in an output.
    pub name: String,
    /// What it holds of a sequence.
    pub content: Content,
    /// The format of its numbers.
    pub dtype: OutputDtype,
}

/// What a column holds of a sequence. Layers are indices of hidden states: 0 is the embedding output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// One vector, `[hidden]`.
    Pooled {
        /// The hidden state.
        layer: usize,
        /// How the vectors of residues become one.
        pooling: Pooling,
    },
    /// A vector for each of some tokens, `[positions, hidden]`.
    States {
        /// The hidden state.
        layer: usize,
        /// The tokens.
        positions: Positions,
    },
    /// What the head of the language model says at each of some tokens, before softmax: a number for each
    /// token of the vocabulary, `[positions, 33]`.
    Logits {
        /// The tokens.
        positions: Positions,
    },
    /// A vector for each token of a sequence that is a piece of a longer one, `[tokens, hidden]`; nothing of other
    /// sequences.
    Pieces {
        /// The hidden state.
        layer: usize,
    },
    /// The probability of each pair of residues to be in contact, `[residues, residues]`.
    Contacts,
    /// Those pairs of residues that are likely to be in contact. Until it is in main memory, it is all of them.
    ContactPairs(ContactPairs),
}

/// Some of the tokens of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// All but BOS and EOS.
    Residues,
    /// All, BOS and EOS included.
    Tokens,
    /// Those that are `<mask>`.
    Masks,
}

/// The form of what a column holds of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A vector of so many numbers.
    Vector(usize),
    /// Vectors of so many numbers, one a position.
    Vectors(usize),
    /// As many rows as columns, which are as many as the sequence has residues.
    Square,
    /// Two numbers of residues and a probability for each of any number of pairs.
    Pairs,
}

/// Contacts that a residue has, about: those of a folded protein, each counted once.
const PAIRS_OF_A_RESIDUE: usize = 2;

impl Question {
    /// One vector a sequence in f32, from each of `layers`.
    pub fn pooled(layers: &[usize], pooling: Pooling) -> Self {
        let column = |&layer| Column {
            name: format!("embedding_{layer}"),
            content: Content::Pooled { layer, pooling },
            dtype: OutputDtype::F32,
        };
        Self {
            columns: layers.iter().map(column).collect(),
        }
    }

    /// The hidden states that are needed, each once, in rising order. `n_layers` is the model's number of
    /// transformer layers.
    pub fn layers(&self, n_layers: usize) -> Vec<usize> {
        let columns = self.columns.iter();
        let mut layers: Vec<_> = columns
            .map(|column| column.content.layer(n_layers))
            .collect();
        layers.sort_unstable();
        layers.dedup();
        layers
    }

    /// The columns for people, with the shape of what each has of a sequence of L residues.
    pub fn shapes(&self, hidden_size: usize) -> String {
        let columns = self.columns.iter().map(|column| {
            let positions = match column.content {
                Content::States { positions, .. } | Content::Logits { positions } => positions,
                _ => Positions::Residues,
            };
            let rows = match positions {
                Positions::Residues => "L",
                Positions::Tokens => "L + 2",
                Positions::Masks => "masks",
            };
            match column.content.form(hidden_size) {
                Form::Vector(width) => format!("{} [{width}]", column.name),
                Form::Vectors(width) => format!("{} [{rows}, {width}]", column.name),
                Form::Square => format!("{} [L, L]", column.name),
                Form::Pairs => format!("{} as pairs", column.name),
            }
        });
        columns.collect::<Vec<_>>().join(", ")
    }

    /// Bytes of the answer for a sequence of `n_tokens` tokens, BOS and EOS included, by a model of this hidden
    /// size.
    pub fn bytes_of(&self, n_tokens: usize, hidden_size: usize) -> usize {
        let columns = self.columns.iter();
        let bytes = columns
            .map(|column| column.content.n_numbers(n_tokens, hidden_size) * column.dtype.bytes());
        bytes.sum()
    }

    /// Bytes of what an output has of a sequence of `n_tokens` tokens, as [`bytes_of`](Self::bytes_of), about: nobody
    /// knows beforehand how many pairs are likely to be in contact.
    pub fn written_bytes_of(&self, n_tokens: usize, hidden_size: usize) -> usize {
        let columns = self.columns.iter();
        let bytes = columns.map(|column| match column.content {
            Content::ContactPairs(_) => {
                let n_residues = Positions::Residues.count(n_tokens);
                PAIRS_OF_A_RESIDUE * NUMBERS_OF_A_PAIR * n_residues * column.dtype.bytes()
            }
            content => content.n_numbers(n_tokens, hidden_size) * column.dtype.bytes(),
        });
        bytes.sum()
    }

    /// Bytes at most of the answer for sequences of `n_tokens` tokens together, none of which is shorter than
    /// `shortest`.
    pub fn most_bytes(&self, n_tokens: usize, shortest: usize, hidden_size: usize) -> usize {
        // What a sequence has of each column grows with its length at least as fast as that, or not at all.
        let as_short = n_tokens / shortest.max(1) * self.bytes_of(shortest, hidden_size);
        as_short.max(self.bytes_of(n_tokens, hidden_size))
    }

    /// Bytes of what every sequence has the same number of: its vectors.
    pub fn vector_bytes(&self, hidden_size: usize) -> usize {
        let columns = self.columns.iter();
        let bytes = columns.map(|column| match column.content.form(hidden_size) {
            Form::Vector(width) => width * column.dtype.bytes(),
            Form::Vectors(_) | Form::Square | Form::Pairs => 0,
        });
        bytes.sum()
    }

    /// The question with what the answers for pieces of a record are joined by: behind its own columns, the states
    /// of all tokens, at each hidden state that some column is made of; and all contacts instead of a list of some.
    pub fn of_pieces(&self) -> Self {
        let mut columns = self.columns.clone();
        for column in &mut columns {
            if let Content::ContactPairs(_) = column.content {
                column.content = Content::Contacts;
            }
        }
        for layer in self.layers_of_states() {
            columns.push(Column {
                name: format!("pieces_{layer}"),
                content: Content::Pieces { layer },
                dtype: OutputDtype::F32,
            });
        }
        Self { columns }
    }

    /// The hidden states that vectors are made of, each once, in rising order.
    fn layers_of_states(&self) -> Vec<usize> {
        let columns = self.columns.iter();
        let layers = columns.filter_map(|column| match column.content {
            Content::Pooled { layer, .. } | Content::States { layer, .. } => Some(layer),
            _ => None,
        });
        let mut layers: Vec<_> = layers.collect();
        layers.sort_unstable();
        layers.dedup();
        layers
    }

    /// Whether a column has a number for each pair of residues.
    pub fn has_all_pairs(&self) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|column| column.content == Content::Contacts)
    }

    /// Whether pieces of records are asked about.
    pub fn is_of_pieces(&self) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|column| matches!(column.content, Content::Pieces { .. }))
    }

    /// The same for every residue where it is for masks alone: the most that can be asked so.
    pub fn of_all_residues(&self) -> Self {
        let mut question = self.clone();
        for column in &mut question.columns {
            if let Content::States { positions, .. } | Content::Logits { positions } =
                &mut column.content
                && *positions == Positions::Masks
            {
                *positions = Positions::Residues;
            }
        }
        question
    }

    /// Whether a sequence has several vectors in one of the columns.
    pub fn has_many(&self, hidden_size: usize) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|column| !matches!(column.content.form(hidden_size), Form::Vector(_)))
    }

    /// Whether the head of the language model is asked.
    pub fn needs_head(&self) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|column| matches!(column.content, Content::Logits { .. }))
    }

    /// Whether the head that predicts contacts is asked.
    pub fn needs_contacts(&self) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|column| column.content.is_of_contacts())
    }
}

impl Content {
    /// Whether it is what the head says that predicts contacts.
    pub fn is_of_contacts(self) -> bool {
        matches!(self, Self::Contacts | Self::ContactPairs(_))
    }

    /// The last hidden state that it needs.
    pub fn layer(self, n_layers: usize) -> usize {
        match self {
            Self::Pooled { layer, .. } | Self::States { layer, .. } | Self::Pieces { layer } => {
                layer
            }
            Self::Logits { .. } | Self::Contacts | Self::ContactPairs(_) => n_layers,
        }
    }

    /// The form of what it is of one sequence.
    pub fn form(self, hidden_size: usize) -> Form {
        match self {
            Self::Pooled { .. } => Form::Vector(hidden_size),
            Self::States { .. } | Self::Pieces { .. } => Form::Vectors(hidden_size),
            Self::Logits { .. } => Form::Vectors(VOCABULARY_SIZE),
            Self::Contacts => Form::Square,
            Self::ContactPairs(_) => Form::Pairs,
        }
    }

    /// Numbers that it has of a sequence of these tokens, BOS and EOS included.
    pub fn n_numbers_of(self, ids: &[i32], hidden_size: usize) -> usize {
        let positions = match self {
            Self::States { positions, .. } | Self::Logits { positions } => positions,
            _ => Positions::Residues,
        };
        match positions {
            Positions::Masks => {
                let n_masks = ids.iter().filter(|&&id| id == MASK).count();
                // BOS and EOS are no positions.
                self.n_numbers(n_masks + N_SPECIAL_TOKENS, hidden_size)
            }
            Positions::Residues | Positions::Tokens => self.n_numbers(ids.len(), hidden_size),
        }
    }

    /// Numbers that it has of a sequence of `n_tokens` tokens, BOS and EOS included; at most, where it is about masks or
    /// pieces.
    pub fn n_numbers(self, n_tokens: usize, hidden_size: usize) -> usize {
        let n_positions = match self {
            Self::Pooled { .. } => 1,
            Self::Pieces { .. } => n_tokens,
            Self::States { positions, .. } | Self::Logits { positions } => {
                positions.count(n_tokens)
            }
            Self::Contacts | Self::ContactPairs(_) => Positions::Residues.count(n_tokens),
        };
        let width = match self.form(hidden_size) {
            Form::Vector(width) | Form::Vectors(width) => width,
            Form::Square | Form::Pairs => n_positions,
        };
        n_positions * width
    }
}

impl Positions {
    /// How many there are at most in a sequence of `n_tokens` tokens, BOS and EOS included.
    pub fn count(self, n_tokens: usize) -> usize {
        match self {
            Self::Residues | Self::Masks => n_tokens.saturating_sub(N_SPECIAL_TOKENS),
            Self::Tokens => n_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(content: Content, dtype: OutputDtype) -> Column {
        Column {
            name: String::new(),
            content,
            dtype,
        }
    }

    #[test]
    fn layers_are_named_once() {
        let mut question = Question::pooled(&[6, 0, 3], Pooling::Mean);
        question.columns.push(column(
            Content::States {
                layer: 3,
                positions: Positions::Residues,
            },
            OutputDtype::F16,
        ));
        assert_eq!(question.layers(6), [0, 3, 6]);
        let of_pieces = question.of_pieces();
        assert_eq!(of_pieces.columns.len(), 7);
        assert_eq!(of_pieces.columns[..4], question.columns);
        assert!(of_pieces.is_of_pieces() && !question.is_of_pieces());
        assert!(!question.needs_head());
    }

    #[test]
    fn columns_have_shapes() {
        let mut question = Question::pooled(&[6], Pooling::Mean);
        let positions = Positions::Tokens;
        for content in [Content::Logits { positions }, Content::Contacts] {
            question.columns.push(column(content, OutputDtype::F32));
        }
        let expect = "embedding_6 [160],  [L + 2, 33],  [L, L]";
        assert_eq!(question.shapes(160), expect);
    }

    #[test]
    fn bytes_follow_from_the_number_of_tokens() {
        let positions = Positions::Residues;
        let states = column(
            Content::States {
                layer: 0,
                positions,
            },
            OutputDtype::F16,
        );
        let logits = column(
            Content::Logits {
                positions: Positions::Tokens,
            },
            OutputDtype::F32,
        );
        let mut question = Question::pooled(&[1], Pooling::Std);
        assert_eq!(question.bytes_of(12, 320), 4 * 320);
        assert_eq!(question.most_bytes(120, 12, 320), 10 * 4 * 320);
        question.columns = vec![states.clone()];
        assert_eq!(question.bytes_of(12, 320), 2 * 10 * 320);
        assert_eq!(question.most_bytes(120, 12, 320), 2 * 118 * 320);
        question.columns = vec![states, logits];
        assert_eq!(question.bytes_of(12, 320), 2 * 10 * 320 + 4 * 12 * 33);
        assert!(question.needs_head());
        let positions = Positions::Masks;
        let masks = Content::Logits { positions };
        assert_eq!(masks.n_numbers(12, 320), 10 * 33);
        assert_eq!(masks.n_numbers_of(&[0, 32, 5, 32, 2], 320), 2 * 33);
        assert_eq!(masks.n_numbers_of(&[0, 5, 2], 320), 0);
        question.columns = vec![column(masks, OutputDtype::F32)];
        assert_eq!(question.of_all_residues().bytes_of(12, 320), 4 * 10 * 33);
        let positions = Positions::Residues;
        let content = Content::Logits { positions };
        assert_eq!(question.of_all_residues().columns[0].content, content);
        let contacts = column(Content::Contacts, OutputDtype::F32);
        question.columns = vec![contacts];
        assert_eq!(question.bytes_of(12, 320), 4 * 10 * 10);
        assert_eq!(question.vector_bytes(320), 0);
        assert_eq!(question.written_bytes_of(12, 320), 4 * 10 * 10);
        assert!(question.needs_contacts() && !question.needs_head());
    }
}
