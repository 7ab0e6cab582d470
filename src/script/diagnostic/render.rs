//! Diagnostics as text.

use super::Diagnostic;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Lines wider than this are cut around the caret.
const WIDTH_COLUMNS: usize = 100;

impl Diagnostic {
    /// The report, with or without colours.
    pub fn render(&self, styled: bool) -> String {
        let mut report = vec![Group::with_title(
            Level::ERROR.primary_title(self.message.as_str()),
        )];
        for place in &self.places {
            let snippet = Snippet::source(&*place.text)
                .path(place.name.as_str())
                .annotations(place.marks.iter().map(|(range, label)| {
                    let label = (!label.is_empty()).then_some(label.as_str());
                    AnnotationKind::Primary.span(range.clone()).label(label)
                }));
            match &place.role {
                None => {
                    let group = report.pop().expect("the report begins with the title");
                    report.push(group.element(snippet));
                }
                Some(role) => {
                    let title = Level::NOTE.secondary_title(role.as_str());
                    report.push(title.element(snippet));
                }
            }
        }
        for hint in &self.hints {
            report.push(Group::with_title(
                Level::HELP.with_name("hint").secondary_title(hint.as_str()),
            ));
        }
        let renderer = if styled {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.term_width(WIDTH_COLUMNS).render(&report)
    }
}
