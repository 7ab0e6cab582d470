//! Which weights a model has, as a hash of its files.

use super::{ModelError, weights::Weights};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
    thread::JoinHandle,
};

/// The hash in hexadecimal, or the file that could not be read.
type Outcome = Result<String, (PathBuf, io::Error)>;

/// A hash that is computed on a thread of its own, beside the loading of the model.
pub(super) struct Fingerprint {
    running: Mutex<Option<JoinHandle<Outcome>>>,
    outcome: OnceLock<Outcome>,
}

impl Fingerprint {
    /// Starts to hash `config.json` and the weights files.
    pub(super) fn start(folder: &Path, weights: &Weights) -> Self {
        let mut paths = vec![folder.join("config.json")];
        paths.extend(weights.paths().map(Path::to_path_buf));
        Self {
            running: Mutex::new(Some(std::thread::spawn(move || hash(paths)))),
            outcome: OnceLock::new(),
        }
    }

    /// The fingerprint of the mock model, which has no weights.
    pub(super) fn mock() -> Self {
        Self {
            running: Mutex::new(None),
            outcome: OnceLock::from(Ok("mock".to_owned())),
        }
    }

    /// The hash in hexadecimal; the first call waits for it.
    pub(super) fn get(&self) -> Result<&str, ModelError> {
        let outcome = self.outcome.get_or_init(|| {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let thread = running.take().expect("the thread is joined once");
            thread.join().expect("hashing does not panic")
        });
        match outcome {
            Ok(hash) => Ok(hash),
            Err((path, error)) => Err(ModelError::Io {
                path: path.clone(),
                source: io::Error::new(error.kind(), error.to_string()),
            }),
        }
    }
}

fn hash(paths: Vec<PathBuf>) -> Outcome {
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        hasher
            .update_mmap_rayon(&path)
            .map_err(|error| (path, error))?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}
