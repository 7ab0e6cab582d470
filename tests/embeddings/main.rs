//! What the embeddings of a real model must be.
//!
//! - `golden`: equal to those of HF transformers in f32.
//! - `invariance`: the same alone, in any batch and in every run.
//! - `weights`: the same from every form of weights file.

mod common;
mod golden;
mod invariance;
mod weights;
