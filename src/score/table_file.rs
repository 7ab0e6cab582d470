//! A table in a file of text, read row by row.

use super::ScoreError;
use crate::{file, text::in_number};
use ::csv::{ByteRecord, Reader, ReaderBuilder, Terminator};
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What may stand between fields.
const DELIMITERS: [u8; 3] = [b',', b'\t', b';'];

/// A table that is being read.
pub(super) struct TableFile {
    /// As the script names it.
    name: String,
    reader: Reader<BufReader<File>>,
    header: ByteRecord,
    row: ByteRecord,
}

impl TableFile {
    /// Opens a table, of which the first line names the columns. What is between fields shows there: commas, tabs
    /// or semicolons.
    ///
    /// # Errors
    /// It cannot be read, or has no header.
    pub(super) fn open(path: &Path) -> Result<Self, ScoreError> {
        let name = path.display().to_string();
        let unread = |error| ScoreError::unread(&name, &error);
        let mut file = BufReader::new(file::open(path).map_err(unread)?);
        let beginning = file.fill_buf().map_err(unread)?;
        let n_marks = match beginning.starts_with(BYTE_ORDER_MARK) {
            true => BYTE_ORDER_MARK.len(),
            false => 0,
        };
        let line = beginning[n_marks..].split(|byte| *byte == b'\n').next();
        let count = |delimiter: &u8| {
            let line = line.unwrap_or_default();
            line.iter().filter(|byte| *byte == delimiter).count()
        };
        // Of those that come equally often the first one counts.
        let delimiter = DELIMITERS.into_iter().rev().max_by_key(count);
        file.consume(n_marks);
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter.unwrap_or(b','))
            .flexible(true)
            // With carriage returns as a part of the end of lines, lines are counted wrongly.
            .terminator(Terminator::Any(b'\n'))
            .from_reader(file);
        let header = reader.byte_headers();
        let header = without_return(header.map_err(|error| broken(&name, &error))?);
        if header.is_empty() {
            let hint = "give a CSV file whose first line names its columns";
            return Err(ScoreError::table(&name, "is empty", hint));
        }
        Ok(Self {
            name,
            reader,
            header,
            row: ByteRecord::new(),
        })
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &ByteRecord {
        &self.header
    }

    /// The number of a column. Nothing, if there is none of that name.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        let mut names = self.header.iter();
        names.position(|column| column.trim_ascii() == name.as_bytes())
    }

    /// The names of all columns, for people.
    pub(super) fn columns(&self) -> String {
        let names = self.header.iter();
        let names = names.map(|name| format!("`{}`", String::from_utf8_lossy(name)));
        names.collect::<Vec<_>>().join(", ")
    }

    /// The next row. Nothing, at the end. Rows without any text are left out, with which spreadsheets like to end
    /// their files.
    ///
    /// # Errors
    /// It cannot be read, or has more or fewer fields than there are columns.
    pub(super) fn next_row(&mut self) -> Result<Option<&ByteRecord>, ScoreError> {
        loop {
            let read = self.reader.read_byte_record(&mut self.row);
            if !read.map_err(|error| broken(&self.name, &error))? {
                return Ok(None);
            }
            self.row = without_return(&self.row);
            let is_blank = self.row.iter().all(|field| field.trim_ascii().is_empty());
            if is_blank && (self.row.len() != self.header.len() || self.header.len() > 1) {
                continue;
            }
            break;
        }
        let (n_fields, n_columns) = (self.row.len(), self.header.len());
        if n_fields != n_columns {
            let fields = in_number(n_fields as u64, "field", "fields");
            return Err(self.wrong(
                format!("{n_fields} {fields}, and the header has {n_columns}"),
                Some("give each row a field for each column; a field with a comma has to be in quotes".to_owned()),
            ));
        }
        Ok(Some(&self.row))
    }

    /// What is wrong with the row at hand.
    pub(super) fn wrong(&self, message: String, hint: Option<String>) -> ScoreError {
        ScoreError::Table {
            file: self.name.clone(),
            line: self.row.position().map(::csv::Position::line),
            message,
            hint,
        }
    }

    /// Its name, as the script has it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// A row without the carriage return that stands before the end of its line.
fn without_return(row: &ByteRecord) -> ByteRecord {
    let last = row.len().wrapping_sub(1);
    let fields = row.iter().enumerate().map(|(n, field)| match n == last {
        true => field.strip_suffix(b"\r").unwrap_or(field),
        false => field,
    });
    let mut without: ByteRecord = fields.collect();
    without.set_position(row.position().cloned());
    without
}

fn broken(name: &str, error: &::csv::Error) -> ScoreError {
    ScoreError::table(
        name,
        format!("cannot be read: {error}"),
        "give a CSV or TSV file",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    fn read(text: &str) -> Result<Vec<Vec<String>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let fail = |error: ScoreError| error.in_full();
        let mut table = TableFile::open(&path).map_err(fail)?;
        let texts = |record: &ByteRecord| {
            let fields = record.iter();
            let fields = fields.map(|field| String::from_utf8_lossy(field).into_owned());
            fields.collect::<Vec<_>>()
        };
        let mut rows = vec![texts(table.header())];
        while let Some(row) = table.next_row().map_err(fail)? {
            rows.push(texts(row));
        }
        Ok(rows)
    }

    #[test]
    fn tables_have_many_forms() {
        let expect = vec![vec!["mutant", "x"], vec!["A1P", "a, b"], vec!["WT", ""]];
        for text in [
            "mutant,x\nA1P,\"a, b\"\nWT,\n",
            "\u{feff}mutant,x\r\nA1P,\"a, b\"\r\n\r\nWT,\r\n,\r\n",
            "mutant\tx\nA1P\ta, b\nWT\t",
            "mutant;x\nA1P;a, b\nWT;\n",
        ] {
            assert_eq!(read(text).unwrap(), expect, "{text:?}");
        }
        // A column alone may say that a row is the wild type.
        let found = read("mutant\nA1P\n\"\"\n").unwrap();
        assert_eq!(found, [["mutant"], ["A1P"], [""]]);
    }

    #[test]
    fn what_is_wrong_has_a_line() {
        let check = |text: &str, expect: &str| {
            let message = read(text).unwrap_err();
            assert!(message.contains(expect), "{message}");
        };
        check("", "a.csv`: is empty");
        check("a,b\n1,2\n3\n", "line 3: 1 field, and the header has 2");
        check("a,b\r\n\"1\r\n\",2\r\n3,4,5\r\n", "line 4: 3 fields");
    }
}
