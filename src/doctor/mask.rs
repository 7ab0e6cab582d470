//! Values of variables without what is secret in them.

/// Parts of names of variables whose values are secret.
const SECRET_NAMES: [&str; 8] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "CREDENTIAL",
    "AUTH",
    "COOKIE",
    "_KEY",
];
/// Variables that have such a part in their names, and tell where a secret is or how to treat it.
const TOLD: [&str; 3] = [
    "HF_TOKEN_PATH",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    "SSH_AUTH_SOCK",
];
/// How tokens begin, of whatever variable they are a part.
const TOKEN_BEGINNINGS: [&str; 4] = ["hf_", "api_org_", "ghp_", "sk-"];
/// What stands in place of a secret.
const MASK: &str = "***";

/// The value of a variable as it may be shown.
pub(super) fn masked(name: &str, value: &str) -> String {
    let name = name.to_ascii_uppercase();
    if SECRET_NAMES.iter().any(|part| name.contains(part)) && !TOLD.contains(&name.as_str()) {
        return if value.is_empty() {
            String::new()
        } else {
            MASK.to_owned()
        };
    }
    without_tokens(&without_passwords(value))
}

/// Names and passwords of users, and what stands behind `?`, left out of addresses. A password may hold anything that
/// ought to be written otherwise, and ends at the last `@`.
fn without_passwords(value: &str) -> String {
    let is_scheme = |at: &usize| {
        let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        value[..*at].bytes().all(is_of_scheme)
    };
    let address = value
        .find("://")
        .filter(is_scheme)
        .map(|at| at + "://".len());
    let start = address.unwrap_or(0);
    let rest = &value[start..];
    // `user:password@host` is an address of a proxy, too.
    let at = rest
        .rfind('@')
        .filter(|at| address.is_some() || rest[..*at].contains(':'));
    let shown = match at {
        Some(at) => format!("{}{MASK}{}", &value[..start], &rest[at..]),
        None => value.to_owned(),
    };
    match shown.split_once('?') {
        Some((before, _)) if value.contains("://") => format!("{before}?{MASK}"),
        _ => shown,
    }
}

fn without_tokens(value: &str) -> String {
    let is_of_token =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let mut shown = String::new();
    let mut word = String::new();
    let end_word = |shown: &mut String, word: &mut String| {
        let is_token =
            word.len() >= 20 && TOKEN_BEGINNINGS.iter().any(|begin| word.starts_with(begin));
        shown.push_str(if is_token { MASK } else { word });
        word.clear();
    };
    for character in value.chars() {
        if is_of_token(character) {
            word.push(character);
        } else {
            end_word(&mut shown, &mut word);
            shown.push(character);
        }
    }
    end_word(&mut shown, &mut word);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        for (name, value, expect) in [
            ("HF_TOKEN", "hf_abcdefghijklmnopqrstuvwxyz", "***"),
            ("HF_TOKEN", "", ""),
            ("HUGGING_FACE_HUB_TOKEN", "short", "***"),
            ("HF_API_KEY", "x", "***"),
            ("HF_TOKEN_PATH", "/home/me/token", "/home/me/token"),
            ("HF_HOME", "/data/hf", "/data/hf"),
            (
                "https_proxy",
                "http://me:pass@proxy:3128",
                "http://***@proxy:3128",
            ),
            (
                "https_proxy",
                "http://me:p/a,s@s@proxy:3128/",
                "http://***@proxy:3128/",
            ),
            (
                "HTTPS_PROXY",
                "http://me:S3 CRET\"PW@proxy:1",
                "http://***@proxy:1",
            ),
            ("HF_ENDPOINT", "http://u:a b@h", "http://***@h"),
            ("HF_ENDPOINT", "ftp://u:a?b@h", "ftp://***@h"),
            (
                "https_proxy",
                "http://me:S3@CR/ET@proxy:1",
                "http://***@proxy:1",
            ),
            ("https_proxy", "me:a://b@proxy:1", "***@proxy:1"),
            ("https_proxy", "http://proxy:3128", "http://proxy:3128"),
            ("HTTP_PROXY", "me:pass@proxy:3128", "***@proxy:3128"),
            ("no_proxy", "localhost,10.0.0.0/8", "localhost,10.0.0.0/8"),
            (
                "HF_ENDPOINT",
                "https://hub.example/?token=abc",
                "https://hub.example/?***",
            ),
            ("RUNNER_X", "a=hf_abcdefghijklmnopqrstuvwxyz,b", "a=***,b"),
            ("HF_HUB_CACHE", "/data/hf_cache", "/data/hf_cache"),
        ] {
            assert_eq!(masked(name, value), expect, "{name}={value}");
        }
    }
}
