//! What the Hub and the server with the large files answer.

use super::{Fault, Gate, Repository, Request, State};
use std::{io::Write, net::TcpStream, sync::Arc, thread, time::Duration};

/// An answer.
pub struct Answer {
    status: u16,
    headers: String,
    body: Arc<Vec<u8>>,
}

impl Answer {
    /// A status with these headers, and nothing else.
    pub fn refusal(status: u16, headers: &str) -> Self {
        Self {
            status,
            headers: headers.to_owned(),
            body: Arc::default(),
        }
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        Self {
            status: 200,
            headers: "Content-Type: application/json\r\n".to_owned(),
            body: Arc::new(text.as_bytes().to_vec()),
        }
    }

    /// A text, as a file of git that is another one.
    pub fn tagged(text: &str, prefix: &str) -> Self {
        let headers = format!("ETag: {prefix}\"{}\"\r\n", "0".repeat(40));
        Self {
            headers,
            ..Self::text(text)
        }
    }

    /// Sends it, and goes wrong as it is told to.
    pub fn send(
        mut self,
        mut stream: &TcpStream,
        request: &Request,
        fault: Option<Fault>,
    ) -> Option<()> {
        let mut first = if self.status == 200 {
            request.first_byte()
        } else {
            0
        };
        let mut body = self.body.to_vec();
        match fault {
            Some(Fault::Altered) => *body.last_mut()? ^= 1,
            Some(Fault::TooLong) => body.push(0),
            Some(Fault::Whole) => first = 0,
            Some(Fault::OtherPart) => first = first.saturating_sub(1),
            _ => {}
        }
        if first > 0 {
            if first >= body.len() {
                self.status = 416;
                body.clear();
                first = 0;
            } else {
                self.status = 206;
                let (last, whole) = (body.len() - 1, body.len());
                self.headers += &format!("Content-Range: bytes {first}-{last}/{whole}\r\n");
            }
        }
        let body = &body[first..];
        let (status, headers, length) = (self.status, &self.headers, body.len());
        let head = format!(
            "HTTP/1.1 {status} Answer\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).ok()?;
        if request.method == "HEAD" {
            return Some(());
        }
        match fault {
            Some(Fault::Cut(n_bytes)) => stream.write_all(&body[..n_bytes.min(length)]).ok(),
            Some(Fault::Stall(n_bytes)) => {
                stream.write_all(&body[..n_bytes.min(length)]).ok()?;
                thread::sleep(Duration::from_secs(60));
                None
            }
            Some(Fault::Trickle) => {
                for byte in body.chunks(1) {
                    stream.write_all(byte).ok()?;
                    thread::sleep(Duration::from_millis(100));
                }
                Some(())
            }
            Some(Fault::Slow(n_bytes)) => {
                for piece in body.chunks(n_bytes) {
                    stream.write_all(piece).ok()?;
                    thread::sleep(Duration::from_millis(1));
                }
                Some(())
            }
            _ => stream.write_all(body).ok(),
        }
    }
}

/// `GET /content/<hash>`.
pub fn store_answer(state: &State, request: &Request) -> Answer {
    let hash = request
        .path
        .trim_start_matches("/content/")
        .split('?')
        .next();
    let mut files = state
        .repositories
        .values()
        .flat_map(|repository| repository.files.values());
    match files.find(|file| Some(file.hash.as_str()) == hash) {
        Some(file) => Answer {
            status: 200,
            headers: "ETag: \"of the store\"\r\nAccept-Ranges: bytes\r\n".to_owned(),
            body: Arc::clone(&file.bytes),
        },
        None => Answer::refusal(403, ""),
    }
}

/// - `GET /api/models/<id>/revision/<revision>?blobs=true`
/// - `GET /api/models/<id>/tree/<revision>?recursive=true`, which Python asks for
/// - `GET /<id>/resolve/<revision>/<name>`
pub fn hub_answer(state: &State, request: &Request, store: &str) -> Answer {
    let token = request.token();
    let is_known = token.is_some_and(|token| state.tokens.iter().any(|known| known == token));
    if token.is_some() && !is_known {
        let message = "X-Error-Message: Invalid credentials in Authorization header\r\n";
        return Answer::refusal(401, message);
    }
    let path = request.path.split('?').next().unwrap_or_default();
    let api = path.strip_prefix("/api/models/");
    let parts: Vec<&str> = api.unwrap_or(&path[1..]).split('/').collect();
    let [owner, name, what, revision, rest @ ..] = parts.as_slice() else {
        return Answer::refusal(404, "");
    };
    let missing = "X-Error-Code: RepoNotFound\r\n";
    let no_repository = || Answer::refusal(if token.is_some() { 404 } else { 401 }, missing);
    let Some(repository) = state.repositories.get(&format!("{owner}/{name}")) else {
        return no_repository();
    };
    if repository.gate == Gate::Private && !is_known {
        return no_repository();
    }
    let revision = revision.replace("%2F", "/");
    if revision != repository.commit && !repository.revisions.contains(&revision) {
        return Answer::refusal(404, "X-Error-Code: RevisionNotFound\r\n");
    }
    match *what {
        "revision" => Answer::text(&listing(&format!("{owner}/{name}"), repository)),
        "tree" => Answer::text(&tree(repository)),
        _ => {
            let gated = "X-Error-Code: GatedRepo\r\n";
            match repository.gate {
                Gate::Closed | Gate::Gated if !is_known => return Answer::refusal(401, gated),
                Gate::Closed => return Answer::refusal(403, gated),
                _ => {}
            }
            file_answer(repository, &rest.join("/").replace("%20", " "), store)
        }
    }
}

fn file_answer(repository: &Repository, name: &str, store: &str) -> Answer {
    let commit = format!("X-Repo-Commit: {}\r\n", repository.commit);
    let Some(file) = repository.files.get(name) else {
        return Answer::refusal(404, "X-Error-Code: EntryNotFound\r\n");
    };
    let (hash, length) = (&file.hash, file.bytes.len());
    match file.is_lfs {
        true => Answer::refusal(
            302,
            &format!(
                "{commit}ETag: \"pointer\"\r\nX-Linked-Etag: \"{hash}\"\r\nX-Linked-Size: {length}\r\n\
                 Location: http://{store}/content/{hash}?signature=x\r\n"
            ),
        ),
        false => Answer {
            status: 200,
            headers: format!("{commit}ETag: \"{hash}\"\r\n"),
            body: Arc::clone(&file.bytes),
        },
    }
}

fn listing(id: &str, repository: &Repository) -> String {
    let siblings = repository.files.iter().map(|(name, file)| {
        let (hash, length) = (&file.hash, file.bytes.len());
        match (repository.is_terse, file.is_lfs) {
            (true, _) => serde_json::json!({ "rfilename": name }),
            _ if repository.has_no_sizes && file.is_lfs => serde_json::json!({
                "rfilename": name, "blobId": &hash[..40], "lfs": { "sha256": hash },
            }),
            _ if repository.has_no_sizes => {
                serde_json::json!({ "rfilename": name, "blobId": hash })
            }
            (false, true) => serde_json::json!({
                "rfilename": name, "size": length, "blobId": &hash[..40],
                "lfs": { "sha256": hash, "size": length, "pointerSize": 134 },
            }),
            (false, false) => {
                serde_json::json!({ "rfilename": name, "size": length, "blobId": hash })
            }
        }
    });
    let siblings: Vec<_> = siblings.collect();
    let commit = &repository.commit;
    serde_json::json!({ "id": id, "modelId": id, "sha": commit, "siblings": siblings, "tags": [] })
        .to_string()
}

fn tree(repository: &Repository) -> String {
    let entries = repository.files.iter().map(|(name, file)| {
        let (hash, length) = (&file.hash, file.bytes.len());
        let mut entry = serde_json::json!({
            "type": "file", "path": name, "size": length, "oid": &hash[..40],
        });
        if file.is_lfs {
            entry["lfs"] = serde_json::json!({ "oid": hash, "size": length, "pointerSize": 134 });
        }
        entry
    });
    serde_json::Value::from(entries.collect::<Vec<_>>()).to_string()
}
