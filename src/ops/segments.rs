//! Where each sequence of a packed batch lies.

use std::ops::Range;

/// The sequences of a packed batch of T tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    cu_seqlens: Vec<usize>,
    max_seqlen: usize,
    /// Which of them are pieces of longer ones; nothing, if none is.
    pieces: Vec<bool>,
}

impl Segments {
    /// From `cu_seqlens`, `[n + 1]`: 0, then the end of each sequence, rising strictly.
    ///
    /// # Panics
    /// If `cu_seqlens` is not of this form: the packer never makes another.
    pub fn new(cu_seqlens: &[i32]) -> Self {
        let cu_seqlens: Vec<usize> = cu_seqlens
            .iter()
            .map(|&end| usize::try_from(end).expect("token counts are not negative"))
            .collect();
        assert_eq!(cu_seqlens.first(), Some(&0), "cu_seqlens begins with 0");
        assert!(
            cu_seqlens.windows(2).all(|pair| pair[0] < pair[1]),
            "cu_seqlens rises strictly"
        );
        let max_seqlen = cu_seqlens
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap_or(0);
        Self {
            cu_seqlens,
            max_seqlen,
            pieces: Vec::new(),
        }
    }

    /// The same, where these sequences are pieces of longer ones.
    pub(super) fn with_pieces(self, pieces: Vec<bool>) -> Self {
        Self { pieces, ..self }
    }

    /// Whether a sequence is a piece of a longer one.
    pub fn is_piece(&self, sequence: usize) -> bool {
        self.pieces.get(sequence).is_some_and(|is_piece| *is_piece)
    }

    /// Tokens of all sequences together, T.
    pub fn n_tokens(&self) -> usize {
        *self.cu_seqlens.last().expect("cu_seqlens begins with 0")
    }

    /// Sequences, n.
    pub fn len(&self) -> usize {
        self.cu_seqlens.len() - 1
    }

    /// Whether there is no sequence at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of the longest sequence.
    pub fn max_seqlen(&self) -> usize {
        self.max_seqlen
    }

    /// The token range of each sequence, BOS and EOS included.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = Range<usize>> + Clone + '_ {
        self.cu_seqlens.windows(2).map(|pair| pair[0]..pair[1])
    }
}

/// The residues of a sequence of so many tokens.
pub(super) fn n_residues(n_tokens: usize) -> usize {
    n_tokens
        .checked_sub(2)
        .filter(|&n| n > 0)
        .expect("every sequence has a residue between BOS and EOS")
}
