//! Reading the records of one work unit.

use super::{
    compression::{self, Compression},
    error::{Fault, Place},
    record::{Outcome, Record, Rejection, Tally},
    residues::{ForeignCharacter, Residues},
    section::Section,
    unit::{Extent, Unit},
};
use crate::job::{LongSequences, RecordPolicy};
use noodles_bgzf as bgzf;
use noodles_fasta::{io::Reader, record::Definition};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
};

/// Reads the records of one work unit and applies the policies to them.
pub struct UnitReader {
    reader: Reader<Section<Box<dyn Read + Send>>>,
    definition: Definition,
    policy: RecordPolicy,
    compression: Compression,
    /// Bytes that the text must have; it had them when the run began.
    text_bytes: Option<u64>,
    tally: Tally,
    last_id: Option<String>,
}

/// A longer definition line is no definition line.
const MOST_DEFINITION_BYTES: usize = 1 << 20;
/// Far more than any protein has. It bounds what one record costs.
const MOST_KEPT_RESIDUES: usize = 16 << 20;

impl UnitReader {
    /// Opens the unit's file and goes to its first record.
    ///
    /// # Errors
    /// A fault is returned if the file cannot be read, or if its text does not begin as FASTA does.
    pub fn open(unit: &Unit, policy: RecordPolicy) -> Result<Self, Fault> {
        let (text, start, end, compression) = open_text(unit).map_err(|error| {
            Fault::of_file(
                format!("cannot be opened: {error}"),
                "check the file and the disk that it is on",
            )
        })?;
        let mut reader = Self {
            reader: Reader::new(Section::new(text, start, end)),
            definition: Definition::default(),
            policy,
            compression,
            text_bytes: match unit.extent {
                Extent::Plain { file_bytes, .. } => Some(file_bytes),
                _ => None,
            },
            tally: Tally::default(),
            last_id: None,
        };
        let section = reader.reader.get_mut();
        if start > 0 {
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

    /// What became of the next record, or `None` at the end of the unit.
    ///
    /// # Errors
    /// A fault is returned if the data are damaged or cut short, or if a policy does not allow the
    /// record. Nothing can be read after it.
    pub fn next_outcome(&mut self) -> Result<Option<Outcome>, Fault> {
        let head = self.reader.get_mut().fill_buf();
        match head.map(check_definition_line) {
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
        let outcome = judge(id, description, residues, &self.policy).map_err(|mut fault| {
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

type Text = Box<dyn Read + Send>;

/// The text of a unit from its beginning on, and where it begins and ends.
fn open_text(unit: &Unit) -> io::Result<(Text, u64, u64, Compression)> {
    let mut file = File::open(unit.path())?;
    Ok(match unit.extent {
        Extent::Whole => {
            let (text, compression) = compression::decode(file)?;
            (text, 0, u64::MAX, compression)
        }
        Extent::Plain { start, end, .. } => {
            file.seek(SeekFrom::Start(start))?;
            (Box::new(file), start, end, Compression::None)
        }
        Extent::Bgzip {
            block, start, end, ..
        } => {
            file.seek(SeekFrom::Start(block))?;
            let text = bgzf::io::Reader::new(BufReader::with_capacity(128 << 10, file));
            (Box::new(text), start, end, Compression::Bgzip)
        }
    })
}

/// Skips a byte order mark and blank lines before the first record. The inner result tells what the
/// text is, if it is not FASTA.
fn find_beginning(section: &mut impl BufRead) -> io::Result<Result<(), Fault>> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    if section.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        section.consume(BYTE_ORDER_MARK.len());
    }
    loop {
        let text = section.fill_buf()?;
        let n_blanks = text
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        if n_blanks == 0 {
            return Ok(match text {
                [] | [b'>', ..] => Ok(()),
                _ => Err(not_fasta(text)),
            });
        }
        section.consume(n_blanks);
    }
}

/// Says what a text looks like that is not FASTA.
fn not_fasta(text: &[u8]) -> Fault {
    const LOOKS: [(&[u8], &str, &str); 12] = [
        (
            b"@",
            "FASTQ",
            "convert it: `seqtk seq -A reads.fastq`; proteins are expected",
        ),
        (
            b"<",
            "HTML or XML",
            "open it: a failed download often is a page that says why",
        ),
        (b"{", "JSON", "export FASTA instead"),
        (b"[", "JSON", "export FASTA instead"),
        (
            b";",
            "FASTA with `;` comments",
            "remove the lines that begin with `;`",
        ),
        (b"LOCUS ", "GenBank", "convert it to FASTA"),
        (
            b"ID   ",
            "a UniProt or EMBL flat file",
            "download the FASTA format",
        ),
        (b"HEADER ", "PDB", "download the FASTA format"),
        (b"PK\x03\x04", "a zip archive", "unpack it"),
        (b"PAR1", "Parquet", "export FASTA instead"),
        (
            b"\x1f\x8b",
            "gzip inside another compression",
            "decompress it once",
        ),
        (
            b"BZh",
            "bzip2 inside another compression",
            "decompress it once",
        ),
    ];
    let looks = LOOKS
        .iter()
        .find(|(beginning, ..)| text.starts_with(beginning));
    let (kind, hint) = if let Some((_, kind, hint)) = looks {
        (*kind, *hint)
    } else if text.get(257..262) == Some(b"ustar") {
        ("a tar archive", "unpack it: `tar xf`")
    } else if text.iter().take(1024).any(|&byte| byte == 0) {
        (
            "a binary file or UTF-16 text",
            "give FASTA as UTF-8 text, compressed or not",
        )
    } else {
        (
            "other text",
            "each record begins with a line like `>name description`",
        )
    };
    Fault::of_file(
        format!("is not FASTA: it does not begin with `>`, it looks like {kind}"),
        hint,
    )
}

/// What stands at the beginning of a record.
enum DefinitionLine {
    Named,
    Nameless,
    OldMac,
}

/// Looks at the definition line that `text` begins with. `None` if there is no text.
fn check_definition_line(text: &[u8]) -> Option<DefinitionLine> {
    let line_end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    if let Some([b'\r', next, ..]) = line_end.map(|index| &text[index..])
        && !matches!(next, b'\n' | b'\r')
    {
        return Some(DefinitionLine::OldMac);
    }
    match text {
        [] => None,
        [_] => Some(DefinitionLine::Nameless),
        [_, first, ..] if first.is_ascii_whitespace() => Some(DefinitionLine::Nameless),
        _ => Some(DefinitionLine::Named),
    }
}

/// Text with the bytes that are not UTF-8 written as `\xNN`.
fn escape(text: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(text) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for chunk in text.utf8_chunks() {
        escaped.push_str(chunk.valid());
        for byte in chunk.invalid() {
            escaped.push_str(&format!("\\x{byte:02X}"));
        }
    }
    Cow::Owned(escaped)
}

/// Applies the policies on lengths.
fn judge(
    id: String,
    description: String,
    residues: Residues,
    policy: &RecordPolicy,
) -> Result<Outcome, Fault> {
    let n_residues = residues.n_residues;
    let limit = policy.long_sequences.limit();
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
            LongSequences::Skip(_) => {
                return reject(id, format!("{n_residues} residues, more than {limit}"));
            }
            LongSequences::Error(_) => {
                return Err(Fault::of_file(
                    format!("{n_residues} residues, more than {limit}"),
                    format!(
                        "`.long_sequences(\"truncate\", {limit})` embeds the first {limit}, \
                         `\"skip\"` rejects such records"
                    ),
                ));
            }
        }
    }
    let length = u32::try_from(n_residues).ok();
    let (true, Some(length)) = (limit.min(n_residues as usize) <= MOST_KEPT_RESIDUES, length)
    else {
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
    }))
}
