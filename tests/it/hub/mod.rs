//! The Hugging Face Hub: a server that stands for it, and downloads that are killed.

mod kills;
#[expect(
    dead_code,
    reason = "the tests of the library in `src/hub/online/tests` have it, too, and use more of it"
)]
pub mod server;
