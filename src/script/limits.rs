//! What a script may not exceed.

/// Script functions may call each other this deep.
pub(super) const MAX_CALL_LEVELS: usize = 64;
/// Expressions may be nested this deep, outside and inside of functions.
pub(super) const MAX_EXPRESSION_DEPTHS: (usize, usize) = (128, 64);
/// Bytes of a string, or of all strings in an array or a map.
pub(super) const MAX_STRING_BYTES: usize = 16 << 20;
/// Items of an array, those of arrays in it included, and bytes of a blob.
pub(super) const MAX_ARRAY_ITEMS: usize = 1_000_000;
/// Entries of a map, or of all maps in an array: those of the rows of a sweep with 10,000 points.
pub(super) const MAX_MAP_ENTRIES: usize = 500_000;
