//! Proteins of FASTA files, one at a time.

use super::ScoreError;
use crate::{
    alphabet::MASK_RESIDUE,
    cancel::CancelToken,
    fasta::{
        Fault, Input, InputError, Outcome, PlanFault, Record, Rejection, Remark, Remarks,
        UnitReader, Units,
    },
    job::RecordPolicy,
};

/// A protein without mutations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Protein {
    /// Its number among those that are scored, from 1.
    pub(super) number: u64,
    pub(super) id: String,
    /// Its residues, in upper case.
    pub(super) sequence: Vec<u8>,
    /// How many it had before it was truncated.
    pub(super) n_residues: u32,
    pub(super) is_truncated: bool,
}

impl Protein {
    pub(super) fn of(number: u64, record: Record) -> Self {
        Self {
            number,
            is_truncated: record.is_truncated(),
            n_residues: record.length,
            id: record.id,
            sequence: record.sequence,
        }
    }
}

/// A record that a rule rejected.
pub(super) struct Rejected {
    /// Its number in the inputs, from 1.
    pub(super) ordinal: u64,
    pub(super) rejection: Rejection,
}

/// What comes out of FASTA files.
pub(super) enum Found {
    Protein(Protein),
    Rejected(Rejected),
}

/// Reads FASTA files from their beginning, `take` records at most, and does something with each. Returns warnings about
/// what is odd about them.
///
/// # Errors
/// They cannot be read, a rule does not allow a record, somebody tells to stop, or `each` fails.
pub(super) fn try_each(
    inputs: &[Input],
    policy: &RecordPolicy,
    take: Option<u64>,
    cancel: &CancelToken,
    mut each: impl FnMut(Found) -> Result<(), ScoreError>,
) -> Result<Vec<String>, ScoreError> {
    let name = |input: usize| inputs.get(input).map_or("", |input| input.name.as_str());
    let take = take.unwrap_or(u64::MAX);
    let (mut n_records, mut n_proteins) = (0, 0);
    let mut before: (usize, u64) = (0, 0);
    let mut warnings = Vec::new();
    let mut remarks = Remarks::default();
    let mut warn = |remarks: &mut Remarks, (input, n_records): (usize, u64)| {
        let remarks = std::mem::take(remarks);
        warnings.extend(remarks.warnings(name(input), n_records, policy.residues, ""));
    };
    for unit in Units::new(inputs.to_vec(), Units::UNIT_BYTES) {
        let unit =
            unit.map_err(|PlanFault { input, fault }| fault.locate(name(input), 0, None, ""))?;
        if before.0 != unit.input {
            warn(&mut remarks, before);
            before = (unit.input, 0);
        }
        let n_before = before.1;
        let fail = |fault: Fault| fault.locate(name(unit.input), n_before, None, "");
        let mut reader = UnitReader::open(&unit, policy.clone()).map_err(fail)?;
        while n_records < take
            && let Some(outcome) = reader.next_outcome().map_err(fail)?
        {
            ScoreError::unless_stopped(cancel)?;
            n_records += 1;
            before.1 += 1;
            let id = outcome.id();
            let mut add = |remark: Remark| remarks.add(&remark, before.1, id);
            reader.take_remarks().into_iter().for_each(&mut add);
            match outcome {
                Outcome::Kept(record) if record.sequence.contains(&MASK_RESIDUE) => {
                    return Err(masked(name(unit.input), before.1, &record.id).into());
                }
                Outcome::Kept(record) => {
                    n_proteins += 1;
                    each(Found::Protein(Protein::of(n_proteins, record)))?;
                }
                Outcome::Rejected(rejection) => each(Found::Rejected(Rejected {
                    ordinal: n_records,
                    rejection,
                }))?,
            }
        }
        if n_records == take {
            break;
        }
    }
    warn(&mut remarks, before);
    Ok(warnings)
}

/// A record with a mask, which would be one too many.
fn masked(file: &str, ordinal: u64, id: &str) -> InputError {
    InputError {
        record: Some(format!("record {ordinal} (`{id}`)")),
        ..InputError::new(
            file,
            "has a `<mask>`, and nothing can be said about a residue that nobody knows",
            "give whole proteins: sites are masked one after the other",
        )
    }
}
