//! Which weights a model has, as a hash of its files.

use super::{ModelError, file_names::CONFIG, plain_file, weights::Weights};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
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

/// A file as it was when the model was opened.
struct Opened {
    path: PathBuf,
    file: File,
    n_bytes: u64,
}

/// Bytes that are read at a time: enough for all cores to hash, little beside a model.
const BLOCK_BYTES: usize = 16 << 20;

impl Fingerprint {
    /// Starts to hash the configuration and the files of the weights, and those of an adapter. What is hashed is
    /// what the weights are read from, also if other files take the names meanwhile.
    ///
    /// # Errors
    /// If a file cannot be opened.
    pub(super) fn start(folder: &Path, weights: &Weights) -> Result<Self, ModelError> {
        let mut files = Vec::new();
        // A model in one file has its configuration there.
        let config = folder.is_dir().then(|| folder.join(CONFIG));
        let adapter = weights.adapter();
        let of_adapter = adapter.map(|adapter| adapter.config_path.clone());
        for path in config.into_iter().chain(of_adapter) {
            let (file, n_bytes) = plain_file::open(&path)?;
            files.push(Opened {
                path,
                file,
                n_bytes,
            });
        }
        let of_adapter = adapter.map(|adapter| &adapter.checkpoint);
        for opened in weights.files().iter().chain(of_adapter) {
            let file = opened.file.try_clone().map_err(|source| ModelError::Io {
                path: opened.path.clone(),
                source,
            })?;
            files.push(Opened {
                path: opened.path.clone(),
                file,
                n_bytes: opened.n_bytes,
            });
        }
        Ok(Self {
            running: Mutex::new(Some(std::thread::spawn(move || hash(&files)))),
            outcome: OnceLock::new(),
        })
    }

    /// The fingerprint of the mock model, which has no weights.
    pub(super) fn mock(seed: u64) -> Self {
        Self {
            running: Mutex::new(None),
            outcome: OnceLock::from(Ok(format!("mock {seed}"))),
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

fn hash(files: &[Opened]) -> Outcome {
    let mut hasher = blake3::Hasher::new();
    let mut block = Vec::new();
    for opened in files {
        add(&mut hasher, opened, &mut block).map_err(|error| (opened.path.clone(), error))?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Reads rather than maps the file: one that shrinks under a map kills the process.
fn add(hasher: &mut blake3::Hasher, opened: &Opened, block: &mut Vec<u8>) -> io::Result<()> {
    let mut position = 0;
    while position < opened.n_bytes {
        let n = (opened.n_bytes - position).min(BLOCK_BYTES as u64) as usize;
        block.resize(n, 0);
        opened
            .file
            .read_exact_at(block, position)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    io::Error::new(error.kind(), "it became shorter while it was read")
                }
                _ => error,
            })?;
        hasher.update_rayon(block);
        position += n as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_in_blocks_and_may_shrink() {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        let bytes: Vec<u8> = (0..BLOCK_BYTES as u32 + 1000)
            .map(|n| (n % 251) as u8)
            .collect();
        io::Write::write_all(&mut file, &bytes).expect("written");
        let opened = || Opened {
            path: file.path().to_owned(),
            file: file.reopen().expect("opened"),
            n_bytes: bytes.len() as u64,
        };
        let want = blake3::hash(&bytes).to_hex().to_string();
        assert_eq!(hash(&[opened()]).expect("hashed"), want);
        let shrinking = opened();
        file.as_file().set_len(5000).expect("shrunk");
        let (path, error) = hash(&[shrinking]).expect_err("it is shorter now");
        assert_eq!(path, file.path());
        assert!(error.to_string().contains("became shorter"), "{error}");
    }
}
