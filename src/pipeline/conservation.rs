//! The law of the pipeline: what goes in comes out.

use crate::{error::Error, meter::Flow};

/// How many records each station and each queue saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Records read.
    pub(super) records: u64,
    /// Records that a policy rejected.
    pub(super) rejected: u64,
    /// Records that went into the packer.
    pub(super) packed: u64,
    /// Of these, records that were dropped because the run was told to stop.
    pub(super) dropped: u64,
    /// Sequences through the queue of batches.
    pub(super) batches: Flow,
    /// Sequences of batches that the encoding threads of failed lanes handed back.
    pub(super) refused: u64,
    /// Sequences of batches that were lost in flight and handed back.
    pub(super) lost: u64,
    /// Sequences of such batches that another lane took.
    pub(super) taken_again: u64,
    /// Sequences through the queue of batches in flight.
    pub(super) in_flight: Flow,
    /// Sequences that came back from the encoder.
    pub(super) encoded: u64,
    /// Sequences through the queue of rows.
    pub(super) rows: Flow,
    /// Rows written, in input order without a gap.
    pub(super) written: u64,
}

/// Checks that read = embedded + rejected, and that no queue lost anything.
///
/// # Errors
/// [`Error::Conservation`] names the first station that does not agree.
pub(super) fn check(counts: &Counts) -> Result<(), Error> {
    let agree = |what: &str, came: u64, went: u64| {
        if came == went {
            Ok(())
        } else {
            Err(Error::Conservation(format!(
                "{what}: {came} in, {went} out"
            )))
        }
    };
    agree(
        "records read, and embedded or rejected",
        counts.records,
        counts.packed + counts.rejected,
    )?;
    agree(
        "packer",
        counts.packed,
        counts.batches.sent + counts.dropped,
    )?;
    agree(
        "queue of batches",
        counts.batches.sent,
        counts.batches.received,
    )?;
    agree(
        "batches that were handed back",
        counts.refused + counts.lost,
        counts.taken_again,
    )?;
    agree(
        "encoder",
        counts.batches.received + counts.taken_again,
        counts.in_flight.sent + counts.refused,
    )?;
    agree(
        "queue of batches in flight",
        counts.in_flight.sent,
        counts.in_flight.received,
    )?;
    agree(
        "collector",
        counts.in_flight.received,
        counts.encoded + counts.lost,
    )?;
    agree("collector to writer", counts.encoded, counts.rows.sent)?;
    agree("queue of rows", counts.rows.sent, counts.rows.received)?;
    agree("writer", counts.rows.received, counts.written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Counts {
        let flow = Flow {
            sent: 7,
            received: 7,
        };
        Counts {
            records: 12,
            rejected: 3,
            packed: 9,
            dropped: 2,
            batches: flow,
            refused: 3,
            lost: 4,
            taken_again: 7,
            in_flight: Flow {
                sent: 11,
                received: 11,
            },
            encoded: 7,
            rows: flow,
            written: 7,
        }
    }

    #[test]
    fn counts_that_agree_pass() {
        assert!(check(&good()).is_ok());
    }

    #[test]
    fn each_loss_is_named() {
        let check_lost = |lose: fn(&mut Counts), station: &str| {
            let mut counts = good();
            lose(&mut counts);
            let error = check(&counts).expect_err(station).to_string();
            assert!(error.contains(station), "{error} does not name {station}");
        };
        check_lost(|c| c.records += 1, "records read");
        check_lost(|c| c.rejected -= 1, "records read");
        check_lost(|c| c.batches.sent -= 1, "packer");
        check_lost(|c| c.dropped -= 1, "packer");
        check_lost(|c| c.batches.received -= 1, "queue of batches");
        check_lost(|c| c.taken_again -= 1, "handed back");
        check_lost(|c| c.refused += 1, "handed back");
        check_lost(|c| c.lost -= 1, "handed back");
        check_lost(|c| c.in_flight.sent -= 1, "encoder");
        check_lost(|c| c.in_flight.received -= 1, "queue of batches in flight");
        check_lost(|c| c.encoded += 1, "collector");
        check_lost(|c| c.rows.sent -= 1, "collector to writer");
        check_lost(|c| c.rows.received -= 1, "queue of rows");
        check_lost(|c| c.written -= 1, "writer");
    }
}
