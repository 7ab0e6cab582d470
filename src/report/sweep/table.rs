//! A sweep as text for people.

use super::{
    Row, Sweep,
    compare::{Labels, percent, speed, times},
};
use crate::report::table::rate;
use comfy_table::{Cell, CellAlignment, Table, presets::NOTHING};
use std::fmt;

/// A column besides parameters: its head, and what it shows of a row.
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) of: fn(&Sweep, &Row) -> Option<String>,
}

/// Every column besides parameters.
static COLUMNS: &[Column] = &[
    Column {
        head: "tokens/s",
        of: |_, row| match &row.error {
            Some(_) => Some("failed".to_owned()),
            None => row.speed().map(speed),
        },
    },
    Column {
        head: "relative",
        of: |sweep, row| sweep.lead_over(row).map(times),
    },
    Column {
        head: "sequences/s",
        of: |_, row| row.measured_figure("sequences_per_sec").map(rate),
    },
    Column {
        head: "filled",
        of: |_, row| row.measured_figure("packing_fill").map(percent),
    },
    Column {
        head: "MFU",
        of: |_, row| row.measured_figure("mfu").map(percent),
    },
    Column {
        head: "GPU idle",
        of: |_, row| row.measured_figure("gpu_idle").map(percent),
    },
    Column {
        head: "waited",
        of: |_, row| row.measured_figure("wait_seconds").map(seconds),
    },
    Column {
        head: "took",
        of: |_, row| row.measured_figure("seconds").map(seconds),
    },
];

/// The columns that show something of any point.
pub(super) fn columns(sweep: &Sweep) -> Vec<&'static Column> {
    let shows = |column: &&Column| {
        let mut rows = sweep.rows().iter();
        rows.any(|row| (column.of)(sweep, row).is_some())
    };
    COLUMNS.iter().filter(shows).collect()
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

impl Row {
    /// A figure of a point that did not fail. The figures of one that failed half way would look
    /// like a result.
    fn measured_figure(&self, name: &str) -> Option<f64> {
        self.figure(name).filter(|_| self.error.is_none())
    }
}

impl fmt::Display for Sweep {
    /// A headline, a line a point with the fastest one marked, how much that gains, and the errors;
    /// readable without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sweep {}: {}", self.name(), self.extent())?;
        if self.rows().is_empty() {
            return Ok(());
        }
        let labels = Labels::new(self);
        write!(f, "\n{}", table(self, &labels))?;
        if let Some(comparison) = self.comparison(&labels) {
            write!(f, "\n* {comparison}")?;
        }
        for row in self.rows() {
            if let Some(error) = &row.error {
                let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
                write!(f, "\nfailed: {}: {error}", labels.of(row))?;
            }
        }
        Ok(())
    }
}

fn table(sweep: &Sweep, labels: &Labels<'_>) -> String {
    let fastest = sweep.fastest();
    let columns = columns(sweep);
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let mut table = Table::new();
    table.load_style(NOTHING);
    let mut head = vec![Cell::new("")];
    head.extend(labels.all.iter().map(Cell::new));
    head.extend(columns.iter().map(|column| right(column.head.to_owned())));
    table.set_header(head);
    for row in sweep.rows() {
        let is_fastest = fastest.is_some_and(|fastest| std::ptr::eq(fastest, row));
        let mut values = row.cells();
        let mut cells = vec![Cell::new(if is_fastest { "*" } else { "" })];
        let params = labels.all.iter();
        cells.extend(params.map(|name| Cell::new(values.remove(name).unwrap_or_default())));
        cells.extend(columns.iter().map(|column| {
            let text = (column.of)(sweep, row);
            right(text.unwrap_or_else(|| "-".to_owned()))
        }));
        table.add_row(cells);
    }
    table.trim_fmt()
}
