//! Diagnostics as text.

use super::Diagnostic;
use crate::text::printable;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Lines wider than this are cut around the caret where nobody knows how wide a terminal is.
const WIDTH_COLUMNS: usize = 100;

/// What stands before a text: `error: `.
const LABEL_COLUMNS: usize = 7;
/// A terminal with less room wraps lines as it likes.
const LEAST_COLUMNS: usize = 30;

impl Diagnostic {
    /// The report, with or without colours, in lines of so many columns, if that is known.
    pub fn render(&self, styled: bool, columns: Option<usize>) -> String {
        // Names of files and what scripts throw come from outside.
        let safe = |text: &str| {
            let text = printable(text);
            let room = columns.map(|columns| columns.saturating_sub(LABEL_COLUMNS));
            match room {
                Some(room) if room >= LEAST_COLUMNS => wrapped(&text, room),
                _ => text.into_owned(),
            }
        };
        let mut report = vec![Group::with_title(
            Level::ERROR.primary_title(safe(&self.message)),
        )];
        for place in &self.places {
            let snippet = Snippet::source(&*place.text)
                .path(printable(&place.name))
                .annotations(place.marks.iter().map(|(range, label)| {
                    let label = (!label.is_empty()).then(|| printable(label));
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
        let renderer = renderer.term_width(columns.unwrap_or(WIDTH_COLUMNS).max(LEAST_COLUMNS));
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

/// A text in lines that end between words. What backticks hold is one word, which somebody may want to copy.
fn wrapped(text: &str, columns: usize) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / columns);
    let mut column = 0;
    for line in text.split_inclusive('\n') {
        let mut is_quoted = false;
        let words = line.split_inclusive(|character| {
            is_quoted ^= character == '`';
            character == ' ' && !is_quoted
        });
        for word in words {
            let length = word.trim_end().chars().count();
            if column > 0 && column + length > columns {
                lines.truncate(lines.trim_end_matches(' ').len());
                lines.push('\n');
                column = 0;
            }
            lines.push_str(word);
            column += word.chars().count();
        }
        if line.ends_with('\n') {
            column = 0;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words_and_commands_stay_whole() {
        let check = |text: &str, expect: &str| assert_eq!(wrapped(text, 12), expect);
        check("a few words only", "a few words\nonly");
        check("try `runner man x` here", "try\n`runner man x`\nhere");
        check("one\ntwo three", "one\ntwo three");
        check("averyveryverylongword and", "averyveryverylongword\nand");
        check("it's 12 long", "it's 12 long");
    }

    #[test]
    fn reports_fit_the_terminal() {
        let words = "word ".repeat(30);
        let hint = Some(words.trim().to_owned());
        let diagnostic = Diagnostic::without_place(words.trim().to_owned(), hint);
        let shown = diagnostic.render(false, Some(60));
        assert!(
            shown.lines().all(|line| line.chars().count() <= 60),
            "{shown}"
        );
        assert!(shown.lines().count() >= 6, "{shown}");
        assert_eq!(diagnostic.render(false, None).lines().count(), 2);
    }

    #[test]
    fn lines_of_scripts_fit_the_terminal() {
        let text = format!(
            "let x = {}; nonsense; {}",
            "a + ".repeat(40),
            "b - ".repeat(40)
        );
        let at = text.find("nonsense").unwrap();
        let mut diagnostic = Diagnostic::without_place("it is wrong".to_owned(), None);
        diagnostic.places.push(super::super::Place {
            name: "a.rhai".to_owned(),
            marks: vec![(at..at + 8, "here".to_owned())],
            text: text.into(),
            role: None,
        });
        for columns in [40, 80, 140] {
            let shown = diagnostic.render(false, Some(columns));
            let widest = shown.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns), "{columns}: {shown}");
            assert!(shown.contains("nonsense"), "{columns}: {shown}");
        }
    }
}
