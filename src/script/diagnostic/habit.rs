//! What people write out of habit from other languages, and how it is written here.

/// Words of other languages, and what to write in their place.
const WORDS: [(&str, &str); 30] = [
    ("True", "it is written `true`"),
    ("False", "it is written `false`"),
    ("None", "nothing is written `()`"),
    ("null", "nothing is written `()`"),
    ("nil", "nothing is written `()`"),
    ("undefined", "nothing is written `()`"),
    ("and", "it is written `&&`"),
    ("or", "it is written `||`"),
    ("not", "it is written `!`, as in `!done`"),
    ("is", "values are compared with `==`"),
    ("elif", "it is written `else if`"),
    ("elsif", "it is written `else if`"),
    ("elseif", "it is written `else if`"),
    ("except", "it is written `catch (err) { .. }`"),
    (
        "finally",
        "what follows `try { .. } catch { .. }` is done in any case",
    ),
    ("raise", "it is written `throw`"),
    ("def", "functions are written `fn name(value) { .. }`"),
    ("function", "functions are written `fn name(value) { .. }`"),
    ("func", "functions are written `fn name(value) { .. }`"),
    ("lambda", "closures are written `|x| x + 1`"),
    (
        "from",
        "modules are imported as in `import \"grid\" as grid;`",
    ),
    (
        "using",
        "modules are imported as in `import \"grid\" as grid;`",
    ),
    (
        "require",
        "modules are imported as in `import \"grid\" as grid;`",
    ),
    ("var", "variables are made with `let`"),
    ("auto", "variables are made with `let`"),
    ("pass", "a block can be empty: `{ }`"),
    ("print", "it is called with parentheses: `print(\"text\")`"),
    ("then", "what follows `if` stands in braces: `if a { b }`"),
    ("do", "what follows `while` and `for` stands in braces"),
    ("end", "blocks stand in braces: `{ .. }`"),
];

/// How what stands at `offset`, where the parser stopped, is written here. `None` if it is no known
/// habit.
pub(super) fn hint(text: &str, offset: usize) -> Option<String> {
    let (before, rest) = (&text[..offset], &text[offset..]);
    let rest = rest.lines().next().unwrap_or_default();
    let word: String = rest.chars().take_while(|c| is_word(*c)).collect();
    let hint = if rest.starts_with('#') {
        "comments begin with `//`, and maps with `#{`"
    } else if rest.starts_with('\'') {
        "strings stand in double quotes: \"text\""
    } else if rest.starts_with("++") || rest.starts_with("--") {
        "add with `+= 1`, subtract with `-= 1`"
    } else if rest.starts_with('?') {
        "a choice is written `if a { b } else { c }`"
    } else if rest.starts_with(':') {
        return after_colon(before).map(str::to_owned);
    } else if rest.starts_with(',') && innermost(before).is_some_and(|at| is_tuple(before, at)) {
        "several values stand in square brackets: `[1, 2]`"
    } else if word.is_empty() {
        return None;
    } else {
        return after_word(before, &rest[word.len()..], &word);
    };
    Some(hint.to_owned())
}

/// What a statement lacks that ends above the token at `offset`.
pub(super) fn missing_semicolon(text: &str, offset: usize) -> Option<String> {
    let before = &text[..offset];
    let gap = &before[before.trim_end().len()..];
    gap.contains('\n')
        .then(|| "end the statement above with `;`".to_owned())
}

/// Whether a word is one of another language.
pub(super) fn is_foreign(word: &str) -> bool {
    WORDS.iter().any(|(known, _)| *known == word)
}

fn after_word(before: &str, after: &str, word: &str) -> Option<String> {
    let next = after.trim_start();
    let previous = before.trim_end();
    if after.starts_with(['"', '\'']) {
        return Some("text with values in it stands in backquotes: `a ${b} c`".to_owned());
    }
    if previous.ends_with("import") {
        return Some(format!(
            "modules are imported as in `import \"{word}\" as {word};`"
        ));
    }
    // What has its parentheses stands where it must not for another reason.
    let is_called = next.starts_with('(');
    let is_meant = |known: &str| known == word && !(known == "print" && is_called);
    if let Some((_, hint)) = WORDS.iter().find(|(known, _)| is_meant(known)) {
        return Some((*hint).to_owned());
    }
    let bracket = innermost(before).map(|at| (at, &before[at..=at]));
    if next.starts_with(':')
        && !next.starts_with("::")
        && let Some((at, "{")) = bracket
    {
        return is_bare_map(before, at).then(|| MAP.to_owned());
    }
    let is_assigned = next.starts_with('=') && !next.starts_with("==") && !next.starts_with("=>");
    if !is_assigned {
        return None;
    }
    if is_made_by("const", before, word) {
        return Some(format!(
            "constants stay as they are: make `{word}` with `let` to change it"
        ));
    }
    Some(match bracket {
        Some((_, "(")) if previous.ends_with(['(', ',']) => {
            format!("options stand in a map behind the other arguments: `#{{ {word}: value }}`")
        }
        _ => format!("a new variable begins with `let`: `let {word} = ..`"),
    })
}

const MAP: &str = "a map begins with `#{`: `#{ name: value }`";

fn after_colon(before: &str) -> Option<&'static str> {
    if let Some(at) = innermost(before)
        && before[at..].starts_with('{')
        && is_bare_map(before, at)
    {
        return Some(MAP);
    }
    let line = before.lines().next_back().unwrap_or_default().trim_start();
    let first = line.split(|c| !is_word(c)).next().unwrap_or_default();
    match first {
        "let" | "const" => Some("variables have no types: leave the `:` and the type out"),
        "if" | "else" | "for" | "while" | "fn" | "try" | "loop" => {
            Some("what follows stands in braces: `{ .. }`")
        }
        _ => None,
    }
}

/// Whether the `{` at `at` begins a value and not a block, and lacks its `#`.
fn is_bare_map(before: &str, at: usize) -> bool {
    before[..at]
        .trim_end()
        .ends_with(['(', ',', '=', ':', '[', '+'])
}

/// Whether the `(` at `at` belongs to no call.
fn is_tuple(before: &str, at: usize) -> bool {
    let previous = before[..at].trim_end();
    before[at..].starts_with('(') && previous.ends_with(['=', ',', '(', '[', ':'])
}

/// Whether `text` has this word behind `keyword`, as in `const word`.
fn is_made_by(keyword: &str, text: &str, word: &str) -> bool {
    let words = text.split(|c| !is_word(c));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.windows(2).any(|pair| *pair == [keyword, word])
}

/// What is said of a variable that a function names at `offset`, and that is made outside of it.
pub(super) fn outside(text: &str, offset: usize, name: &str) -> Option<String> {
    let before = &text[..offset];
    let is_body = |at: &usize| {
        let head = &before[..*at];
        let Some(begin) = head.rfind("fn ") else {
            return false;
        };
        before[*at..].starts_with('{')
            && head.trim_end().ends_with(')')
            && !head[begin..].contains(['{', '}', ';'])
    };
    let body = open_brackets(before).into_iter().find(is_body)?;
    let is_made = |text: &str| ["let", "const"].iter().any(|by| is_made_by(by, text, name));
    (is_made(&text[..body]) && !is_made(&before[body..])).then(|| {
        format!("functions do not see variables outside of them: give them `{name}` as an argument")
    })
}

/// Where the innermost bracket begins that is open at the end of `text`.
fn innermost(text: &str) -> Option<usize> {
    open_brackets(text).pop()
}

/// Where the brackets begin that are open at the end of `text`, from the outermost on.
fn open_brackets(text: &str) -> Vec<usize> {
    let mut open = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '(' | '[' | '{' => open.push(at),
            ')' | ']' | '}' => {
                open.pop();
            }
            '/' if chars.peek().is_some_and(|(_, next)| *next == '/') => {
                while chars.next_if(|(_, next)| *next != '\n').is_some() {}
            }
            '"' | '`' => {
                let mut is_escaped = false;
                for (_, inside) in chars.by_ref() {
                    if inside == c && !is_escaped {
                        break;
                    }
                    is_escaped = inside == '\\' && !is_escaped && c == '"';
                }
            }
            _ => {}
        }
    }
    open
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hint where `^` stands in the text.
    fn check(text: &str, expect: Option<&str>) {
        let offset = text.find('^').unwrap();
        let hint = hint(&text.replace('^', ""), offset);
        match (&hint, expect) {
            (Some(hint), Some(expect)) => assert!(hint.contains(expect), "{text}: {hint}"),
            _ => assert_eq!(hint.is_some(), expect.is_some(), "{text}: {hint:?}"),
        }
    }

    #[test]
    fn habits_are_known() {
        check("^# note", Some("`//`"));
        check("let a = ^'abc';", Some("double quotes"));
        check("embed(m, d, { ^readers: 2 })", Some("`#{`"));
        check("let o = { \"a\"^: 1 };", Some("`#{`"));
        check("^x = 5;", Some("`let x = ..`"));
        check("if a { ^x = 5; }", Some("`let x = ..`"));
        check("embed(m, d, ^readers=2)", Some("`#{ readers: value }`"));
        check("f(\"(\", ^a = 1)", Some("`#{ a: value }`"));
        check("// (\n^a = 1", Some("`let a"));
        check("let a = ^True;", Some("`true`"));
        check("if a ^and b { }", Some("`&&`"));
        check("print(^f\"a {n}\")", Some("backquotes"));
        check("import ^os", Some("`import \"os\" as os;`"));
        check("for i in x^: y", Some("braces"));
        check("let a^: int = 1;", Some("no types"));
        check("a^++", Some("`+= 1`"));
        check("let a = (1^, 2);", Some("`[1, 2]`"));
        check("^print \"a\";", Some("parentheses"));
        check("const K = 3; ^K = 4;", Some("make `K` with `let`"));
        check("const K = 3; ^L = 4;", Some("`let L = ..`"));
    }

    #[test]
    fn what_is_no_habit() {
        check("let a = ^b;", None);
        check("f(1) ^print(2);", None);
        check("let a = ^b == 1;", None);
        check("switch a { ^b => 1 }", None);
        check("foo(1 2^, 3)", None);
        check("a.b^;", None);
        check("let a = #{ b: { ^c } };", None);
    }

    #[test]
    fn functions_see_what_is_given_to_them() {
        let is_outside = |text: &str| {
            let offset = text.find('^').unwrap();
            outside(&text.replace('^', ""), offset, "m").is_some()
        };
        assert!(is_outside("let m = 1; fn f(x) { if x { ^m } } f(1);"));
        assert!(is_outside("let m = 1;\nfn f() {\n  g(^m)\n}"));
        assert!(!is_outside("fn f(x) { ^m } f(1);"), "it is nowhere");
        assert!(!is_outside("let m = 1; if a { ^m }"));
        assert!(!is_outside("fn f(x) { 1 } let m = 1; { ^m }"));
    }

    #[test]
    fn a_semicolon_may_be_missing_above() {
        let text = "let a = 1\n  let b = 2;";
        assert!(missing_semicolon(text, 12).is_some());
        assert!(missing_semicolon("let a = 1 let b;", 10).is_none());
    }
}
