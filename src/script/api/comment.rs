//! Documentation that comes from tables, as the lines of comments.

use crate::job::OptionDoc;

/// Characters of a line at most.
const MOST_CHARS: usize = 100;

/// A text as the lines of a comment.
pub(in crate::script) fn comment(text: &str) -> String {
    lines(text, "///")
}

/// Options as a list in a comment.
pub(in crate::script) fn option_list(options: &[OptionDoc]) -> String {
    let items = options.iter().map(|option| {
        let OptionDoc {
            name,
            default,
            values,
            text,
        } = option;
        let item = format!("* `{name}`: {text} ({default}; {values})");
        lines(&item, "///  ")
    });
    // The first line of an item stands out.
    let items: Vec<_> = items.map(|item| item.replacen("///  ", "///", 1)).collect();
    items.join("\n")
}

/// Lines that begin with `prefix` and a blank.
fn lines(text: &str, prefix: &str) -> String {
    let mut lines = vec![prefix.to_owned()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        let is_long = line.chars().count() + 1 + word.chars().count() > MOST_CHARS;
        if is_long && line != prefix {
            lines.push(format!("{prefix} {word}"));
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_have_lines() {
        let text = "word ".repeat(40);
        let comment = comment(text.trim());
        assert_eq!(comment.matches("word").count(), 40);
        assert!(comment.lines().all(|line| line.starts_with("/// word")));
        assert!(comment.lines().all(|line| line.len() <= MOST_CHARS));
    }

    #[test]
    fn options_are_a_list() {
        let option = |text: &str| OptionDoc {
            name: "readers",
            default: "2".to_owned(),
            values: "1 to 9".to_owned(),
            text: text.to_owned(),
        };
        let list = option_list(&[option("a"), option(&"word ".repeat(20))]);
        let lines: Vec<_> = list.lines().collect();
        assert_eq!(lines[0], "/// * `readers`: a (2; 1 to 9)");
        assert!(lines[1].starts_with("/// * `readers`: word "));
        assert!(lines[2].starts_with("///   word"), "{}", lines[2]);
        assert!(list.ends_with(" (2; 1 to 9)"), "{list}");
    }
}
