//! What a colour stands for.

use serde::{Serialize, Serializer};

/// What a colour stands for. The pages have a class for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Ink {
    First,
    Second,
    Third,
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

impl Ink {
    /// The class that gives it its colour.
    fn class(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Third => "third",
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
