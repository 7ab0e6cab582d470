//! Progress on a terminal.

use super::{Console, Listener, Tally, warning};
use crate::event::Event;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar that fills with the input, beside the figures. Narrow terminals cut the figures off.
const KNOWN_INPUT: &str = "{prefix} {bar:20} {percent:>3}% {wide_msg}";
/// Standard input has no known end.
const ENDLESS_INPUT: &str = "{prefix} {spinner} {wide_msg}";
/// Characters of a model's name that are shown.
const WIDEST_PREFIX: usize = 20;

/// One bar for each call of `embed`, gone when the call ends.
pub(super) struct Bars {
    console: Console,
    bar: Option<ProgressBar>,
}

impl Bars {
    pub(super) fn new(console: Console) -> Self {
        Self { console, bar: None }
    }

    fn start(&mut self, tally: &Tally) {
        let (bar, template) = match tally.input_bytes {
            Some(bytes) => (ProgressBar::new(bytes), KNOWN_INPUT),
            None => (ProgressBar::no_length(), ENDLESS_INPUT),
        };
        let style = ProgressStyle::with_template(template).expect("the templates are valid");
        let prefix: String = tally.model.chars().take(WIDEST_PREFIX).collect();
        let bar = bar.with_style(style).with_prefix(prefix);
        self.bar = Some(self.console.bars().add(bar));
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.console.bars().remove(&bar);
        }
    }
}

impl Listener for Bars {
    fn hear(&mut self, event: &Event, tally: &Tally) {
        if let Some(warning) = warning(event) {
            self.console.note(&warning);
        }
        match event {
            Event::RunStarted { .. } => {
                self.clear();
                self.start(tally);
            }
            Event::RunFinished { .. } => self.clear(),
            _ => {}
        }
    }

    fn tick(&mut self, tally: &Tally) {
        if let Some(bar) = &self.bar {
            bar.set_position(tally.bytes_read);
            bar.set_message(tally.line(tally.elapsed()));
            bar.tick();
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}
