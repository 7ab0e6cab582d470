//! Progress on a terminal.

use super::{Console, Listener, Tally, news, warning};
use crate::{event::Event, text::printable};
use indicatif::{ProgressBar, ProgressStyle};

/// A bar that fills with the input, beside the figures. Narrow terminals cut the figures off.
const KNOWN_INPUT: &str = "{prefix} {bar:20} {percent:>3}% {wide_msg}";
/// Standard input has no known end.
const ENDLESS_INPUT: &str = "{prefix} {spinner} {wide_msg}";
/// What stands below the bar.
const DETAIL: &str = "{wide_msg:.dim}";
/// Steps in which a bar fills.
const STEPS: u64 = 1000;
/// Characters of a model's name that are shown.
const WIDEST_PREFIX: usize = 20;

/// A bar for each call of `embed` with two lines below it, and one or two more for several lanes, gone when the call
/// ends; and one for a download.
pub(super) struct Bars {
    console: Console,
    lines: Option<Lines>,
    /// The bar of a download.
    download: Option<ProgressBar>,
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
        Self {
            console,
            lines: None,
            download: None,
        }
    }

    fn start_download(&mut self, model: &str) {
        let bar = ProgressBar::new(STEPS).with_style(style(KNOWN_INPUT));
        // Whose it is stands in the line above.
        let name = model.split_once('/').map_or(model, |(_, name)| name);
        let bar = bar.with_prefix(prefix(name));
        self.download = Some(self.console.bars().add(bar));
    }

    fn start(&mut self, tally: &Tally) {
        let (bar, template) = match tally.done() {
            Some(_) => (ProgressBar::new(STEPS), KNOWN_INPUT),
            None => (ProgressBar::no_length(), ENDLESS_INPUT),
        };
        let bars = self.console.bars();
        let bar = bars.add(
            bar.with_style(style(template))
                .with_prefix(prefix(&tally.model)),
        );
        let detail = || bars.add(ProgressBar::no_length().with_style(style(DETAIL)));
        self.lines = Some(Lines {
            bar,
            stages: detail(),
            machine: detail(),
            lanes: (0..tally.n_lane_lines()).map(|_| detail()).collect(),
        });
    }

    fn clear(&mut self) {
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

/// As much of a model's name as is shown.
fn prefix(model: &str) -> String {
    printable(model).chars().take(WIDEST_PREFIX).collect()
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
                    self.start_download(model);
                }
            }
            Event::RunFinished { .. } | Event::DownloadFinished { .. } => self.clear(),
            _ => {}
        }
    }

    fn tick(&mut self, tally: &Tally) {
        if let (Some(bar), Some(download)) = (&self.download, tally.download()) {
            bar.set_position((download.done().clamp(0.0, 1.0) * STEPS as f64) as u64);
            bar.set_message(printable(&download.line(download.elapsed())).into_owned());
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
    }
}
