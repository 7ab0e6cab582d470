//! The lanes of a run: a table of them, and which ones charts show.

use crate::report::{LANE_FIGURES, LaneSummary, svg::Ink, table::cut};
use serde::Serialize;

/// Longer names are cut.
const MOST_DEVICE: usize = 40;
/// Of more lanes the first ones are in the table.
const MOST_ROWS: usize = 64;

/// The lanes that charts show: all of them, or as many as there are colours of those that embedded least, among
/// which is whatever is wrong.
pub(super) struct Shown<'a> {
    all: &'a [LaneSummary],
    /// Which of them, in order.
    shown: Vec<usize>,
}

/// The lanes of a run as a table.
#[derive(Serialize)]
pub(super) struct Lanes {
    heads: Vec<String>,
    rows: Vec<Row>,
}

/// A lane in the table.
#[derive(Serialize)]
struct Row {
    device: String,
    /// Its colour in charts, if it is there.
    ink: Option<Ink>,
    cells: Vec<String>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(all: &'a [LaneSummary]) -> Self {
        let mut shown: Vec<usize> = (0..all.len()).collect();
        shown.sort_by_key(|lane| all[*lane].tokens);
        shown.truncate(Ink::MOST_LANES);
        shown.sort_unstable();
        Self { all, shown }
    }

    /// Whether there are several, so that they are worth a word of their own.
    pub(super) fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// Colour, number and device of each.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (Ink, usize, &'a str)> {
        let lanes = self.shown.iter().enumerate();
        lanes.map(|(place, &lane)| (Ink::Lane(place), lane, self.all[lane].device.as_str()))
    }

    /// Which they are, if they are not all.
    pub(super) fn note(&self) -> Option<String> {
        let (n_shown, n_all) = (self.shown.len(), self.all.len());
        (n_shown < n_all).then(|| format!("the {n_shown} of {n_all} that embedded least"))
    }

    /// The table, if there are several.
    pub(super) fn table(&self) -> Option<Lanes> {
        if !self.are_several() {
            return None;
        }
        // The first column is the device, and one of which nothing is known is left out.
        let columns: Vec<_> = LANE_FIGURES
            .iter()
            .filter(|figure| figure.name != "device")
            .filter_map(|figure| {
                let (_, unit) = self.all.iter().find_map(|lane| figure.shown(lane))?;
                Some((figure, figure.tile?.replace("{unit}", unit)))
            })
            .collect();
        let row = |(lane, summary): (usize, &LaneSummary)| {
            let device = cut(&summary.device, MOST_DEVICE);
            Row {
                device: match summary.has_failed {
                    true => format!("{device} failed"),
                    false => device,
                },
                ink: self
                    .lanes()
                    .find(|shown| shown.1 == lane)
                    .map(|shown| shown.0),
                cells: (columns.iter())
                    .map(|(figure, _)| {
                        figure
                            .shown(summary)
                            .map_or_else(|| "–".to_owned(), |shown| shown.0)
                    })
                    .collect(),
            }
        };
        Some(Lanes {
            rows: self
                .all
                .iter()
                .enumerate()
                .take(MOST_ROWS)
                .map(row)
                .collect(),
            heads: columns.iter().map(|(_, head)| head.clone()).collect(),
        })
    }
}
