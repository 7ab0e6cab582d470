//! What scripts do with strings, where the engine would look at the size of a result too late.

use crate::script::{failure::RhaiResultOf, limits::MAX_STRING_BYTES};
use rhai::{ImmutableString, plugin::*};

/// Replaces a pattern, of which there are `n_found` places of `n_bytes` bytes each, unless the text
/// would be too long.
fn replaced(
    text: &mut ImmutableString,
    (n_found, n_bytes): (usize, usize),
    substitute: &str,
    replace: impl FnOnce(&str) -> String,
) -> RhaiResultOf<()> {
    let longer = n_found.saturating_mul(substitute.len());
    let length = (text.len() - n_found * n_bytes).saturating_add(longer);
    if length > MAX_STRING_BYTES {
        let what = "Length of string".to_owned();
        return Err(EvalAltResult::ErrorDataTooLarge(what, Position::NONE).into());
    }
    *text = replace(text).into();
    Ok(())
}

#[export_module]
pub(super) mod string_api {
    use super::*;

    /// Replaces every `find` in the string by `substitute`.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let name = "proteins.fa.gz";
    /// name.replace(".fa.gz", ".parquet");
    /// ```
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace(text: &mut ImmutableString, find: &str, substitute: &str) -> RhaiResultOf<()> {
        let found = (text.matches(find).count(), find.len());
        replaced(text, found, substitute, |text| {
            text.replace(find, substitute)
        })
    }

    /// Replaces every character `find` in the string by `substitute`.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_char(
        text: &mut ImmutableString,
        find: char,
        substitute: &str,
    ) -> RhaiResultOf<()> {
        let found = (text.matches(find).count(), find.len_utf8());
        replaced(text, found, substitute, |text| {
            text.replace(find, substitute)
        })
    }
}
