//! How batches are brought to the device.

/// What a [`Stager`](super::Stager) has to know.
#[derive(Clone, Copy, Debug)]
pub struct StagerOptions {
    /// Tokens of the largest batch.
    pub token_budget: usize,
    /// Batches that may be on their way at the same time: from their staging to when the last operation on
    /// them is enqueued.
    pub n_slots: usize,
    /// The test mode in which memory of batches is overwritten as soon as it may be: a batch that
    /// is read too early or too late then fails or gives other embeddings.
    pub poisoned: bool,
    /// Another test mode: the device is lost before the batch of this number, from 0.
    pub lost_at: Option<u64>,
}
