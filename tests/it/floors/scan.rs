//! Reads Rust well enough to tell code from comments and literals, and to find paths.

use std::ops::Range;

/// `text` with a blank for each byte, in the same lines.
pub fn blank(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect()
}

/// `text` with blanks in place of comments, strings and characters, byte for byte.
pub fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let follows_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let n_bytes = literal(rest, follows_word);
        if n_bytes > 0 {
            code.push_str(&blank(&rest[..n_bytes]));
            rest = &rest[n_bytes..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// Bytes of the comment, string or character that `text` begins with, if any.
fn literal(text: &str, follows_word: bool) -> usize {
    let until = |start: usize, end: &str| {
        text[start..]
            .find(end)
            .map_or(text.len(), |found| start + found + end.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        let mut depth = 0;
        let mut at = 0;
        while at < text.len() {
            let step = &text.as_bytes()[at..(at + 2).min(text.len())];
            match step {
                b"/*" => depth += 1,
                b"*/" => depth -= 1,
                _ => {
                    at += 1;
                    continue;
                }
            }
            at += 2;
            if depth == 0 {
                break;
            }
        }
        return at;
    }
    let prefix = text.len() - text.trim_start_matches(['b', 'c', 'r']).len();
    let quoted = &text[prefix..];
    let n_hashes = quoted.len() - quoted.trim_start_matches('#').len();
    let is_raw = prefix > 0 && text[..prefix].ends_with('r');
    if !follows_word && is_raw && quoted[n_hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(n_hashes));
        return until(prefix + n_hashes + 1, &end);
    }
    if text.starts_with('"') {
        let mut is_escaped = false;
        for (at, byte) in text.bytes().enumerate().skip(1) {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => return at + 1,
                _ => {}
            }
        }
        return text.len();
    }
    let mut chars = text.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('\''), Some('\\'), Some(escaped)) => until(2 + escaped.len_utf8(), "'"),
        (Some('\''), Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

/// Where the bodies of `#[cfg(test)]` modules are in `code`.
pub fn test_modules(code: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let mut depth = 0;
        for (at, byte) in code.bytes().enumerate().skip(start) {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(byte, b'}' | b';') {
                found.push(start..at + 1);
                break;
            }
        }
    }
    found
}

/// The identifiers of `code`.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty())
}

/// Every path of `code` that has at least two segments, groups in braces taken apart.
pub fn paths(code: &str) -> Vec<Vec<String>> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let n_bytes = match word {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        tokens.push(&rest[..n_bytes]);
        rest = rest[n_bytes..].trim_start();
    }
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = collect_path(&tokens, at, &[], &mut paths);
    }
    paths.retain(|path| path.len() > 1);
    paths
}

/// Collects the path or the group of paths that begins at `at`. Returns where it ends.
fn collect_path(
    tokens: &[&str],
    mut at: usize,
    prefix: &[String],
    paths: &mut Vec<Vec<String>>,
) -> usize {
    let is_word = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|token| words(token).next().is_some())
    };
    let mut path = prefix.to_vec();
    if !is_word(at) {
        return at + 1;
    }
    path.push(tokens[at].to_owned());
    at += 1;
    while tokens.get(at) == Some(&"::") {
        if is_word(at + 1) {
            path.push(tokens[at + 1].to_owned());
            at += 2;
        } else if tokens.get(at + 1) == Some(&"{") {
            at += 2;
            while at < tokens.len() && tokens[at] != "}" {
                at = collect_path(tokens, at, &path, paths);
            }
            return at + 1;
        } else {
            break;
        }
    }
    paths.push(path);
    at
}

#[test]
fn the_scanner_reads_rust() {
    let text = r##"
        use crate::{a::{self, b::C}, d}; // crate::no
        /* crate::no /* crate::no */ crate::no */
        fn f<'x>(c: char) -> &'x str { if c == '"' { "crate::no \" crate::no" } else { r#"x"crate::no"# } }
        #[cfg(test)]
        mod tests { fn g() { crate::e::f(); } }
        static X: u8 = super::h::Y;
    "##;
    let found: Vec<_> = paths(&code(text))
        .into_iter()
        .map(|path| path.join("::"))
        .collect();
    for expected in [
        "crate::a::self",
        "crate::a::b::C",
        "crate::d",
        "crate::e::f",
        "super::h::Y",
    ] {
        assert!(
            found.iter().any(|path| path == expected),
            "{expected} is not in {found:?}"
        );
    }
    assert!(!found.iter().any(|path| path.contains("no")), "{found:?}");
    let tests = test_modules(&code(text));
    assert_eq!(tests.len(), 1);
    assert!(text[tests[0].clone()].ends_with("crate::e::f(); } }"));
}
