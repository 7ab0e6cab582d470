//! Servers that say no, and whom the token is shown to.

use super::*;
use crate::hint::Hint;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

const TOKEN: &str = "hf_secret";

/// What a download says, and how to mend it.
fn said(fixture: &Fixture) -> String {
    let error = fixture.download().unwrap_err();
    let text = format!("{} {error:?}", error.in_full());
    assert!(!text.contains(TOKEN), "{text}");
    text
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let mut fixture = Fixture::new();
    fixture.server.admit(TOKEN);
    fixture.server.gate(ID, Gate::Gated);
    fixture.set("HF_TOKEN", TOKEN);
    // A redirect within the Hub keeps it.
    let commit = fixture.server.commit(ID);
    let moved = format!("/lab/model/resolve/{commit}/config.json?moved");
    fixture
        .server
        .fail("/config.json", 1, Fault::Redirect(moved));
    fixture.check(&fixture.download().unwrap());
    let requests = fixture.server.take_requests();
    let n_moved = requests
        .iter()
        .filter(|request| request.path.ends_with("?moved"))
        .count();
    assert_eq!(n_moved, 1, "{requests:?}");
    for request in requests {
        let has_token = request
            .headers
            .get("authorization")
            .is_some_and(|value| value == "Bearer hf_secret");
        assert_eq!(has_token, !request.is_store, "{request:?}");
    }
    assert!(!format!("{:?}", fixture.hub()).contains(TOKEN));
}

#[test]
fn denials_say_what_to_do() {
    let check = |gate, token: Option<&str>, expect: &[&str]| {
        let mut fixture = Fixture::new();
        fixture.server.admit(TOKEN);
        fixture.server.gate(ID, gate);
        if let Some(token) = token {
            fixture.set("HF_TOKEN", token);
        }
        let text = said(&fixture);
        for part in expect {
            assert!(text.contains(part), "{gate:?} {token:?}: {text}");
        }
    };
    check(
        Gate::Private,
        None,
        &["has no model `lab/model` (check its name; if it is private, set `HF_TOKEN`"],
    );
    check(
        Gate::Gated,
        None,
        &[
            "its conditions must be accepted first",
            "/lab/model, then set `HF_TOKEN`",
        ],
    );
    check(
        Gate::Closed,
        Some(TOKEN),
        &[
            "has not accepted its conditions",
            "with the account that the token is of",
        ],
    );
    check(
        Gate::Open,
        Some("hf_old"),
        &[
            "the token that was sent is not valid",
            "public models need none",
        ],
    );
}

#[test]
fn what_there_is_not_is_named() {
    let fixture = Fixture::new();
    let hub = fixture.hub();
    let fails = |id: &str, revision: Option<&str>, part: &str| {
        let repository = Repository {
            id: id.to_owned(),
            revision: revision.map(str::to_owned),
        };
        let error = hub
            .look(&repository, &CancelToken::default())
            .unwrap_err()
            .in_full();
        assert!(error.contains(part), "{error}");
    };
    fails("lab/other", None, "has no model `lab/other`");
    fails(
        ID,
        Some("v9"),
        "the model `lab/model` has no revision `v9` (its branches, tags and commits are at http",
    );
    fails(
        "../x",
        None,
        "`../x` is not the id of a model of the Hub, `organisation/name`",
    );
    fixture.server.fail("/revision/", 1, Fault::Status(404, ""));
    fails(ID, Some("v1"), "has no revision `v1`");
    fixture.server.fail("/revision/", 1, Fault::Status(403, ""));
    fails(ID, None, "the Hub asks for a token");
    fixture
        .server
        .fail("/revision/", 1, Fault::Text("<html>log in</html>"));
    fails(ID, None, "does not answer as the Hub does");
    let remote = hub
        .look(&repository(None), &CancelToken::default())
        .unwrap();
    let names = ["gone.bin".to_owned()];
    let error = hub.download(&repository(None), &remote, &names, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(error, Err(HubError::NoFile { .. })), "{error:?}");
}

#[test]
fn busy_servers_are_asked_when_they_want_to_be() {
    let fixture = Fixture::new();
    fixture.server.fail("/revision/", 1, Fault::Status(429, ""));
    fixture.server.fail(
        "/content/",
        1,
        Fault::Status(429, "RateLimit: \"resolvers\";r=0;t=1\r\n"),
    );
    let mut waited = None;
    let snapshot = fixture.download_with(&mut |step| {
        if let Step::Waiting {
            wait: Wait::Retry { after, .. },
            ..
        } = step
        {
            waited = Some(*after);
        }
        ControlFlow::Continue(())
    });
    fixture.check(&snapshot.unwrap());
    assert_eq!(waited, Some(Duration::from_secs(1)));
    let fixture = Fixture::new();
    fixture
        .server
        .fail("/content/", 1, Fault::Status(429, "Retry-After: 1800\r\n"));
    assert!(said(&fixture).contains("too many requests from here (429) (try again in 30 min"));
    fixture.server.fail("/revision/", 3, Fault::Status(429, ""));
    assert!(said(&fixture).contains("(429) (try again later"));
}

#[test]
fn broken_servers_are_given_up() {
    let fixture = Fixture::new();
    fixture.server.fail("/revision/", 2, Fault::Status(502, ""));
    fixture.check(&fixture.download().unwrap());
    let fixture = Fixture::new();
    fixture.server.fail("/content/", 6, Fault::Status(500, ""));
    assert!(said(&fixture).contains("answers 500, also when asked again (try again later"));
    assert_eq!(fixture.content_requests().len(), 6);
    fixture.server.fail("/revision/", 3, Fault::Status(504, ""));
    assert!(said(&fixture).contains("answers 504"));
    fixture.server.fail("/content/", 1, Fault::Status(418, ""));
    assert!(said(&fixture).contains("it answers 418"));
}

#[test]
fn hubs_that_cannot_be_reached_say_why() {
    let check = |endpoint: &str, proxy: Option<&str>, expect: &[&str]| {
        let mut fixture = Fixture::new();
        fixture.variables.clear();
        fixture.set("HF_ENDPOINT", endpoint);
        if let Some(proxy) = proxy {
            fixture.set("HTTP_PROXY", proxy);
        }
        let text = said(&fixture);
        for part in expect {
            assert!(text.contains(part), "{endpoint}: {text}");
        }
    };
    check(
        "http://127.0.0.1:9",
        None,
        &[
            "cannot reach `127.0.0.1:9`: it refuses the connection",
            "HTTPS_PROXY",
            "runner download",
        ],
    );
    check(
        "http://hub.invalid",
        None,
        &["cannot reach `hub.invalid`: its name could not be resolved"],
    );
    check(
        "huggingface.co",
        None,
        &[
            "`HF_ENDPOINT` is `huggingface.co`, which is no address (it must begin with `https://` or `http://`)",
        ],
    );
    let through = "(through the proxy `127.0.0.1:9`)";
    check(
        "http://hub.invalid",
        Some("http://me:hf_secret@127.0.0.1:9"),
        &["it refuses the connection", through],
    );
    check(
        "http://me:hf_secret@127.0.0.1:9",
        None,
        &["cannot reach `127.0.0.1:9`"],
    );
    check(
        "ftp://me:hf_secret@hub",
        None,
        &["`HF_ENDPOINT` is `ftp://hub`, which is no address"],
    );
    let mut fixture = Fixture::new();
    let endpoint = fixture.server.endpoint.clone();
    fixture.variables.clear();
    fixture.set("HF_ENDPOINT", &endpoint.replace("://", "://me:hf_secret@"));
    fixture.server.gate(ID, Gate::Gated);
    assert!(said(&fixture).contains(&format!("accept them at {endpoint}/lab/model, then")));
    assert!(!format!("{:?}", fixture.hub()).contains(TOKEN));
    let fixture = Fixture::new();
    fixture.server.fail("/revision/", 3, Fault::Stall(0));
    assert!(said(&fixture).contains("the server is silent"));
    fixture.server.fail(
        "/revision/",
        11,
        Fault::Redirect("/revision/round".to_owned()),
    );
    assert!(said(&fixture).contains("it sends us around in circles"));
}

#[test]
fn proxies_are_asked_for_the_hub() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://me:hf_secret@{}", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        (&stream)
            .write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        head
    });
    let mut fixture = Fixture::new();
    fixture.variables.clear();
    fixture.set("HF_ENDPOINT", "https://hub.invalid");
    fixture.set("https_proxy", &proxy);
    let text = said(&fixture);
    let head = asked.join().unwrap();
    assert_eq!(head[0], "CONNECT hub.invalid:443 HTTP/1.1");
    let credentials = "proxy-authorization: basic bWU6aGZfc2VjcmV0";
    assert!(
        head.iter()
            .any(|line| line.to_lowercase() == credentials.to_lowercase()),
        "{head:?}"
    );
    assert!(
        text.contains("cannot reach `hub.invalid`") && text.contains("check `HTTPS_PROXY`"),
        "{text}"
    );
}

/// A download has no output that could lie elsewhere.
#[test]
fn what_the_cache_cannot_hold_is_mended_without_another_output() {
    use std::io::ErrorKind::{FileTooLarge, NotADirectory, PermissionDenied, StorageFull};
    for kind in [FileTooLarge, NotADirectory, PermissionDenied, StorageFull] {
        let error = crate::file::FileError::io("write", "blob".as_ref(), kind.into());
        let hint = HubError::Cache(error).hint().expect("a hint");
        assert!(!hint.contains("output"), "{hint}");
    }
}
