//! The policies on lengths.

use super::{
    error::Fault,
    record::{Outcome, Record, Rejection},
    residues::Residues,
};
use crate::job::{LongSequences, RecordPolicy, Window};

/// Far more than any protein has. It bounds what one record costs.
pub(super) const MOST_KEPT_RESIDUES: usize = 16 << 20;

/// Applies the policies on lengths to a record. The place of a fault is for the caller to fill in.
pub(super) fn judge(
    id: String,
    description: String,
    residues: Residues,
    policy: &RecordPolicy,
) -> Result<Outcome, Fault> {
    let n_residues = residues.n_residues;
    let limit = policy.long_sequences.limit();
    let most_read = policy.long_sequences.most_read();
    let reject = |id, reason| Ok(Outcome::Rejected(Rejection { id, reason }));
    if n_residues == 0 {
        return reject(id, "empty sequence".to_owned());
    }
    if let Some(min_length) = policy.min_length
        && n_residues < min_length as u64
    {
        let reason = format!("{n_residues} residues, fewer than min_length {min_length}");
        return reject(id, reason);
    }
    if let Some(max_length) = policy.max_length
        && n_residues > max_length as u64
    {
        let reason = format!("{n_residues} residues, more than max_length {max_length}");
        return reject(id, reason);
    }
    if n_residues > limit as u64 {
        match policy.long_sequences {
            LongSequences::Truncate(_) => {}
            LongSequences::Window(Window { most, .. }) if n_residues <= most as u64 => {}
            LongSequences::Window(Window { most, .. }) => {
                let reason = format!(
                    "{n_residues} residues, more than the {most} that are joined from windows"
                );
                return reject(id, reason);
            }
            LongSequences::Full(_) => {
                let reason =
                    format!("{n_residues} residues, more than the {limit} that a batch holds");
                return reject(id, reason);
            }
            LongSequences::Skip(_) => {
                return reject(id, format!("{n_residues} residues, more than {limit}"));
            }
            LongSequences::Error(_) => {
                return Err(Fault::of_file(
                    format!("{n_residues} residues, more than {limit}"),
                    format!(
                        "`.long_sequences(\"truncate\", {limit})` embeds the first {limit}, \
                         `.long_sequences(\"window\", {limit})` embeds all in windows, \
                         `.long_sequences(\"skip\", {limit})` rejects such records"
                    ),
                ));
            }
        }
    }
    let length = u32::try_from(n_residues).ok();
    let (true, Some(length)) = (
        most_read.min(n_residues as usize) <= MOST_KEPT_RESIDUES,
        length,
    ) else {
        return Err(Fault::of_file(
            format!("{n_residues} residues, which no protein has"),
            "`.max_length(100000)` rejects such records",
        ));
    };
    Ok(Outcome::Kept(Record {
        id,
        description,
        sequence: residues.sequence,
        length,
        piece: None,
    }))
}
