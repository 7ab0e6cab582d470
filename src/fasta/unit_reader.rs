//! Reading the records of one work unit.

use super::{
    beginning::find_beginning,
    compression::Compression,
    definition::{DefinitionLine, escape},
    error::{Fault, Place},
    length::{self, MOST_KEPT_RESIDUES},
    record::{Outcome, Tally},
    residues::{ForeignCharacter, Residues},
    section::Section,
    text::Text,
    unit::{Extent, Unit},
};
use crate::job::RecordPolicy;
use noodles_fasta::{io::Reader, record::Definition};
use std::{
    borrow::Cow,
    io::{self, BufRead, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Reads the records of one work unit and applies the policies to them.
pub struct UnitReader {
    reader: Reader<Section<Box<dyn Read + Send>>>,
    definition: Definition,
    policy: RecordPolicy,
    compression: Compression,
    disk_bytes: Arc<AtomicU64>,
    /// Bytes that the text must have; it had them when the run began.
    text_bytes: Option<u64>,
    tally: Tally,
    last_id: Option<String>,
}

/// A longer definition line is no definition line.
const MOST_DEFINITION_BYTES: usize = 1 << 20;

impl UnitReader {
    /// Opens the unit's file and goes to its first record.
    ///
    /// # Errors
    /// A fault is returned if the file cannot be read, or if its text does not begin as FASTA does.
    pub fn open(unit: &Unit, policy: RecordPolicy) -> Result<Self, Fault> {
        let text = Text::open(unit).map_err(|error| {
            Fault::of_file(
                format!("cannot be opened: {error}"),
                "check the file and the disk that it is on",
            )
        })?;
        let mut reader = Self {
            reader: Reader::new(Section::new(text.content, text.range.start, text.range.end)),
            definition: Definition::default(),
            policy,
            compression: text.compression,
            disk_bytes: text.disk_bytes,
            text_bytes: match unit.extent {
                Extent::Plain { file_bytes, .. } => Some(file_bytes),
                _ => None,
            },
            tally: Tally::default(),
            last_id: None,
        };
        let section = reader.reader.get_mut();
        if text.range.start > 0 {
            let found = section.skip_to_first_record();
            found.map_err(|error| reader.broken(&error))?;
        } else {
            let found = find_beginning(section).map_err(|error| reader.broken(&error))?;
            found?;
        }
        Ok(reader)
    }

    /// What has been read so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Bytes of the file that have been read so far. A unit of a part of a file reads beyond its end.
    pub fn disk_bytes(&self) -> u64 {
        self.disk_bytes.load(Ordering::Relaxed)
    }

    /// What became of the next record, or `None` at the end of the unit.
    ///
    /// # Errors
    /// A fault is returned if the data are damaged or cut short, or if a policy does not allow the
    /// record. Nothing can be read after it.
    pub fn next_outcome(&mut self) -> Result<Option<Outcome>, Fault> {
        let head = self.reader.get_mut().fill_buf();
        match head.map(DefinitionLine::look_at) {
            Ok(Some(DefinitionLine::Named)) => {
                let definition = &mut self.definition;
                let read = self.reader.read_definition(definition);
                read.map_err(|error| self.broken(&error))?;
            }
            Ok(Some(DefinitionLine::Nameless)) => self.read_nameless_definition()?,
            Ok(Some(DefinitionLine::OldMac)) => {
                return Err(self.after_last_record(
                    "the lines end in carriage returns without line feeds, as on old Macs",
                    "convert the file: `tr '\\r' '\\n' < old.fasta > new.fasta`",
                ));
            }
            Ok(None) => {
                self.check_end()?;
                return Ok(None);
            }
            Err(error) => return Err(self.broken(&error)),
        }
        let id = escape(self.definition.name());
        let description = self
            .definition
            .description()
            .map_or_else(Cow::default, |description| escape(description));
        let (id, description) = (id.into_owned(), description.into_owned());
        if id.len() + description.len() > MOST_DEFINITION_BYTES {
            return Err(self.after_last_record(
                &format!(
                    "a definition line has {} characters",
                    id.len() + description.len()
                ),
                "is a line feed missing behind it?",
            ));
        }
        let residues = self.read_residues(&id)?;
        let last_id = self.last_id.get_or_insert_default();
        last_id.clear();
        last_id.push_str(&id);
        let refused = (self.tally.n_records, id.clone());
        let outcome =
            length::judge(id, description, residues, &self.policy).map_err(|mut fault| {
                let (index, id) = refused;
                fault.place = Place::Record { index, id };
                fault
            })?;
        self.tally.n_records += 1;
        self.tally.n_nameless_records += u64::from(outcome.id().is_empty());
        Ok(Some(outcome))
    }

    /// Reads a definition line that noodles-fasta refuses, because nothing or a blank follows its
    /// `>`. The first word behind blanks is the id, as in Biopython; there may be none.
    fn read_nameless_definition(&mut self) -> Result<(), Fault> {
        let mut line = Vec::new();
        let read = self.reader.get_mut().read_until(b'\n', &mut line);
        read.map_err(|error| self.broken(&error))?;
        let text = line[1..].trim_ascii();
        let id_len = text
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(text.len());
        let (id, description) = text.split_at(id_len);
        self.definition = Definition::new(id, Some(description.trim_ascii().into()));
        Ok(())
    }

    fn read_residues(&mut self, id: &str) -> Result<Residues, Fault> {
        let n_kept_at_most = self.policy.long_sequences.limit().min(MOST_KEPT_RESIDUES);
        let mut residues = Residues::new(self.policy.residues, n_kept_at_most);
        let mut lines = self.reader.sequence_reader();
        let foreign = loop {
            let line = match lines.fill_buf() {
                Ok([]) => break None,
                Ok(line) => line,
                Err(error) => return Err(self.broken(&error)),
            };
            let n_bytes = line.len();
            if let Err(foreign) = residues.push(line) {
                break Some(foreign);
            }
            // The whole line at once: noodles-fasta takes a `>` at the beginning of what is left
            // for the next record.
            lines.consume(n_bytes);
        };
        if let Some(foreign) = foreign {
            return Err(self.refused_character(id, &foreign));
        }
        self.tally.n_foreign_characters += residues.n_foreign;
        self.tally.n_foreign_records += u64::from(residues.n_foreign > 0);
        Ok(residues)
    }

    fn refused_character(&self, id: &str, foreign: &ForeignCharacter) -> Fault {
        Fault {
            place: Place::Record {
                index: self.tally.n_records,
                id: id.to_owned(),
            },
            message: format!(
                "the character `{}` behind {} residues is not in the model's alphabet",
                foreign.byte.escape_ascii(),
                foreign.n_residues_before,
            ),
            hint: Some(
                "`.residues(\"unk\")` embeds it as unknown, `.residues(\"strip\")` removes it"
                    .to_owned(),
            ),
        }
    }

    /// Checks that the text did not end before its time.
    fn check_end(&mut self) -> Result<(), Fault> {
        let section = self.reader.get_ref();
        let position = section.position();
        match self.text_bytes {
            Some(text_bytes) if section.is_at_end_of_text() && position < text_bytes => Err(self
                .after_last_record(
                    &format!(
                        "the file shrank to {position} bytes while it was read; it had {text_bytes}"
                    ),
                    "run again when nothing writes to it any more",
                )),
            _ => Ok(()),
        }
    }

    fn after_last_record(&self, message: &str, hint: &str) -> Fault {
        Fault {
            place: Place::After {
                n_records: self.tally.n_records,
                id: self.last_id.clone(),
            },
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        }
    }

    /// The fault for data that cannot be read or decompressed.
    fn broken(&self, error: &io::Error) -> Fault {
        let name = self.compression.name();
        let test = self.compression.test_command();
        let remedy = format!("copy or download it again, and test it with `{test}`");
        // Errors of the system have a number. All others come from a decoder.
        if error.raw_os_error().is_some() || self.compression == Compression::None {
            self.after_last_record(
                &format!("cannot be read: {error}"),
                "check the disk that the file is on",
            )
        } else if error.kind() == io::ErrorKind::UnexpectedEof || is_incomplete_zstd(error) {
            self.after_last_record(&format!("the {name} file is cut short"), &remedy)
        } else {
            self.after_last_record(&format!("the {name} data are damaged: {error}"), &remedy)
        }
    }
}

/// zstd's decoder reports the end of its input in the middle of a frame by this text.
fn is_incomplete_zstd(error: &io::Error) -> bool {
    error.to_string() == "incomplete frame"
}
