//! Reading the records of one work unit.

use super::{
    beginning::find_beginning,
    character::Characters,
    compression::Compression,
    definition::{DefinitionLine, MOST_DEFINITION_BYTES},
    error::{Fault, FaultPlace},
    length::{self, MOST_KEPT_RESIDUES},
    oddity::{Oddity, Remark},
    record::Outcome,
    residues::{Refusal, Residues},
    unit::{Extent, Unit},
    unit_lines::UnitLines,
    unit_text::UnitText,
};
use crate::job::RecordPolicy;
use std::{
    fs::File,
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes of text, about, that are skipped at once.
const SKIPPED_BYTES: usize = 1 << 20;

/// Reads the records of one work unit and applies the policies to them.
pub struct UnitReader {
    lines: UnitLines<Box<dyn Read + Send>>,
    policy: RecordPolicy,
    compression: Compression,
    unit: Unit,
    file: Arc<File>,
    disk_bytes: Arc<AtomicU64>,
    /// Where the unit's records begin in the text, if they do not begin with it and have not come yet.
    start: Option<Arc<AtomicU64>>,
    n_records: u64,
    last_id: Option<String>,
    remarks: Vec<Remark>,
}

impl UnitReader {
    /// Opens the unit's file and goes to its first record.
    ///
    /// # Errors
    /// A fault is returned if the file cannot be read, is not the one that it was when the run
    /// began, or if its text does not begin as FASTA does.
    pub fn open(unit: &Unit, policy: RecordPolicy) -> Result<Self, Fault> {
        let text = UnitText::open(unit)?;
        let mut lines = UnitLines::new(text.content, text.range.start, text.range.end);
        let mut start = None;
        if let (Some(bounds), Extent::Portion { from, .. }) = (text.bounds, &unit.extent) {
            lines = lines.ending_at(bounds.end);
            start = (*from > 0).then_some(bounds.start);
        }
        let mut reader = Self {
            lines,
            policy,
            compression: text.compression,
            unit: unit.clone(),
            file: text.file,
            disk_bytes: text.disk_bytes,
            start,
            n_records: 0,
            last_id: None,
            remarks: Vec::new(),
        };
        let begun = reader.begin(text.range.start);
        reader.unless_changed(begun)?;
        Ok(reader)
    }

    fn begin(&mut self, position: u64) -> Result<(), Fault> {
        if position > 0 {
            let found = self.lines.skip_to_first_record();
            return found.map_err(|error| self.broken(&error));
        }
        find_beginning(&mut self.lines).map_err(|error| self.broken(&error))?
    }

    /// Records that have been read so far, and those before the unit that had to be read too.
    pub fn n_records(&self) -> u64 {
        self.n_records
    }

    /// Bytes of the file that have been read so far. A unit of a part of a file reads beyond its end.
    pub fn disk_bytes(&self) -> u64 {
        let n_bytes = self.disk_bytes.load(Ordering::Relaxed);
        match self.unit.extent {
            Extent::Portion { from, .. } => n_bytes.saturating_sub(from),
            _ => n_bytes,
        }
    }

    /// Goes on towards the first record of the unit, if others have to be read before, for some text. Gives
    /// whether it is still to come.
    ///
    /// # Errors
    /// As those of [`next_outcome`](Self::next_outcome).
    pub fn skip_some(&mut self) -> Result<bool, Fault> {
        let Some(start) = self.start.clone() else {
            return Ok(false);
        };
        let mut n_skipped = 0;
        loop {
            let (n_bytes, begins_record) = match self.lines.peek() {
                Ok(piece) => (piece.text.len(), piece.begins_record()),
                Err(error) => {
                    let broken = Err(self.broken(&error));
                    return self.unless_changed(broken);
                }
            };
            let position = self.lines.line_position();
            let has_come = begins_record && position > start.load(Ordering::Relaxed);
            if has_come || n_bytes == 0 {
                self.start = None;
                return Ok(false);
            }
            if n_skipped >= SKIPPED_BYTES {
                return Ok(true);
            }
            n_skipped += n_bytes;
            self.n_records += u64::from(begins_record);
            self.lines.consume(n_bytes);
        }
    }

    /// What is odd about the records since this was last asked.
    pub fn take_remarks(&mut self) -> Vec<Remark> {
        std::mem::take(&mut self.remarks)
    }

    /// What became of the next record, or `None` at the end of the unit.
    ///
    /// # Errors
    /// A fault is returned if the data are damaged or cut short, if the file changed while it was
    /// read, or if a policy does not allow the record. Nothing can be read after it.
    pub fn next_outcome(&mut self) -> Result<Option<Outcome>, Fault> {
        match self.read_record() {
            Ok(Some(outcome)) => Ok(Some(outcome)),
            end => self.unless_changed(end),
        }
    }

    /// The result, unless the file changed: then whatever was read means nothing.
    fn unless_changed<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        if let Some(identity) = &self.unit.identity {
            identity.check(&self.file, self.unit.path())?;
        }
        result
    }

    fn read_record(&mut self) -> Result<Option<Outcome>, Fault> {
        match self.lines.peek() {
            Ok(piece) if piece.text.is_empty() => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(self.broken(&error)),
        }
        let line = match self.lines.peek_line(MOST_DEFINITION_BYTES) {
            Ok(Some(line)) => line,
            Ok(None) => return Err(self.stopped(Oddity::LongDefinition)),
            Err(error) => return Err(self.broken(&error)),
        };
        let n_bytes = line.len();
        let read = DefinitionLine::read(line);
        let definition = read.map_err(|oddity| self.stopped(oddity))?;
        self.lines.consume(n_bytes);
        let residues = self.read_residues(&definition.id)?;
        self.note(&definition, &residues);
        let DefinitionLine {
            id, description, ..
        } = definition;
        let last_id = self.last_id.get_or_insert_default();
        last_id.clear();
        last_id.push_str(&id);
        let judged = length::judge(id, description, residues, &self.policy);
        let outcome = judged.map_err(|fault| Fault {
            place: self.this_record(self.last_id.as_deref().unwrap_or_default()),
            ..fault
        })?;
        self.n_records += 1;
        Ok(Some(outcome))
    }

    fn read_residues(&mut self, id: &str) -> Result<Residues, Fault> {
        let n_kept_at_most = self
            .policy
            .long_sequences
            .most_read()
            .min(MOST_KEPT_RESIDUES);
        let mut residues = Residues::new(self.policy.residues, n_kept_at_most);
        loop {
            let piece = match self.lines.peek() {
                Ok(piece) => piece,
                Err(error) => return Err(self.broken(&error)),
            };
            if piece.text.is_empty() || piece.begins_record() {
                let ended = residues.end();
                ended.map_err(|refusal| self.refused(id, &refusal))?;
                return Ok(residues);
            }
            let n_bytes = piece.text.len();
            let pushed = residues.push(piece.text, piece.begins_line);
            pushed.map_err(|refusal| self.refused(id, &refusal))?;
            self.lines.consume(n_bytes);
        }
    }

    /// Notes what is odd about a record.
    fn note(&mut self, definition: &DefinitionLine, residues: &Residues) {
        if !self.policy.remarks {
            return;
        }
        let n_foreign = residues.foreign.total();
        let n_bracket_lines = residues.evidence.n_bracket_lines();
        let n_glued = match n_bracket_lines {
            0 => residues.foreign.count('>'.into()),
            _ => 0,
        };
        let counted = [
            (Oddity::Nameless, u64::from(definition.id.is_empty())),
            (Oddity::NulInName, definition.n_nul_bytes as u64),
            (Oddity::Comment, residues.n_comments),
            (Oddity::Glued, n_glued),
            (Oddity::Foreign, n_foreign),
            (Oddity::Brackets, n_bracket_lines),
        ];
        let guessed = residues
            .evidence
            .oddities(&definition.id, residues.n_residues);
        let guessed = guessed.map(|oddity| (oddity, residues.n_residues));
        let index = self.n_records;
        let remark = |(oddity, count)| Remark {
            index,
            oddity,
            count,
            characters: match oddity {
                Oddity::Foreign => residues.foreign.clone(),
                _ => Characters::default(),
            },
        };
        let counted = counted.into_iter().filter(|(_, count)| *count > 0);
        self.remarks.extend(counted.chain(guessed).map(remark));
    }

    fn refused(&self, id: &str, refusal: &Refusal) -> Fault {
        let place = self.this_record(id);
        match refusal {
            Refusal::CarriageReturn => Oddity::CarriageReturn.fault(place),
            Refusal::Nul => Oddity::Nul.fault(place),
            Refusal::BrokenMask => Fault {
                place,
                message: "the record ends within a `<mask>`".to_owned(),
                hint: Some(
                    "does a line break stand before its `>`? what follows then is a definition line: keep `<mask>` \
                     in one line"
                        .to_owned(),
                ),
            },
            Refusal::Foreign {
                character,
                n_residues_before,
            } => Fault {
                place,
                message: format!(
                    "the character `{character}` behind {n_residues_before} residues is not in \
                     the model's alphabet"
                ),
                hint: Some(
                    "`.unknown_residues(\"unk\")` embeds it as unknown, `.unknown_residues(\"strip\")` removes it"
                        .to_owned(),
                ),
            },
        }
    }

    fn this_record(&self, id: &str) -> FaultPlace {
        FaultPlace::Record {
            index: self.n_records,
            id: id.to_owned(),
        }
    }

    /// An oddity of the definition line that comes next.
    fn stopped(&self, oddity: Oddity) -> Fault {
        oddity.fault(self.after_last_record())
    }

    fn after_last_record(&self) -> FaultPlace {
        FaultPlace::After {
            n_records: self.n_records,
            id: self.last_id.clone(),
        }
    }

    /// The fault for data that cannot be read or decompressed.
    fn broken(&self, error: &io::Error) -> Fault {
        let (message, hint) = self.compression.problem(error).unwrap_or_else(|| {
            (
                format!("cannot be read: {error}"),
                "check the disk that the file is on".to_owned(),
            )
        });
        Fault {
            place: self.after_last_record(),
            message,
            hint: Some(hint),
        }
    }
}
