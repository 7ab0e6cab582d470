//! Through which proxy a server is reached, as the environment says.

/// Through which proxies servers are reached.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    http: Option<String>,
    https: Option<String>,
    /// Hosts and domains that are reached without one, in small letters.
    direct: Vec<String>,
}

impl Proxies {
    /// As the usual variables say, of which the one in small letters counts more.
    pub(super) fn of(variables: &dyn Fn(&str) -> Option<String>) -> Self {
        let value = |name: &str| {
            let found = variables(&name.to_lowercase()).filter(|value| !value.is_empty());
            found.or_else(|| variables(name).filter(|value| !value.is_empty()))
        };
        let all = value("ALL_PROXY");
        let direct = value("NO_PROXY").unwrap_or_default().to_lowercase();
        Self {
            http: value("HTTP_PROXY").or_else(|| all.clone()),
            https: value("HTTPS_PROXY").or(all),
            direct: direct
                .split(',')
                .map(str::trim)
                .filter(|entry| !entry.is_empty())
                // A star alone stands for all hosts, which end with nothing.
                .map(|entry| entry.trim_start_matches('*').to_owned())
                .collect(),
        }
    }

    /// The proxy to a host.
    pub(super) fn to(&self, is_encrypted: bool, host: &str) -> Option<&str> {
        let host = host.to_lowercase();
        let is_direct = self.direct.iter().any(|entry| {
            let domain = entry.trim_start_matches('.');
            let is_below = || {
                host.strip_suffix(domain)
                    .is_some_and(|name| name.ends_with('.'))
            };
            domain.is_empty() || host == domain || is_below()
        });
        let proxy = match is_encrypted {
            true => &self.https,
            false => &self.http,
        };
        proxy.as_deref().filter(|_| !is_direct)
    }
}

/// A proxy without its scheme, and without the name and the password that its address may have.
pub(super) fn shown(proxy: &str) -> &str {
    let (_, address) = split(proxy);
    address.trim_end_matches('/')
}

/// An address without the name and the password that it may have.
pub(super) fn shown_in_full(address: &str) -> String {
    let (scheme, address) = split(address);
    format!("{scheme}{address}")
}

/// The scheme, and what is behind all that may be a password.
fn split(address: &str) -> (&str, &str) {
    // A password may hold anything.
    let is_scheme = |at: &usize| {
        address[..*at]
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
    };
    let scheme = address.find("://").filter(is_scheme);
    let scheme = scheme.map_or(0, |at| at + "://".len());
    let (scheme, address) = address.split_at(scheme);
    let rest = address.rsplit_once('@').map_or(address, |(_, rest)| rest);
    (scheme, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_those_of_other_programs() {
        let check = |variables: &[(&str, &str)], address: &str, expect: Option<&str>| {
            let proxies = Proxies::of(&|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            let (scheme, host) = address.split_once("://").unwrap();
            assert_eq!(
                proxies.to(scheme == "https", host),
                expect,
                "{variables:?} {address}"
            );
        };
        let (http, https, all) = (
            ("HTTP_PROXY", "h:1"),
            ("HTTPS_PROXY", "s:2"),
            ("ALL_PROXY", "a:3"),
        );
        check(&[], "https://hf.co", None);
        check(&[http], "https://hf.co", None);
        check(&[http, https], "https://hf.co", Some("s:2"));
        check(&[http, all], "https://hf.co", Some("a:3"));
        check(&[http, all], "http://hf.co", Some("h:1"));
        check(
            &[https, ("https_proxy", "l:4")],
            "https://hf.co",
            Some("l:4"),
        );
        let no = |list| [https, ("NO_PROXY", list)];
        check(&no("other.co, hf.co"), "https://hf.co", None);
        check(&no(".hf.co"), "https://cdn.HF.co", None);
        check(&no("*.hf.co"), "https://cdn.hf.co", None);
        check(&no("hf.co"), "https://cdn.hf.co", None);
        check(&no("f.co"), "https://hf.co", Some("s:2"));
        check(&no("*"), "https://hf.co", None);
        check(&no(""), "https://hf.co", Some("s:2"));
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("http://me:p@ss@proxy:3128/"), "proxy:3128");
        assert_eq!(shown("proxy:3128"), "proxy:3128");
        for (address, expect) in [
            ("http://me:p@ss@hub:80/a", "http://hub:80/a"),
            ("me:pass@hub", "hub"),
            ("ftp://me:pass@hub", "ftp://hub"),
            ("http://me:a b/c@hub", "http://hub"),
            ("me:a://b@hub", "hub"),
            ("https://hub/a", "https://hub/a"),
        ] {
            assert_eq!(shown_in_full(address), expect);
        }
    }
}
