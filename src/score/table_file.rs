//! A table in a file of text, read row by row.

use super::{ScoreError, rows::Rows};
use crate::{
    cancel::CancelToken,
    fasta::unopenable,
    file,
    text::{in_number, printable_line},
};
use ::csv::ByteRecord;
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
    rows: Rows<BufReader<File>>,
    header: ByteRecord,
    row: ByteRecord,
    /// The line of the row, from 1.
    line: Option<u64>,
    cancel: CancelToken,
}

impl TableFile {
    /// Opens a table, of which the first line names the columns. What is between fields shows there: commas, tabs
    /// or semicolons. Its rows come until somebody tells to stop.
    ///
    /// # Errors
    /// It cannot be read, or has no header.
    pub(super) fn open(path: &Path, cancel: &CancelToken) -> Result<Self, ScoreError> {
        let name = path.display().to_string();
        let unread = |error| ScoreError::unread(&name, &error);
        let opened = file::open(path).map_err(|error| unopenable(path, &name, &error));
        let mut file = BufReader::new(opened?);
        let beginning = file.fill_buf().map_err(unread)?;
        let n_marks = match beginning.starts_with(BYTE_ORDER_MARK) {
            true => BYTE_ORDER_MARK.len(),
            false => 0,
        };
        if let Some((what, hint)) = foreign(beginning) {
            return Err(ScoreError::table(&name, what, hint));
        }
        let counts = counts(&beginning[n_marks..]);
        let count = |delimiter: &u8| {
            let of = DELIMITERS.iter().position(|of| of == delimiter);
            of.map_or(0, |index| counts[index])
        };
        // Of those that come equally often the first one counts.
        let delimiter = DELIMITERS.into_iter().rev().max_by_key(count);
        file.consume(n_marks);
        let mut rows = Rows::new(file, &name, delimiter.unwrap_or(b','));
        let mut header = ByteRecord::new();
        rows.next(&mut header)?;
        if header.is_empty() {
            let hint = "give a CSV file whose first line names its columns";
            return Err(ScoreError::table(&name, "is empty", hint));
        }
        Ok(Self {
            name,
            rows,
            header,
            row: ByteRecord::new(),
            line: None,
            cancel: cancel.clone(),
        })
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &ByteRecord {
        &self.header
    }

    /// The number of a column. Nothing, if there is none of that name.
    ///
    /// # Errors
    /// There are several.
    pub(super) fn column(&self, name: &str) -> Result<Option<usize>, ScoreError> {
        let names = self.header.iter().enumerate();
        let mut found = names.filter(|(_, column)| column.trim_ascii() == name.as_bytes());
        let first = found.next().map(|(number, _)| number);
        match found.next() {
            None => Ok(first),
            Some(_) => Err(ScoreError::table(
                &self.name,
                format!("has several columns `{name}`"),
                "give each column a name of its own",
            )),
        }
    }

    /// The names of all columns, for people.
    pub(super) fn columns(&self) -> String {
        let names = self.header.iter();
        let names = names.map(|name| format!("`{}`", String::from_utf8_lossy(name)));
        names.collect::<Vec<_>>().join(", ")
    }

    /// The next row. Nothing, at the end. Lines of blanks are no rows; a row of delimiters is one.
    ///
    /// # Errors
    /// It cannot be read, has more or fewer fields than there are columns, or somebody tells to stop.
    pub(super) fn next_row(&mut self) -> Result<Option<&ByteRecord>, ScoreError> {
        ScoreError::unless_stopped(&self.cancel)?;
        self.line = self.rows.next(&mut self.row)?;
        if self.line.is_none() {
            return Ok(None);
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
            line: self.line,
            message,
            hint,
        }
    }

    /// What is odd about the rows that were read.
    pub(super) fn warning(&self) -> Option<String> {
        let warning = self.rows.warning()?;
        Some(format!("`{}`: {warning}", printable_line(&self.name)))
    }

    /// Its name, as the script has it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// What a file is that is no text with a byte a letter, by its beginning, and how to mend it.
fn foreign(beginning: &[u8]) -> Option<(&'static str, &'static str)> {
    const GZIP: &[u8] = b"\x1f\x8b";
    const ZIP: &[u8] = b"PK\x03\x04";
    let is_utf_16 = [b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| beginning.starts_with(*mark))
        // Without a mark, a Latin letter has a byte that is zero.
        || beginning.len() > 1 && beginning[..2].contains(&0);
    match beginning {
        _ if beginning.starts_with(GZIP) => Some((
            "is compressed with gzip",
            "tables are plain text: `gunzip` it",
        )),
        _ if beginning.starts_with(ZIP) => Some((
            "is a ZIP archive, as XLSX is",
            "tables are plain text: save it as CSV",
        )),
        _ if is_utf_16 => Some((
            "is UTF-16",
            "tables are UTF-8: `iconv -f UTF-16 -t UTF-8 table.csv > utf8.csv` converts them",
        )),
        _ => None,
    }
}

/// How often each delimiter stands in the first line, where quotes do not make it a part of a name.
fn counts(text: &[u8]) -> [usize; DELIMITERS.len()] {
    let mut counts = [0; DELIMITERS.len()];
    let mut is_quoted = false;
    let mut before = b',';
    for &byte in text {
        let index = DELIMITERS.iter().position(|of| *of == byte);
        match byte {
            b'"' if is_quoted => is_quoted = false,
            // What follows a quote that closed a field is the second one of a text's own.
            b'"' if before == b'"' || DELIMITERS.contains(&before) => is_quoted = true,
            b'\n' if !is_quoted => break,
            _ if is_quoted => {}
            _ => index.into_iter().for_each(|index| counts[index] += 1),
        }
        before = byte;
    }
    counts
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
        let mut table = TableFile::open(&path, &CancelToken::default()).map_err(fail)?;
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
        let expect = vec![
            vec!["mutant", "x"],
            vec!["A1P", "a, b"],
            vec!["WT", ""],
            vec!["", ""],
        ];
        for text in [
            "mutant,x\nA1P,\"a, b\"\nWT,\n,\n",
            "\u{feff}mutant,x\r\nA1P,\"a, b\"\r\n\r\nWT,\r\n,\r\n",
            "mutant\tx\nA1P\ta, b\nWT\t\n\t",
            "mutant;x\nA1P;a, b\nWT;\n;\n\n",
            "\"mutant\"\t\"x\"\nA1P\ta, b\nWT\t\n\t\n",
        ] {
            assert_eq!(read(text).unwrap(), expect, "{text:?}");
        }
        // What is in quotes is between no fields.
        let found = read("\"a,b,c\";mutant\n1;M1A\n").unwrap();
        assert_eq!(found, [["a,b,c", "mutant"], ["1", "M1A"]]);
        let found = read("5\" primer,\"a;b\"\"\",mutant\n1,2,M1A\n").unwrap();
        assert_eq!(found[0], ["5\" primer", "a;b\"", "mutant"]);
        // A column alone may say that a row is the wild type.
        let found = read("mutant\nA1P\n\"\"\n").unwrap();
        assert_eq!(found, [["mutant"], ["A1P"], [""]]);
    }

    #[test]
    fn what_is_no_text_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let check = |bytes: &[u8], expect: &str| {
            std::fs::write(&path, bytes).unwrap();
            let found = TableFile::open(&path, &CancelToken::default());
            let message = found.err().unwrap().in_full();
            assert!(message.contains(expect), "{message}");
        };
        check(b"\x1f\x8b\x08\0", "gunzip");
        check(b"\xff\xfem\0u\0", "iconv");
        check(b"m\0u\0", "iconv");
        check(b"PK\x03\x04", "save it as CSV");
    }

    #[test]
    fn what_is_wrong_has_a_line() {
        let check = |text: &str, expect: &str| {
            let message = read(text).unwrap_err();
            assert!(message.contains(expect), "{message}");
        };
        check("", "a.csv` is empty");
        check("a,b\n1,2\n3\n", "line 3: 1 field, and the header has 2");
        check("a,b\r\n\"1\r\n\",2\r\n3,4,5\r\n", "line 4: 3 fields");
    }
}
