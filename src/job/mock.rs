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
    /// How many of them fail, from the first one on.
    pub fail_lanes: usize,
    /// Batches that each of these computes before.
    pub fail_after: u64,
    /// What they fail with.
    pub fail_with: MockFault,
}

/// What a mock device fails with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MockFault {
    /// It is lost, as is noticed when a batch is given to it.
    #[default]
    Lost,
    /// It is lost, as is noticed when a batch is waited for.
    LostInFlight,
    /// It has no memory for one batch.
    Memory,
    /// The code that drives it panics.
    Panic,
}

impl MockFault {
    /// What a script may write.
    pub const NAMES: [&str; 4] = ["lost", "lost in flight", "memory", "panic"];
    const ALL: [Self; 4] = [Self::Lost, Self::LostInFlight, Self::Memory, Self::Panic];

    fn from_name(name: &str) -> Option<Self> {
        let mut named = Self::NAMES.iter().zip(Self::ALL);
        named.find_map(|(other, fault)| (*other == name).then_some(fault))
    }

    fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
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
    Row::whole("fail_lanes", 0..=MOST_LANES, |to, n| to.fail_lanes = n.unsigned_abs() as usize,
        |of| of.fail_lanes.into())
        .doc("for testing: how many of them fail"),
    Row::whole("fail_after", 0..=i64::MAX, |to, n| to.fail_after = n.unsigned_abs(), |of| of.fail_after.into())
        .doc("the batches that each of these computes before"),
    Row::choice("fail_with", &MockFault::NAMES,
        |to, name| MockFault::from_name(name).map(|fault| to.fail_with = fault), |of| of.fail_with.name().into())
        .doc("what they fail with: `\"lost\"`, `\"lost in flight\"`, `\"memory\"` (of one batch) or `\"panic\"`"),
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
            fail_lanes: 0,
            fail_after: 0,
            fail_with: MockFault::default(),
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
