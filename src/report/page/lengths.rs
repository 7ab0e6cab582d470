//! How long the sequences of a run are, as a chart.

use crate::report::{
    LengthHistogram,
    svg::{Axis, Chart, Figure, Key},
    table::counted,
};

/// The chart of the lengths, if there is any sequence.
pub(super) fn figure(lengths: &LengthHistogram) -> Option<Figure> {
    let classes: Vec<(f64, f64, f64)> = lengths
        .classes()
        .map(|(from, to, count)| (from, to, count as f64))
        .collect();
    let ((from, ..), (_, to, _)) = (classes.first()?, classes.last()?);
    let most = classes.iter().map(|class| class.2).fold(0.0, f64::max);
    let n_sequences: f64 = classes.iter().map(|class| class.2).sum();
    let from_to = format!("from {from:.0} to {to:.0} residues");
    let sequences = counted(n_sequences as u64, "sequence", "sequences");
    Some(Figure {
        title: "Sequences by length",
        label: format!("Sequences by length: {sequences} {from_to}"),
        keys: vec![Key::plain(format!("{sequences}, length in residues"))],
        chart: Chart::bars(Axis::lengths(*from, *to), Axis::counts(most), &classes),
    })
}
