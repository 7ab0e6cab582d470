//! How the mock device behaves.

use super::{OptionMap, OptionTable, Problems, row::OptionRow};

/// How the mock device behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mock {
    /// How fast it is; as fast as it can be if nothing is given.
    pub tokens_per_sec: Option<f64>,
    /// By how much the time of a batch varies to either side, from 0 to 1.
    pub jitter: f64,
    /// What embeddings, and the variation, depend on beside the tokens.
    pub seed: u64,
    /// Tokens of the largest batch that it has memory for; as many as one likes if nothing is given.
    pub memory_tokens: Option<u64>,
}

type Row = OptionRow<Mock>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::number("tokens_per_sec", 1.0..=1e12, |to, speed| to.tokens_per_sec = Some(speed),
        |of| of.tokens_per_sec.into())
        .otherwise("as fast as it can").doc("its speed"),
    Row::number("jitter", 0.0..=1.0, |to, jitter| to.jitter = jitter, |of| of.jitter.into())
        .doc("by how much the time of a batch varies to either side, from 0 to 1"),
    Row::whole("seed", 0..=i64::MAX, |to, seed| to.seed = seed.unsigned_abs(), |of| of.seed.into())
        .doc("what embeddings, and the variation, depend on beside the tokens"),
    Row::whole("memory_tokens", 1..=i64::MAX, |to, n| to.memory_tokens = Some(n.unsigned_abs()),
        |of| of.memory_tokens.into())
        .otherwise("no limit").doc("the tokens of the largest batch that it has memory for"),
];

impl Mock {
    /// Every option of the mock device, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: Self::default,
    };

    /// The behaviour that a script gave; the rest keeps its defaults.
    ///
    /// # Errors
    /// Every option that is unknown, of the wrong type or out of range.
    pub fn from_map(map: OptionMap) -> Result<Self, Problems> {
        Self::OPTIONS.read(map)
    }
}
