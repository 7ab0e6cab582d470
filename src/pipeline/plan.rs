//! What a run does, once the model is known.

use super::fleet::Fleet;
use crate::{
    alphabet::N_SPECIAL_TOKENS,
    batch::MAX_REORDER_BUDGETS,
    device::DeviceError,
    error::Error,
    event::EventSender,
    job::{EmbedPlan, LongSequences, Question, Window},
    model::{Model, ModelError},
};
use std::num::NonZeroUsize;

/// What a run does, once the model is known.
pub(super) struct Plan {
    /// Tokens that a batch may hold.
    pub(super) token_budget: NonZeroUsize,
    /// Whether batches are packed, or padded.
    pub(super) packing: bool,
    /// Whether each batch holds consecutive records. On the CPU, fuller batches are no faster; and where rows are
    /// large, too many of them would wait for their turn.
    pub(super) is_in_order: bool,
    /// The most residues of a record that fits into the device's memory, where that is less than
    /// the dataset lets through.
    pub(super) longest_that_fits: Option<usize>,
    /// The windows that long sequences are divided into, if they are.
    pub(super) window: Option<Window>,
}

/// Tokens of a sequence, about.
const USUAL_TOKENS: usize = 512;
/// Bytes of the answer to a batch, about, unless the script asks for larger ones: some batches are in main memory at a
/// time. It is that of every layer of a large model that makes batches smaller.
const MOST_ANSWER_BYTES: usize = 1 << 30;
/// Rows that wait for their turn may take so many bytes. Beyond, batches are made in order.
const MOST_WAITING_BYTES: usize = 4 << 30;
/// The most tokens that a batch holds by default where contacts are asked for, of which there are as many as the
/// square of a sequence's length: with sequences of 1,022 residues it is 16 MB of them.
const CONTACTS_BUDGET: usize = 4096;
/// A device that has no memory for a batch of so few tokens has none for the model.
const SMALLEST_BUDGET_TRIED: usize = 256;

impl Plan {
    /// Joins what the script asked for with what the model has, and tries the memory of the devices: the
    /// token budget is halved until a batch fits into each.
    ///
    /// # Errors
    /// If every device fails.
    pub(super) fn new(
        model: &Model,
        fleet: &mut Fleet<'_>,
        wanted: &EmbedPlan,
        events: &EventSender,
    ) -> Result<Self, Error> {
        let options = wanted.options();
        let budget = Self::wanted_budget(model, wanted);
        let question = wanted.asked();
        let fitting = fitting_budget(fleet, budget, question, events)?;
        let waiting_bytes = most_waiting_bytes(question, fitting, model.hidden_size());
        Ok(Self {
            token_budget: NonZeroUsize::new(fitting).expect("budgets are not zero"),
            packing: options.packing,
            is_in_order: model.is_on_cpu() || waiting_bytes > MOST_WAITING_BYTES,
            window: wanted.dataset().policy.long_sequences.window(),
            longest_that_fits: (fitting < budget).then(|| fitting - N_SPECIAL_TOKENS),
        })
    }

    /// The plan of a run that has nothing to do, and tries nothing.
    pub(super) fn unmade(model: &Model, wanted: &EmbedPlan) -> Self {
        let budget = Self::wanted_budget(model, wanted);
        Self {
            token_budget: NonZeroUsize::new(budget).expect("budgets are not zero"),
            packing: wanted.options().packing,
            is_in_order: model.is_on_cpu(),
            window: wanted.dataset().policy.long_sequences.window(),
            longest_that_fits: None,
        }
    }

    fn wanted_budget(model: &Model, wanted: &EmbedPlan) -> usize {
        let (dataset, options) = (wanted.dataset(), wanted.options());
        // The default holds the longest sequence that the dataset lets through, within reason: a
        // limit of a billion residues must not make the packer collect billions of tokens.
        let longest = dataset.policy.long_sequences.limit();
        let longest = longest.min(LongSequences::LARGEST_DEFAULT_BUDGET - N_SPECIAL_TOKENS)
            + N_SPECIAL_TOKENS;
        let question = wanted.asked();
        let usual = match question.needs_contacts() {
            true => model.default_token_budget().min(CONTACTS_BUDGET),
            false => model.default_token_budget(),
        };
        let answer_bytes = question.bytes_of(USUAL_TOKENS, model.hidden_size());
        let usual = usual.min(MOST_ANSWER_BYTES / answer_bytes.max(1) * USUAL_TOKENS);
        let default = usual.max(longest);
        options.token_budget.map_or(default, NonZeroUsize::get)
    }
}

/// Bytes of the rows that can wait for their turn if batches of so many tokens are not made in order, where sequences
/// are as long as they usually are.
fn most_waiting_bytes(question: &Question, token_budget: usize, hidden_size: usize) -> usize {
    let n_sequences = MAX_REORDER_BUDGETS * token_budget / USUAL_TOKENS;
    n_sequences * question.bytes_of(USUAL_TOKENS, hidden_size)
}

/// `wanted`, halved until every device has memory for a batch of that size. One that has room for none is
/// left out.
fn fitting_budget(
    fleet: &mut Fleet<'_>,
    wanted: usize,
    question: &Question,
    events: &EventSender,
) -> Result<usize, Error> {
    let mut budget = wanted;
    loop {
        let n_lost = fleet.n_lost();
        let fits = fleet.each(|_, replica| match replica.warm_up(budget, question) {
            Err(ModelError::Device(DeviceError::OutOfMemory { .. }))
                if budget / 2 >= SMALLEST_BUDGET_TRIED =>
            {
                Ok(false)
            }
            result => result.map(|()| true),
        })?;
        if fleet.n_lost() > n_lost {
            // It may have been the one that had no room, and the others have.
            budget = wanted;
        } else if fits.contains(&false) {
            budget /= 2;
            events.warn(format!(
                "the GPU has no memory for batches of {} tokens; trying {budget}",
                2 * budget
            ));
        } else {
            return Ok(budget);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Column, Content, OutputDtype, Pooling, Positions};

    #[test]
    fn only_large_rows_make_batches_come_in_order() {
        let waiting = |content, dtype, token_budget, hidden_size| {
            let name = String::new();
            let columns = vec![Column {
                name,
                content,
                dtype,
            }];
            most_waiting_bytes(&Question { columns }, token_budget, hidden_size)
        };
        let states = Content::States {
            layer: 33,
            positions: Positions::Residues,
        };
        let pooled = Content::Pooled {
            layer: 33,
            pooling: Pooling::Mean,
        };
        // ESM-2 650M has 1.5 GB of residues in half precision on their way, and 15B twelve.
        let bytes = waiting(states, OutputDtype::F16, 32_768, 1280);
        assert!((1_490_000_000..1_510_000_000).contains(&bytes), "{bytes}");
        assert!(waiting(states, OutputDtype::F32, 32_768, 1280) <= MOST_WAITING_BYTES);
        assert!(waiting(states, OutputDtype::F32, 32_768, 2560) > MOST_WAITING_BYTES);
        assert!(waiting(pooled, OutputDtype::F32, 65_536, 5120) < MOST_WAITING_BYTES / 50);
    }
}
