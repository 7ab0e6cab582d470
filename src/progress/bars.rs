//! Progress on a terminal.

use super::{Console, Listener, Tally, echo, news, warning};
use crate::{event::Event, text::printable};
use indicatif::{ProgressBar, ProgressStyle};

/// A bar that fills with the input, beside the figures. Narrow terminals cut the end of the figures off.
const KNOWN_INPUT: &str = "{prefix} {bar:20} {percent:>3}% {wide_msg}";
/// The same on a terminal of fewer columns.
const NARROW: &str = "{prefix} {bar:8} {percent:>3}% {wide_msg}";
const NARROW_COLUMNS: usize = 110;
/// On one of still fewer, how long it takes and how much is done matter most.
const NARROWEST: &str = "{percent:>3}% {wide_msg}";
const NARROWEST_COLUMNS: usize = 60;
/// Standard input has no known end.
const ENDLESS_INPUT: &str = "{prefix} {spinner} {wide_msg}";
/// What stands below the bar.
const DETAIL: &str = "{wide_msg:.dim}";
/// Steps in which a bar fills.
const STEPS: u64 = 1000;
/// Characters of a model's name that are shown.
const WIDEST_PREFIX: usize = 20;

/// A bar for each call of `embed` with two lines below it, and one or two more for several lanes, which a line of
/// figures replaces when the call ends; one for a download; and one for a model that is compared.
pub(super) struct Bars {
    console: Console,
    lines: Option<Lines>,
    /// The bar of a download.
    download: Option<ProgressBar>,
    /// The bar of a model that is compared, and which one it is.
    compared: Option<(String, ProgressBar)>,
}

/// What is drawn. Each line is cut at the edge of the terminal.
struct Lines {
    bar: ProgressBar,
    stages: ProgressBar,
    machine: ProgressBar,
    lanes: Vec<ProgressBar>,
}

impl Bars {
    pub(super) fn new(console: Console) -> Self {
        echo::hold();
        Self {
            console,
            lines: None,
            download: None,
            compared: None,
        }
    }

    /// A bar of something whose end is known.
    fn bar(&self, name: &str) -> ProgressBar {
        let template = match self.console.note_columns() {
            Some(..NARROWEST_COLUMNS) => NARROWEST,
            Some(..NARROW_COLUMNS) => NARROW,
            _ => KNOWN_INPUT,
        };
        let bar = ProgressBar::new(STEPS).with_style(style(template));
        self.console.bars().add(bar.with_prefix(prefix(name)))
    }

    fn compare(&mut self, model: &str, sequences: usize, of: usize) {
        let is_same = |(shown, _): &(String, ProgressBar)| shown == model;
        if !self.compared.as_ref().is_some_and(is_same) {
            self.clear();
            self.compared = Some((model.to_owned(), self.bar(model)));
        }
        let Some((_, bar)) = &self.compared else {
            return;
        };
        bar.set_position(sequences as u64 * STEPS / of.max(1) as u64);
        let text = format!("{sequences} of {of} sequences");
        bar.set_message(text);
        bar.tick();
    }

    fn start(&mut self, tally: &Tally) {
        let bars = self.console.bars();
        let bar = match tally.done() {
            Some(_) => self.bar(&tally.model),
            None => {
                let bar = ProgressBar::no_length().with_style(style(ENDLESS_INPUT));
                bars.add(bar.with_prefix(prefix(&tally.model)))
            }
        };
        let detail = || bars.add(ProgressBar::no_length().with_style(style(DETAIL)));
        self.lines = Some(Lines {
            bar,
            stages: detail(),
            machine: detail(),
            lanes: (0..tally.n_lane_lines()).map(|_| detail()).collect(),
        });
    }

    fn clear(&mut self) {
        if let Some((_, bar)) = self.compared.take() {
            bar.finish_and_clear();
            self.console.bars().remove(&bar);
        }
        if let Some(bar) = self.download.take() {
            bar.finish_and_clear();
            self.console.bars().remove(&bar);
        }
        if let Some(Lines {
            bar,
            stages,
            machine,
            lanes,
        }) = self.lines.take()
        {
            for bar in [bar, stages, machine].into_iter().chain(lanes) {
                bar.finish_and_clear();
                self.console.bars().remove(&bar);
            }
        }
    }
}

/// As much of a model's name as is shown. Whose it is on the Hub stands elsewhere.
fn prefix(model: &str) -> String {
    let name = model.split_once('/').map_or(model, |(_, name)| name);
    printable(name).chars().take(WIDEST_PREFIX).collect()
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are valid")
}

impl Listener for Bars {
    fn hear(&mut self, event: &Event, tally: &Tally) {
        if let Some(line) = warning(event).or_else(|| news(event)) {
            self.console.note(&line);
        }
        match event {
            Event::RunStarted { .. } => {
                self.clear();
                self.start(tally);
            }
            Event::DownloadStarted { model, .. } => {
                self.clear();
                if tally.download().is_some() {
                    self.download = Some(self.bar(model));
                }
            }
            Event::RunFinished {
                error,
                stopped,
                seconds,
                ..
            } => {
                let has_begun = self.lines.is_some();
                self.clear();
                // A run that never began has no figures; its error is reported where it goes.
                if has_begun {
                    self.console
                        .note(&tally.ending(error.is_none(), *stopped, *seconds));
                }
            }
            Event::DownloadFinished { .. } => {
                if self.download.is_some()
                    && let Some(download) = tally.download()
                    && let Some(said) = download.finished(event)
                {
                    self.clear();
                    self.console.note(&printable(&said));
                }
                self.clear();
            }
            Event::Comparing {
                model,
                sequences,
                of,
            } => self.compare(model, *sequences, *of),
            _ => {}
        }
    }

    fn tick(&mut self, tally: &Tally) {
        if let (Some(bar), Some(download)) = (&self.download, tally.download()) {
            bar.set_position((download.done().clamp(0.0, 1.0) * STEPS as f64) as u64);
            let text = download.line(download.elapsed());
            bar.set_message(printable(&text).into_owned());
            bar.tick();
        }
        if let Some(lines) = &self.lines {
            let done = tally.done().unwrap_or(0.0).clamp(0.0, 1.0);
            lines.bar.set_position((done * STEPS as f64) as u64);
            lines.bar.set_message(tally.line(tally.elapsed()));
            lines.bar.tick();
            lines.stages.set_message(tally.stages());
            lines.machine.set_message(tally.machine());
            for (line, text) in lines.lanes.iter().zip(tally.lanes()) {
                line.set_message(text);
            }
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
        echo::release();
    }
}
