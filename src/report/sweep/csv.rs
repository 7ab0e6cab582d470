//! Rows as CSV: a column a parameter, then how often a point was measured, then its figures.

use super::{
    Row,
    figure::{self, FIGURES},
    row::value_of,
};
use crate::job::OptionMap;
use ::csv::{ReaderBuilder, Writer};
use std::{collections::BTreeSet, iter};

/// What the names of parameters begin with, so that `readers` can be one and a figure, too.
pub(super) const PARAM: &str = "param.";
pub(super) const REPEAT: &str = "repeat";
pub(super) const N_OK: &str = "n_ok";
pub(super) const SPEED_SD: &str = "tokens_per_sec_sd";
pub(super) const ERROR: &str = "error";

/// The parameters that any of `rows` has, by name.
pub(super) fn params<'a>(rows: &[&'a Row]) -> BTreeSet<&'a str> {
    rows.iter()
        .flat_map(|row| row.cells().into_keys())
        .collect()
}

/// The text of a file with `rows`.
pub(super) fn write(rows: &[&Row]) -> String {
    let params = params(rows);
    let names = params.iter().map(|name| format!("{PARAM}{name}"));
    let figures = FIGURES.iter().map(|figure| figure.name);
    let rest = [REPEAT, N_OK]
        .into_iter()
        .chain(figures)
        .chain([SPEED_SD, ERROR]);
    let header = names.chain(rest.map(str::to_owned)).collect();
    let records = rows.iter().map(|row| {
        let mut cells = row.cells();
        params
            .iter()
            .map(|name| cells.remove(name).unwrap_or_default())
            .chain([row.repeat.to_string(), row.n_ok.to_string()])
            .chain(row.figures.iter().copied().map(number))
            .chain([number(row.speed_sd), row.error.clone().unwrap_or_default()])
            .collect()
    });
    let records: Vec<Vec<String>> = iter::once(header).chain(records).collect();
    let mut writer = Writer::from_writer(Vec::new());
    for record in &records {
        writer
            .write_record(record)
            .expect("all records have a field a column, and memory takes them");
    }
    let bytes = writer.into_inner().expect("memory takes all of it");
    String::from_utf8(bytes).expect("fields are text")
}

/// A number in as many digits as it takes to read the same number again.
fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The rows of a file.
///
/// # Errors
/// The text is no CSV, or lacks a column that every sweep has.
pub(super) fn read(text: &str) -> Result<Vec<Row>, String> {
    // The library takes what was cut off within quotes for a whole field.
    if !text.matches('"').count().is_multiple_of(2) {
        return Err("it ends inside of a quoted field".to_owned());
    }
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    if header.is_empty() {
        return Err("it is empty".to_owned());
    }
    let find = |name: &str| header.iter().position(|column| column == name);
    let required = |name: &str| find(name).ok_or_else(|| format!("it has no column `{name}`"));
    let (repeat, n_ok, error) = (required(REPEAT)?, required(N_OK)?, required(ERROR)?);
    let speed_sd = find(SPEED_SD);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        // Spreadsheets like to end their files with empty rows.
        if record.iter().all(str::is_empty) {
            continue;
        }
        let fail = |message: String| format!("row {}: {message}", rows.len() + 1);
        if record.len() != header.len() {
            let message = format!("{} fields instead of {}", record.len(), header.len());
            return Err(fail(message));
        }
        let count = |column: usize| {
            let field = &record[column];
            field
                .parse::<usize>()
                .map_err(|_| fail(format!("`{}` is \"{field}\"", &header[column])))
        };
        let float = |column: usize| match &record[column] {
            "" => Ok(None),
            field => field
                .parse::<f64>()
                .map(Some)
                .map_err(|_| fail(format!("`{}` is \"{field}\"", &header[column]))),
        };
        let mut row = Row {
            params: OptionMap::new(),
            repeat: count(repeat)?,
            n_ok: count(n_ok)?,
            error: Some(record[error].to_owned()).filter(|error| !error.is_empty()),
            figures: vec![None; FIGURES.len()],
            speed_sd: speed_sd.map(float).transpose()?.flatten(),
        };
        for (column, name) in header.iter().enumerate() {
            if let Some(param) = name.strip_prefix(PARAM) {
                if !record[column].is_empty() {
                    row.params
                        .insert(param.to_owned(), value_of(&record[column]));
                }
            } else if let Some(figure) = figure::column(name) {
                row.figures[figure] = float(column)?;
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{failed, measured};
    use super::*;

    #[test]
    fn rows_are_written_and_read() {
        let rows = [
            measured(&[("readers", "1")], &[1.0, 1.1]),
            measured(&[("readers", "2"), ("note", "a \"b\", c\r\nd ")], &[0.1]),
            failed(&[("readers", "3"), ("note", " x")], "no, \"never\"\nagain"),
        ];
        let text = write(&rows.iter().collect::<Vec<_>>());
        let header = text.lines().next().unwrap();
        let expect = "param.note,param.readers,repeat,n_ok,tokens_per_sec,sequences_per_sec,";
        assert!(header.starts_with(expect), "{header}");
        assert!(header.ends_with(",tokens_per_sec_sd,error"), "{header}");
        assert!(text.contains("\"a \"\"b\"\", c\r\nd \",2,1,1,"), "{text}");
        // The first row came before the parameter `note`.
        assert!(text.contains("\n,1,2,2,"), "{text}");
        assert_eq!(read(&text).unwrap(), rows);
        // As a spreadsheet might save it.
        let empty = ",".repeat(header.matches(',').count());
        let saved = format!(
            "\u{feff}{}\r\n{empty}\r\n",
            text.replace(",error\n", ",error\r\n")
        );
        assert_eq!(read(&saved).unwrap(), rows);
        // As this program wrote it before: with quotes around what begins or ends with a space.
        let older = text.replace("\n x,3,", "\n\" x\",3,");
        assert_ne!(older, text);
        assert_eq!(read(&older).unwrap(), rows);
    }

    #[test]
    fn whatever_a_cell_holds_is_read_again() {
        for cell in [
            "\r",
            "a\rb",
            "\n",
            "\"",
            "\"\"",
            ",",
            " ",
            "a\"b",
            "\t",
            "#",
            "é\u{feff}",
        ] {
            let rows = [failed(&[("note", cell)], cell)];
            let text = write(&[&rows[0]]);
            assert_eq!(read(&text).unwrap(), rows, "{text:?}");
        }
    }

    #[test]
    fn a_sweep_without_rows_has_a_header() {
        let text = write(&[]);
        assert!(text.starts_with("repeat,n_ok,"), "{text}");
        assert!(read(&text).unwrap().is_empty());
    }

    #[test]
    fn files_of_others() {
        let check = |text: &str, expect: &str| assert_eq!(read(text).unwrap_err(), expect);
        check("", "it is empty");
        check("a,b\n1,2\n", "it has no column `repeat`");
        check("repeat,n_ok,error\n1,1\n", "row 1: 2 fields instead of 3");
        check("repeat,n_ok,error\n1,x,\n", "row 1: `n_ok` is \"x\"");
        check("repeat,n_ok,\"err", "it ends inside of a quoted field");
    }
}
