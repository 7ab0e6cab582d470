//! What the environment says of the Hub, in the variables that `huggingface_hub` reads.

use super::{
    proxy::{Proxies, shown_in_full},
    token::Token,
};
use crate::file::home_folder;
use std::{
    env,
    ffi::OsString,
    fmt, fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// Where the Hub is if nothing else is said.
const ENDPOINT: &str = "https://huggingface.co";
/// The pause before something is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a server may be silent.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many times as long a small answer may take as a whole.
const PATIENCE: u32 = 6;
/// Variables that forbid to ask anyone. Only the first that is set counts.
const OFFLINE: [&str; 2] = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"];
/// Variables with a token. The first that is set counts.
const TOKENS: [&str; 2] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];
/// Bytes of a file that notes a commit at most.
const MOST_SHORT_BYTES: u64 = 4096;

/// What the environment says of the Hub.
#[derive(Clone)]
pub(super) struct Environment {
    /// The folder of the cache.
    pub cache: PathBuf,
    /// The address of the Hub, without a slash at its end.
    pub endpoint: String,
    /// Who we are, if that is said.
    pub token: Result<Option<Token>, NoToken>,
    /// The variable that forbids to ask anyone.
    pub offline: Option<&'static str>,
    /// How long the server may be silent while it sends a file.
    pub download_timeout: Duration,
    /// How long it may take to say what there is.
    pub answer_timeout: Duration,
    /// How long it may take to say all of it: a server may be slow without being silent.
    pub whole_answer_timeout: Duration,
    /// How long to wait before something is tried again. It doubles each time.
    pub pause: Duration,
    /// Through which proxies servers are reached.
    pub proxies: Proxies,
    /// Whether snapshots may link to blobs.
    pub symlinks: bool,
}

/// What should be a token and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoToken {
    /// The variable or the file.
    pub place: String,
    /// What is wrong with it.
    pub flaw: &'static str,
    /// Whether it is a file.
    pub is_file: bool,
}

impl Environment {
    /// That of this process.
    pub(super) fn of_process() -> Self {
        Self::of(&|name| match name {
            "HOME" => home_folder(),
            _ => env::var_os(name),
        })
    }

    /// An environment in which variables have these values. An empty one counts as not set.
    pub(super) fn of(variables: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| variables(name)?.into_string().ok();
        let value = |name: &str| text(name).filter(|value| !value.trim().is_empty());
        let is_true = |name: &str| value(name).is_some_and(|value| is_true(&value));
        // Paths need not be text.
        let path = |name: &str| {
            let path = variables(name)?;
            let path = path.as_bytes().trim_ascii();
            (!path.is_empty()).then(|| expanded(path, variables))
        };
        let home = path("HF_HOME").unwrap_or_else(|| {
            path("XDG_CACHE_HOME")
                .unwrap_or_else(|| expanded(b"~/.cache", variables))
                .join("huggingface")
        });
        let seconds = |name: &str| {
            let seconds = value(name)?.trim().parse().ok()?;
            (seconds > 0).then(|| Duration::from_secs(seconds))
        };
        let answer_timeout = seconds("HF_HUB_ETAG_TIMEOUT").unwrap_or(TIMEOUT);
        let offline = OFFLINE.into_iter().find(|name| value(name).is_some());
        Self {
            cache: path("HF_HUB_CACHE")
                .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
                .unwrap_or_else(|| home.join("hub")),
            endpoint: value("HF_ENDPOINT").map_or_else(
                || ENDPOINT.to_owned(),
                |endpoint| endpoint.trim().trim_end_matches('/').to_owned(),
            ),
            token: match is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
                true => Ok(None),
                false => {
                    // What is no text is complained of.
                    let lossy = |name: &str| Some(variables(name)?.to_string_lossy().into_owned());
                    let variable = TOKENS.into_iter().find_map(|name| {
                        let text = lossy(name).filter(|text| !text.trim().is_empty());
                        Some((name, text?))
                    });
                    match variable {
                        Some((name, text)) => Token::of(&text).map(Some).map_err(|flaw| NoToken {
                            place: format!("`{name}`"),
                            flaw,
                            is_file: false,
                        }),
                        None => {
                            let file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
                            Token::in_file(&file).map_err(|flaw| NoToken {
                                place: format!("`{}`", file.display()),
                                flaw,
                                is_file: true,
                            })
                        }
                    }
                }
            },
            offline: offline.filter(|name| is_true(name)),
            download_timeout: seconds("HF_HUB_DOWNLOAD_TIMEOUT").unwrap_or(TIMEOUT),
            answer_timeout,
            whole_answer_timeout: answer_timeout.saturating_mul(PATIENCE),
            pause: PAUSE,
            proxies: Proxies::of(&text),
            symlinks: !is_true("HF_HUB_DISABLE_SYMLINKS"),
        }
    }
}

/// Without what may be a password.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("cache", &self.cache)
            .field("endpoint", &shown_in_full(&self.endpoint))
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

/// Whether a variable is switched on.
fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.trim().to_lowercase().as_str())
}

/// A path in which `~` and variables are replaced, as `huggingface_hub` does it.
fn expanded(path: &[u8], variables: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    let mut whole = Vec::new();
    let mut rest = path;
    if rest == b"~" || rest.starts_with(b"~/") {
        // Without a home, things are kept where the program runs.
        let home = variables("HOME").unwrap_or_else(|| ".".into());
        whole.extend_from_slice(home.as_bytes());
        rest = &rest[1..];
    }
    while let Some(start) = rest.iter().position(|byte| *byte == b'$') {
        whole.extend_from_slice(&rest[..start]);
        let behind = &rest[start + 1..];
        let braced = behind.strip_prefix(b"{").and_then(|name| {
            let end = name.iter().position(|byte| *byte == b'}')?;
            Some((&name[..end], end + 2))
        });
        let (name, end) = braced.unwrap_or_else(|| {
            let is_other = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'_';
            let end = behind.iter().position(is_other).unwrap_or(behind.len());
            (&behind[..end], end)
        });
        let name = str::from_utf8(name).ok().filter(|name| !name.is_empty());
        match name.and_then(variables) {
            Some(value) => whole.extend_from_slice(value.as_bytes()),
            None => whole.extend_from_slice(&rest[start..=start + end]),
        }
        rest = &behind[end..];
    }
    whole.extend_from_slice(rest);
    OsString::from_vec(whole).into()
}

/// The text of a small file, if it is there.
pub(super) fn read_short(path: &Path) -> Option<String> {
    let n_bytes = path.metadata().ok().filter(|found| found.is_file())?.len();
    (n_bytes <= MOST_SHORT_BYTES).then(|| fs::read_to_string(path).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn of(variables: &[(&str, &str)]) -> Environment {
        Environment::of(&|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn paths_need_not_be_text() {
        let odd = OsStr::from_bytes(b"/data/\xff");
        for (variable, expect) in [
            ("HF_HOME", &b"/data/\xff/hub"[..]),
            ("HF_HUB_CACHE", b"/data/\xff"),
            ("HOME", b"/data/\xff/.cache/huggingface/hub"),
        ] {
            let found = Environment::of(&|name| (name == variable).then(|| odd.to_owned()));
            assert_eq!(
                found.cache,
                Path::new(OsStr::from_bytes(expect)),
                "{variable}"
            );
        }
    }

    #[test]
    fn the_cache_is_where_huggingface_hub_has_it() {
        let check = |variables: &[(&str, &str)], expect: &str| {
            assert_eq!(of(variables).cache, Path::new(expect), "{variables:?}");
        };
        let home = ("HOME", "/home/me");
        check(&[home], "/home/me/.cache/huggingface/hub");
        check(&[home, ("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub");
        check(
            &[home, ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")],
            "/h/hub",
        );
        check(&[home, ("HF_HOME", "~/hf")], "/home/me/hf/hub");
        check(&[home, ("HF_HOME", "")], "/home/me/.cache/huggingface/hub");
        check(&[home, ("HUGGINGFACE_HUB_CACHE", "/old")], "/old");
        check(
            &[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/c")],
            "/c",
        );
        check(
            &[
                ("HF_HUB_CACHE", "$SCRATCH/${WHO}s/c$"),
                ("SCRATCH", "/s"),
                ("WHO", "me"),
            ],
            "/s/mes/c$",
        );
        check(&[("HF_HUB_CACHE", "/$NOBODY/c")], "/$NOBODY/c");
    }

    #[test]
    fn switches_are_read_as_huggingface_hub_reads_them() {
        let offline = |variables: &[(&str, &str)]| of(variables).offline;
        assert_eq!(offline(&[]), None);
        assert_eq!(offline(&[("HF_HUB_OFFLINE", "1")]), Some("HF_HUB_OFFLINE"));
        assert_eq!(
            offline(&[("TRANSFORMERS_OFFLINE", "yes")]),
            Some("TRANSFORMERS_OFFLINE")
        );
        assert_eq!(
            offline(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")]),
            None
        );
        let of_timeouts = of(&[
            ("HF_HUB_DOWNLOAD_TIMEOUT", "3"),
            ("HF_HUB_ETAG_TIMEOUT", "soon"),
        ]);
        assert_eq!(of_timeouts.download_timeout, Duration::from_secs(3));
        assert_eq!(of_timeouts.answer_timeout, TIMEOUT);
        assert_eq!(
            of(&[("HF_ENDPOINT", "http://mirror:8080/hf/")]).endpoint,
            "http://mirror:8080/hf"
        );
    }

    #[test]
    fn the_token_is_in_a_variable_or_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let home = ("HF_HOME", folder.path().to_str().unwrap());
        let found = |variables: &[(&str, &str)]| of(variables).token.unwrap();
        let token = |text: &str| Token::of(text).ok();
        assert_eq!(found(&[home]), None);
        fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        assert_eq!(found(&[home]), token("hf_file"));
        assert_eq!(found(&[home, ("HF_TOKEN", "hf_a")]), token("hf_a"));
        assert_eq!(
            found(&[home, ("HUGGING_FACE_HUB_TOKEN", "hf_b")]),
            token("hf_b")
        );
        assert_eq!(found(&[home, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        assert_eq!(found(&[home, ("HF_TOKEN_PATH", "/nowhere")]), None);
        let flaw = of(&[home, ("HF_TOKEN", "hf a")]).token.unwrap_err();
        assert_eq!((flaw.place.as_str(), flaw.is_file), ("`HF_TOKEN`", false));
    }
}
