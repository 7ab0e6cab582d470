//! How the mock device behaves.

use super::{OptionMap, OptionTable, Problems, row::OptionRow};

/// How the mock device behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mock {
    /// How fast it is; as fast as it can be if nothing is given.
    pub tokens_per_sec: Option<f64>,
    /// By how much the time of a batch varies to either side, from 0 to 1.
    pub jitter: f64,
    /// What embeddings, and the variation, depend on beside the tokens.
    pub seed: u64,
    /// Tokens of the largest batch that it has memory for; as many as one likes if nothing is given.
    pub memory_tokens: Option<u64>,
    /// Devices, each of which is so fast.
    pub lanes: usize,
    /// How fast the last of them is, as a share of that.
    pub last_speed: f64,
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
    Row::whole("lanes", 1..=MOST_LANES, |to, n| to.lanes = n.unsigned_abs() as usize, |of| of.lanes.into())
        .doc("devices, each of which is so fast"),
    Row::number("last_speed", 0.01..=1.0, |to, share| to.last_speed = share, |of| of.last_speed.into())
        .doc("how fast the last device is, as a share of that"),
];

/// As many devices as the largest machine has.
const MOST_LANES: i64 = 64;

impl Default for Mock {
    fn default() -> Self {
        Self {
            tokens_per_sec: None,
            jitter: 0.0,
            seed: 0,
            memory_tokens: None,
            lanes: 1,
            last_speed: 1.0,
        }
    }
}

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
