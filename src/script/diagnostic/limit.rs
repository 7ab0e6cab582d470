//! What a script may not exceed, in words: what it did, and what to do instead.

use crate::script::{
    limits::{MAX_ARRAY_ITEMS, MAX_CALL_LEVELS, MAX_MAP_ENTRIES, MAX_STRING_BYTES},
    memory::MOST_BYTES,
};

/// Explains what the engine says of a value beyond its limits, such as "Length of string".
pub(super) fn of_a_value(what: &str) -> (String, &'static str) {
    let what = what.to_lowercase();
    let message = if what.contains("string") {
        format!(
            "strings of more than {} MiB are too large",
            MAX_STRING_BYTES >> 20
        )
    } else if what.contains("map") {
        format!("maps of more than {MAX_MAP_ENTRIES} entries are too large")
    } else {
        format!("arrays of more than {MAX_ARRAY_ITEMS} items are too large")
    };
    let hint = "what is in an array or a map counts, too; large data belong into files";
    (message, hint)
}

/// Of all values together.
pub(super) fn of_memory() -> (String, &'static str) {
    let message = format!(
        "the script holds more than {} GiB of memory",
        MOST_BYTES >> 30
    );
    (message, "large data belong into files")
}

/// Of functions that call functions.
pub(super) fn of_calls() -> (String, &'static str) {
    let message = format!("functions call each other more than {MAX_CALL_LEVELS} levels deep");
    let hint = "a function that calls itself needs a case in which it does not";
    (message, hint)
}
