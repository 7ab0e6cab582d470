//! Parameter sweeps: a row a point, compared and kept.
//!
//! *Input*: parameters, and the figures of runs or the error that stood in their way. *Output*: a
//! table for the terminal, a page, CSV and Parquet. *Owns*: statistics over repeats, which point is
//! best, which points an earlier run finished. *Never*: runs anything.

mod compare;
mod csv;
mod figure;
mod parquet;
mod plot;
mod row;
mod statistics;
mod table;

#[cfg(test)]
mod tests;

use super::{Better, ReportError};
use crate::{
    file::{self, FileError, Keep},
    job::{OptionMap, OutputFormat, Problems, SweepPlan},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use row::Row;

/// The points of a sweep so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    name: String,
    rows: Vec<Row>,
    /// The files in which rows are saved as their points end, if there are any.
    files: Vec<PathBuf>,
    /// Rows of an earlier run whose points this run has not come to. They stay in the files, so that
    /// a run that is stopped early does not lose what another one has measured.
    earlier: Vec<Row>,
    /// Rows that were taken over from an earlier run.
    n_resumed: usize,
}

impl Sweep {
    /// A sweep without points that saves nothing by itself.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            rows: Vec::new(),
            files: Vec::new(),
            earlier: Vec::new(),
            n_resumed: 0,
        }
    }

    /// A sweep without points that saves rows, and knows those that it saved before, as `plan` says.
    ///
    /// # Errors
    /// - The folder cannot be created.
    /// - A file of an earlier run cannot be read, or is not of a sweep.
    pub fn open(plan: &SweepPlan) -> Result<Self, ReportError> {
        let mut sweep = Self::new(&plan.name);
        if let Some(folder) = &plan.folder {
            // Now rather than after the first point, which may take hours.
            file::create_folder(folder)?;
            sweep.earlier = earlier(plan)?;
            sweep.files = plan.files();
        }
        Ok(sweep)
    }

    /// A sweep that saves nothing, provided that [`open`](Self::open) could open it.
    ///
    /// # Errors
    /// A file of an earlier run cannot be read, or is not of a sweep.
    pub fn rehearse(plan: &SweepPlan) -> Result<Self, ReportError> {
        earlier(plan)?;
        Ok(Self::new(&plan.name))
    }

    /// The sweep's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The points in the order in which they ended.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Takes over the row of an earlier run for the point `params`, if that run measured it at least
    /// `repeat` times without an error. Returns whether it did.
    pub fn take_finished(&mut self, params: &OptionMap, repeat: usize) -> bool {
        let finished = |row: &Row| row.error.is_none() && row.n_ok >= repeat;
        match self.earlier_index(params) {
            Some(index) if finished(&self.earlier[index]) => {
                let mut row = self.earlier.remove(index);
                // The parameters as the script has them; a table does not know every type.
                row.params = params.clone();
                self.rows.push(row);
                self.n_resumed += 1;
                true
            }
            _ => false,
        }
    }

    /// Adds a point and saves the sweep, if it has a folder.
    ///
    /// # Errors
    /// If the file system refuses. The point is in the sweep all the same.
    pub fn add(&mut self, row: Row) -> Result<(), ReportError> {
        if let Some(index) = self.earlier_index(&row.params) {
            self.earlier.remove(index);
        }
        self.rows.push(row);
        let rows: Vec<_> = self.rows.iter().chain(&self.earlier).collect();
        for path in &self.files {
            save(path, &rows)?;
        }
        Ok(())
    }

    fn earlier_index(&self, params: &OptionMap) -> Option<usize> {
        let cells = row::cells(params);
        self.earlier.iter().position(|row| row.cells() == cells)
    }

    /// Writes the points to a Parquet file if `path` ends so, else to a CSV file. It is replaced if
    /// it exists.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn save(&self, path: &Path) -> Result<(), ReportError> {
        save(path, &self.rows.iter().collect::<Vec<_>>())
    }

    /// Writes the points as a page, which is replaced if it exists.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn plot(&self, path: &Path) -> Result<(), ReportError> {
        let page = plot::page(self);
        Ok(file::replace(path, page.as_bytes(), Keep::Safely)?)
    }

    /// Checks that the end of a path says in which format to save.
    ///
    /// # Errors
    /// It ends neither with `.csv` nor with `.parquet`.
    pub fn check_ending(path: &Path) -> Result<(), Problems> {
        match path.extension() {
            Some(ending) if ending.eq_ignore_ascii_case("csv") => Ok(()),
            _ if is_parquet(path) => Ok(()),
            _ => Err(Problems::one(
                format!("`{}` does not say in which format to save", path.display()),
                Some("end it with `.csv` or `.parquet`".to_owned()),
            )),
        }
    }

    /// The point whose figure `name` is best, the first one of equals. Points that failed are not
    /// looked at.
    pub fn best(&self, name: &str, better: Better) -> Option<&Row> {
        let sign = match better {
            Better::Larger => -1.0,
            Better::Smaller => 1.0,
        };
        let values = self.rows.iter().filter(|row| row.error.is_none());
        values
            .filter_map(|row| Some((row, row.figure(name)? * sign)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(row, _)| row)
    }

    /// Why [`Sweep::best`] found nothing.
    pub fn why_no_best(&self, name: &str) -> Problems {
        let sweep = &self.name;
        match self.rows.first() {
            None => Problems::one(format!("the sweep `{sweep}` has no points"), None),
            Some(Row {
                error: Some(error), ..
            }) if self.rows.iter().all(|row| row.error.is_some()) => Problems::one(
                format!("every point of the sweep `{sweep}` failed; the first one: {error}"),
                None,
            ),
            Some(_) => Problems::one(
                format!("no point of the sweep `{sweep}` has `{name}`"),
                Some("GPUs alone measure `gpu_…` and `upload_…`".to_owned()),
            ),
        }
    }
}

/// The rows that an earlier run saved.
fn earlier(plan: &SweepPlan) -> Result<Vec<Row>, ReportError> {
    let files = plan.files();
    let Some(path) = files.first().filter(|_| plan.resume) else {
        return Ok(Vec::new());
    };
    match fs::read_to_string(path) {
        Ok(text) => csv::read(&text).map_err(|message| ReportError::NotATable {
            path: path.clone(),
            message,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(FileError::io("read", path, error).into()),
    }
}

/// Whether a file of this name is a Parquet file, by the endings that outputs have, too.
fn is_parquet(path: &Path) -> bool {
    OutputFormat::of(path) == Ok(OutputFormat::Parquet)
}

/// Writes `rows` in the format that the end of `path` says.
fn save(path: &Path, rows: &[&Row]) -> Result<(), ReportError> {
    let bytes = if is_parquet(path) {
        parquet::write(rows).map_err(|error| ReportError::Parquet {
            path: path.to_owned(),
            error,
        })?
    } else {
        csv::write(rows).into_bytes()
    };
    Ok(file::replace(path, &bytes, Keep::Safely)?)
}
