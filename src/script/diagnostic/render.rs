//! Diagnostics as text.

use super::Diagnostic;
use crate::text::printable;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Lines wider than this are cut around the caret.
const WIDTH_COLUMNS: usize = 100;

impl Diagnostic {
    /// The report, with or without colours.
    pub fn render(&self, styled: bool) -> String {
        // Names of files and what scripts throw come from outside.
        let safe = |text: &str| printable(text).into_owned();
        let mut report = vec![Group::with_title(
            Level::ERROR.primary_title(safe(&self.message)),
        )];
        for place in &self.places {
            let snippet = Snippet::source(&*place.text)
                .path(safe(&place.name))
                .annotations(place.marks.iter().map(|(range, label)| {
                    let label = (!label.is_empty()).then(|| safe(label));
                    AnnotationKind::Primary.span(range.clone()).label(label)
                }));
            match &place.role {
                None => {
                    let group = report.pop().expect("the report begins with the title");
                    report.push(group.element(snippet));
                }
                Some(role) => {
                    let title = Level::NOTE.secondary_title(safe(role));
                    report.push(title.element(snippet));
                }
            }
        }
        for hint in &self.hints {
            report.push(Group::with_title(
                Level::HELP.with_name("hint").secondary_title(safe(hint)),
            ));
        }
        let renderer = if styled {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.term_width(WIDTH_COLUMNS);
        if self.places.is_empty() {
            // Without a text between them the lines stand one below the other.
            let lines: Vec<_> = report
                .chunks(1)
                .map(|group| renderer.render(group))
                .collect();
            return lines.join("\n");
        }
        renderer.render(&report)
    }
}
