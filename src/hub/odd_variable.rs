//! Variables of the environment that keep the Hub from being reached.

use super::proxy::shown_in_full;
use crate::hint::Hint;
use std::{env, ffi::OsString, fs::File, io::Read, path::Path};

/// How a certificate begins.
const CERTIFICATE: &[u8] = b"-----BEGIN ";
/// Bytes of a file of certificates that are looked through at most.
const MOST_BYTES: u64 = 16 << 20;

/// A variable of the environment that keeps the Hub from being reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {flaw}")]
pub struct OddVariable {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it, behind its name.
    flaw: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Hint for OddVariable {
    fn hint(&self) -> Option<String> {
        Some(self.remedy.to_owned())
    }
}

/// What is wrong with the address of the Hub.
pub(super) fn of_endpoint(endpoint: &str) -> Option<OddVariable> {
    let lower = endpoint.to_ascii_lowercase();
    let has_scheme = ["https://", "http://"].map(|scheme| lower.starts_with(scheme));
    (!has_scheme.contains(&true)).then(|| OddVariable {
        name: "HF_ENDPOINT",
        flaw: format!("is `{}`, which is no address", shown_in_full(endpoint)),
        remedy: "it must begin with `https://` or `http://`",
    })
}

/// What is wrong with the certificates that this process is to trust.
pub(super) fn of_certificates() -> Option<OddVariable> {
    certificates(&|name| env::var_os(name))
}

fn certificates(variables: &dyn Fn(&str) -> Option<OsString>) -> Option<OddVariable> {
    let file = variables("SSL_CERT_FILE")
        .filter(|file| !file.is_empty())
        .and_then(|file| {
            let flaw = flaw_of_file(Path::new(&file))?;
            Some(OddVariable {
                name: "SSL_CERT_FILE",
                flaw: format!("names `{}`, which {flaw}", file.display()),
                remedy: "name a file that has the certificates as text (PEM), or unset it",
            })
        });
    let folder = || {
        let folder = variables("SSL_CERT_DIR").filter(|folder| !folder.is_empty())?;
        let none_is_there = !env::split_paths(&folder).any(|folder| folder.is_dir());
        none_is_there.then(|| OddVariable {
            name: "SSL_CERT_DIR",
            flaw: format!("names `{}`, which is no folder", folder.display()),
            remedy: "name a folder of certificates, or unset it",
        })
    };
    file.or_else(folder)
}

fn flaw_of_file(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Some(format!("cannot be read: {error}"));
    }
    let has_one = bytes
        .windows(CERTIFICATE.len())
        .any(|part| part == CERTIFICATE);
    (!has_one).then(|| "has no certificate".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn addresses_begin_with_their_scheme() {
        for good in ["https://huggingface.co", "HTTP://mirror:8080/hf"] {
            assert_eq!(of_endpoint(good), None);
        }
        for odd in ["huggingface.co", "//huggingface.co", "ftp://me:secret@hub"] {
            let told = of_endpoint(odd).expect("odd").in_full();
            assert!(
                told.contains("`HF_ENDPOINT` is `") && told.contains("must begin with `https://`"),
                "{told}"
            );
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn certificates_that_are_none_are_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("own.pem");
        let told = |name: &str, path: &Path| {
            let path = path.as_os_str().to_owned();
            let found = certificates(&|asked| (asked == name).then(|| path.clone()));
            found.map(|odd| odd.to_string()).unwrap_or_default()
        };
        assert!(told("SSL_CERT_FILE", &file).contains("own.pem`, which cannot be read: No such"));
        fs::write(&file, "<html>").expect("a file");
        assert!(told("SSL_CERT_FILE", &file).contains("own.pem`, which has no certificate"));
        fs::write(&file, "own\n-----BEGIN CERTIFICATE-----\n").expect("a file");
        assert_eq!(told("SSL_CERT_FILE", &file), "");
        assert!(told("SSL_CERT_DIR", &file).contains("which is no folder"));
        assert_eq!(told("SSL_CERT_DIR", folder.path()), "");
    }
}
