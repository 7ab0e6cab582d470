//! The Hugging Face Hub: a server that stands for it, and downloads that are killed.

mod kills;
pub mod server;
