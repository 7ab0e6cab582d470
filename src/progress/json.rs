//! Progress for programs.

use super::{Console, Listener, Tally};
use crate::event::Event;

/// Every event as one line of JSON, as soon as it happens.
pub(super) struct Json {
    console: Console,
}

impl Json {
    pub(super) fn new(console: Console) -> Self {
        Self { console }
    }
}

impl Listener for Json {
    fn hear(&mut self, event: &Event, _tally: &Tally) {
        let line = serde_json::to_string(event)
            .expect("events are plain data, and their paths come from scripts, which are UTF-8");
        self.console.line(&line);
    }

    fn tick(&mut self, _tally: &Tally) {}
}
