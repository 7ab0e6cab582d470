//! Processes that share the work of a script: which records each embeds, who says which one it is, and which
//! files are its own.

mod division;
mod files;
mod place;
mod who;
