//! What the embeddings of a real model must be.
//!
//! - `golden`: equal to those of HF transformers in f32.
//! - `invariance`: the same alone, in any batch and in every run.

mod common;
mod golden;
mod invariance;
