//! What a colour stands for.

use serde::{Serialize, Serializer};

/// What a colour stands for. The pages have a class for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Ink {
    First,
    Second,
    Third,
    /// A lane, by which of those that are shown.
    Lane(usize),
    Mild,
    Critical,
    Working,
    Starved,
    Blocked,
    /// The best of several.
    Best,
    /// What is said of another thing, and is readable on top of it.
    Mark,
}

/// The classes of lanes.
const LANES: [&str; 8] = ["l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7"];

impl Ink {
    /// So many lanes have colours that can be told apart.
    pub(in crate::report) const MOST_LANES: usize = LANES.len();

    /// The class that gives it its colour.
    fn class(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Third => "third",
            Self::Lane(lane) => LANES[lane % LANES.len()],
            Self::Mild => "mild",
            Self::Critical => "critical",
            Self::Working => "working",
            Self::Starved => "starved",
            Self::Blocked => "blocked",
            Self::Best => "good",
            Self::Mark => "mark",
        }
    }
}

impl Serialize for Ink {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.class())
    }
}
