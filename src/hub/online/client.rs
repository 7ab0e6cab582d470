//! Requests to the Hub, and to wherever it sends us.

use super::failure::{Failure, Refusal};
use crate::hub::{
    environment::Environment,
    proxy::{shown, shown_in_full},
    remote::Content,
    token::Token,
};
use std::time::Duration;
use ureq::{
    Agent, Body,
    http::{HeaderMap, Response, Uri, header, uri::PathAndQuery},
    tls::{RootCerts, TlsConfig},
};

/// Redirects in a row at most.
const MOST_REDIRECTS: usize = 10;
/// What the Hub knows this program by.
const USER_AGENT: &str = concat!("runner/", env!("CARGO_PKG_VERSION"));

/// Requests to the Hub, and to wherever it sends us. Clones share connections.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Trusts whom this machine trusts.
    agent: Agent,
    /// Trusts whom Mozilla trusts, where this machine says nothing.
    plain_agent: Agent,
    environment: Environment,
}

/// Whether what a file holds is to be sent, and from where on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Only what is said of it.
    Nothing,
    /// From this byte on.
    From(u64),
}

/// An answer that says yes.
pub(super) struct Answer {
    pub body: Body,
    pub head: Head,
}

/// What an answer says of what it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Who answers.
    pub host: String,
    /// Whether it is a part.
    pub is_part: bool,
    /// The first byte of a part, and the size of the whole, as far as that is said.
    pub range: Option<(u64, Option<u64>)>,
    /// What comes now.
    pub n_bytes: Option<u64>,
    /// What the Hub says of the whole file, before it sends us to where it is.
    pub content: Option<Content>,
    /// Its size.
    pub whole_bytes: Option<u64>,
}

impl Client {
    /// A client for this environment.
    pub(super) fn new(environment: &Environment) -> Self {
        let agent = |roots| agent(environment, roots);
        Self {
            agent: agent(RootCerts::PlatformVerifier),
            plain_agent: agent(RootCerts::WebPki),
            environment: environment.clone(),
        }
    }

    /// The environment that it is for.
    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Asks for what is at an address, through redirects. The token goes to the Hub itself and to nobody else.
    pub(super) fn get(&self, address: &str, part: Part) -> Result<Answer, Failure> {
        let endpoint = parsed(&self.environment.endpoint)?;
        let mut uri = parsed(address)?;
        let mut content = None;
        let mut whole_bytes = None;
        for _ in 0..=MOST_REDIRECTS {
            let token = self
                .environment
                .token
                .as_ref()
                .ok()
                .and_then(Option::as_ref)
                .filter(|_| origin(&uri) == origin(&endpoint));
            let response = self.send(&uri, part, token)?;
            let headers = response.headers();
            content = content.or_else(|| Content::of_tag(text(headers, "x-linked-etag")?));
            whole_bytes = whole_bytes.or_else(|| text(headers, "x-linked-size")?.parse().ok());
            let is_known = content.is_some() && whole_bytes.is_some();
            let is_redirect = response.status().is_redirection() && response.status() != 304;
            // What is there is not asked for more than it takes: it may say no to such questions.
            if is_redirect && !(is_known && part == Part::Nothing) {
                uri = next(&uri, headers)?;
                continue;
            }
            if !is_redirect && !response.status().is_success() {
                return Err(Failure::Status(refusal(&uri, &response, token.is_some())));
            }
            let n_bytes = text(headers, "content-length").and_then(|length| length.parse().ok());
            let is_part = response.status() == 206;
            let head = Head {
                host: host(&uri),
                is_part,
                range: text(headers, "content-range").and_then(range),
                n_bytes,
                content: content.or_else(|| Content::of_tag(text(headers, "etag")?)),
                whole_bytes: whole_bytes.or(n_bytes.filter(|_| !is_part)),
            };
            let body = response.into_body();
            return Ok(Answer { body, head });
        }
        Err(odd(&uri, "it sends us around in circles"))
    }

    fn send(
        &self,
        uri: &Uri,
        part: Part,
        token: Option<&Token>,
    ) -> Result<Response<Body>, Failure> {
        let is_encrypted = uri.scheme_str() == Some("https");
        let proxy = self
            .environment
            .proxies
            .to(is_encrypted, uri.host().unwrap_or_default());
        let failed = |error| Failure::of(error, &host(uri), proxy.map(shown));
        let by_proxy = proxy.map(ureq::Proxy::new).transpose().map_err(failed)?;
        let send = |agent: &Agent| {
            let mut request = match part {
                Part::Nothing => agent.head(uri),
                Part::From(_) => agent.get(uri),
            };
            if let Some(token) = token {
                request = request.header(header::AUTHORIZATION, token.header());
            }
            if let Part::From(first) = part
                && first > 0
            {
                request = request.header(header::RANGE, format!("bytes={first}-"));
            }
            request.config().proxy(by_proxy.clone()).build().call()
        };
        match send(&self.agent) {
            Err(error) if has_no_roots(&error) => send(&self.plain_agent),
            answered => answered,
        }
        .map_err(failed)
    }
}

fn agent(environment: &Environment, roots: RootCerts) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        // The client follows them itself, so that it knows to whom it sends what.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(USER_AGENT)
        // A part of a compressed file is no part of the file.
        .accept_encoding("identity")
        .timeout_resolve(Some(environment.answer_timeout))
        .timeout_connect(Some(environment.answer_timeout))
        .timeout_recv_response(Some(
            environment.answer_timeout.max(environment.download_timeout),
        ))
        .timeout_per_read(Some(environment.download_timeout))
        .timeout_per_write(Some(Duration::from_secs(60)))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build()
        .new_agent()
}

/// Whether this machine trusts nobody: many containers have no certificates.
fn has_no_roots(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Rustls(error) if error.to_string().contains("No CA certificates"))
}

/// An address with a name and a scheme.
fn parsed(address: &str) -> Result<Uri, Failure> {
    let uri = address.parse::<Uri>().ok();
    let is_whole =
        |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    uri.filter(is_whole).ok_or_else(|| Failure::Odd {
        host: shown_in_full(address)
            .split('?')
            .next()
            .unwrap_or_default()
            .chars()
            .take(80)
            .collect(),
        reason: "this is no address".to_owned(),
    })
}

/// Who gets what is sent to an address.
fn origin(uri: &Uri) -> (Option<&str>, Option<String>, u16) {
    let default = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let host = uri.host().map(str::to_lowercase);
    (uri.scheme_str(), host, uri.port_u16().unwrap_or(default))
}

/// The name of a server, for people.
pub(super) fn host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn odd(uri: &Uri, reason: &str) -> Failure {
    Failure::Odd {
        host: host(uri),
        reason: reason.to_owned(),
    }
}

/// Where a redirect leads.
fn next(from: &Uri, headers: &HeaderMap) -> Result<Uri, Failure> {
    let no_way = || odd(from, "it sends us nowhere");
    let location = text(headers, "location").ok_or_else(no_way)?;
    let location = location.split('#').next().unwrap_or_default();
    let uri: Uri = match location.parse() {
        Ok(uri) => uri,
        Err(_) => return Err(no_way()),
    };
    let mut parts = from.clone().into_parts();
    match (uri.scheme(), location) {
        (Some(_), _) => return no_downgrade(from, parsed(location)?),
        (None, _) if location.starts_with("//") => {
            let scheme = from.scheme_str().unwrap_or("https");
            return parsed(&format!("{scheme}:{location}"));
        }
        (None, _) if location.starts_with('/') => parts.path_and_query = location.parse().ok(),
        (None, _) => {
            let folder = from
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            parts.path_and_query = PathAndQuery::try_from(format!("{folder}/{location}")).ok();
        }
    }
    Uri::from_parts(parts).map_err(|_| no_way())
}

/// Nobody may read along because a server is set up badly.
fn no_downgrade(from: &Uri, to: Uri) -> Result<Uri, Failure> {
    if from.scheme_str() == Some("https") && to.scheme_str() != Some("https") {
        return Err(odd(from, "it sends us to an address without encryption"));
    }
    Ok(to)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The first byte and the size of the whole in `bytes 5-9/10`.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, whole.trim().parse().ok()))
}

/// In how many seconds more may be asked, in `"api";r=0;t=55`, which the Hub says instead of `Retry-After`.
fn limit_ends(limit: &str) -> Option<u64> {
    let seconds = limit
        .split(';')
        .find_map(|part| part.trim().strip_prefix("t="))?;
    seconds.trim().parse().ok()
}

fn refusal(uri: &Uri, response: &Response<Body>, has_token: bool) -> Refusal {
    let headers = response.headers();
    let after = text(headers, "retry-after").and_then(|seconds| seconds.trim().parse().ok());
    let after = after.or_else(|| limit_ends(text(headers, "ratelimit")?));
    Refusal {
        host: host(uri),
        status: response.status().as_u16(),
        code: text(headers, "x-error-code").map(str::to_owned),
        message: text(headers, "x-error-message").map(str::to_owned),
        after: after.map(Duration::from_secs),
        has_token,
    }
}
