//! Findings as text for people, and as JSON for programs.

use super::finding::{Finding, State};
use crate::{
    error::exit_code,
    text::{in_number, printable_line},
};
use serde_json::json;

/// Characters before the text of a finding: two, the sign and another, its name, two.
const INDENT: usize = 4 + NAME_WIDTH + 2;
const NAME_WIDTH: usize = 16;

/// All that was found.
pub struct Report {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
    /// Whether a call of the driver of GPUs did not return: the process has to end without asking it to clean up.
    pub driver_hangs: bool,
}

impl Report {
    fn count(&self, state: State) -> u64 {
        let of_state = self
            .findings
            .iter()
            .filter(|finding| finding.state == state);
        of_state.count() as u64
    }

    /// 0 if nothing fails, else 1.
    pub fn exit_code(&self) -> u8 {
        match self.count(State::Failure) {
            0 => exit_code::OK,
            _ => exit_code::UNEXPECTED,
        }
    }

    /// What it comes to, in a line.
    pub fn summary(&self) -> String {
        let n_warnings = self.count(State::Warning);
        let warnings = match n_warnings {
            0 => String::new(),
            n => format!(
                "; {n} {}",
                in_number(n, "thing is slow or odd", "things are slow or odd")
            ),
        };
        match self.count(State::Failure) {
            0 => format!("Everything works that is needed{warnings}."),
            n => format!(
                "{n} {}{warnings}.",
                in_number(n, "thing does not work", "things do not work")
            ),
        }
    }

    /// All of it as one object, in one line.
    pub fn json(&self) -> String {
        let of_report = json!({
            "format": 1,
            "version": env!("CARGO_PKG_VERSION"),
            "ok": self.exit_code() == exit_code::OK,
            "failures": self.count(State::Failure),
            "warnings": self.count(State::Warning),
            "findings": self.findings,
        });
        of_report.to_string()
    }
}

impl Finding {
    /// The finding as lines of at most so many characters, as far as words allow.
    pub fn lines(&self, width: usize) -> String {
        let name = printable_line(&self.name);
        let begin = format!("  {} {name:NAME_WIDTH$}  ", self.state.sign());
        let mut lines = filled(&begin, INDENT, &self.text, width);
        if let Some(remedy) = &self.remedy {
            lines.push('\n');
            let begin = format!("{:INDENT$}→ ", "");
            lines.push_str(&filled(&begin, INDENT + 2, remedy, width));
        }
        lines
    }
}

/// A text behind `begin`, in lines that are filled and indented alike.
fn filled(begin: &str, indent: usize, text: &str, width: usize) -> String {
    let mut lines = begin.to_owned();
    let mut column = begin.chars().count();
    let mut is_first = true;
    for word in printable_line(text).split_whitespace() {
        let length = word.chars().count();
        if !is_first && column + 1 + length > width {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
        } else if !is_first {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
        is_first = false;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_filled_and_indented() {
        let long = "word ".repeat(40);
        let finding = Finding::failure("name", long, "do this").with("a", 1);
        let shown = finding.lines(60);
        let lines: Vec<_> = shown.lines().collect();
        assert!(
            lines[0].starts_with("  ✗ name              word word"),
            "{lines:?}"
        );
        assert!(
            lines[1].starts_with(&format!("{:INDENT$}word", "")),
            "{lines:?}"
        );
        assert_eq!(lines.last().unwrap().trim(), "→ do this");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 60),
            "{lines:?}"
        );
        assert!(finding.lines(100).lines().count() < lines.len());
        // What a terminal would obey is spelt out.
        let odd = Finding::good("a\nb", "c\u{1b}[2Jd").lines(100);
        assert!(
            odd.contains(r"a\u{a}b") && odd.contains(r"c\u{1b}[2Jd"),
            "{odd}"
        );
    }

    #[test]
    fn only_failures_count() {
        let report = |states: &[State]| Report {
            findings: states
                .iter()
                .map(|&state| Finding::new(state, "a", "b"))
                .collect(),
            driver_hangs: false,
        };
        let good = report(&[State::Good, State::Note, State::Warning]);
        assert_eq!(good.exit_code(), 0);
        assert_eq!(
            good.summary(),
            "Everything works that is needed; 1 thing is slow or odd."
        );
        let bad = report(&[State::Good, State::Failure, State::Failure]);
        assert_eq!(bad.exit_code(), 1);
        assert_eq!(bad.summary(), "2 things do not work.");
    }
}
