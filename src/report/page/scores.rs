//! How the scores of a run are distributed, as a chart.

use crate::report::{
    ScoreHistogram,
    svg::{Axis, Chart, Figure, Key},
    table::{counted, cut},
};

/// Characters of a title.
const MOST_TITLE: usize = 80;

/// The chart of the scores, if there is any.
pub(super) fn figure(scores: &ScoreHistogram) -> Option<Figure> {
    let classes: Vec<(f64, f64, f64)> = scores
        .classes()
        .map(|(from, to, count)| (from, to, count as f64))
        .collect();
    let ((from, ..), (_, to, _)) = (classes.first()?, classes.last()?);
    let most = classes.iter().map(|class| class.2).fold(0.0, f64::max);
    let n_scores: f64 = classes.iter().map(|class| class.2).sum();
    let title = cut(&scores.title, MOST_TITLE);
    let number = counted(n_scores as u64, "score", "scores");
    Some(Figure {
        title: "Scores",
        label: format!("{title}: {number} from {from:.2} to {to:.2}"),
        keys: vec![Key::plain(format!("{title}: {number}"))],
        chart: Chart::bars(Axis::scores(*from, *to), Axis::counts(most), &classes),
    })
}
