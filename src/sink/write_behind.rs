//! A file that a thread of its own writes, so that whoever makes its bytes need not wait for the disk.

use super::HashedFile;
use arrow_buffer::Buffer;
use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// Bytes that are hashed and written at a time.
pub(super) const PIECE_BYTES: usize = 4 << 20;
/// Pieces that wait. Those of others are shared, and often smaller.
const WAITING: usize = 8;

/// A file that a thread of its own writes. Once the file system has refused something, nothing more is written.
pub(super) struct WriteBehind {
    work: Option<SyncSender<Work>>,
    /// Pieces that were written, to be filled again: their memory is there already.
    spare: Receiver<Vec<u8>>,
    seen: Arc<Seen>,
    thread: Option<JoinHandle<io::Result<HashedFile>>>,
}

/// What is to be done.
enum Work {
    Write(Vec<u8>),
    /// To write what others have, too.
    Share(Buffer),
    /// Tells how many bytes were written so far, and their hash.
    Tell(Sender<(u64, String)>),
}

/// What others see of the thread.
#[derive(Default)]
struct Seen {
    n_bytes: AtomicU64,
    has_failed: AtomicBool,
}

impl WriteBehind {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no room for a thread.
    pub(super) fn start(file: HashedFile) -> io::Result<Self> {
        let (work, to_do) = sync_channel(WAITING);
        let (to_spare, spare) = channel();
        let seen = Arc::<Seen>::default();
        let shown = seen.clone();
        let thread = thread::Builder::new()
            .name("writing parts".to_owned())
            .spawn(move || run(file, &to_do, &to_spare, &shown))?;
        Ok(Self {
            work: Some(work),
            spare,
            seen,
            thread: Some(thread),
        })
    }

    /// An empty piece.
    pub(super) fn piece(&self) -> Vec<u8> {
        let spare = self.spare.try_recv();
        spare.unwrap_or_else(|_| Vec::with_capacity(PIECE_BYTES))
    }

    /// Hands a piece over, and waits only if some are waiting already.
    ///
    /// # Errors
    /// If the thread is gone, which is a bug.
    pub(super) fn write(&self, piece: Vec<u8>) -> io::Result<()> {
        self.send(Work::Write(piece))
    }

    /// As [`write`](Self::write), of what others have, too. It is not copied.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(super) fn share(&self, piece: Buffer) -> io::Result<()> {
        self.send(Work::Share(piece))
    }

    /// Bytes that are in the file.
    pub(super) fn n_bytes(&self) -> u64 {
        self.seen.n_bytes.load(Ordering::Acquire)
    }

    /// Whether the file system has refused something.
    pub(super) fn has_failed(&self) -> bool {
        self.seen.has_failed.load(Ordering::Acquire)
    }

    /// Waits until all is written, and gives how many bytes that were, and their hash.
    ///
    /// # Errors
    /// If the thread is gone, which is a bug.
    pub(super) fn content(&self) -> io::Result<(u64, String)> {
        let (sender, answer) = channel();
        self.send(Work::Tell(sender))?;
        answer.recv().map_err(|_| gone())
    }

    /// Waits until all is written, and gives the file back.
    ///
    /// # Errors
    /// If the file system refused something.
    pub(super) fn finish(mut self) -> io::Result<HashedFile> {
        self.work = None;
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(file)) => file,
            None | Some(Err(_)) => Err(gone()),
        }
    }

    fn send(&self, work: Work) -> io::Result<()> {
        let Some(sender) = &self.work else {
            return Err(gone());
        };
        sender.send(work).map_err(|_| gone())
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // Nobody has a use for the file, but it must not be written when it is gone.
            let _ = thread.join();
        }
    }
}

fn run(
    mut file: HashedFile,
    work: &Receiver<Work>,
    spare: &Sender<Vec<u8>>,
    seen: &Seen,
) -> io::Result<HashedFile> {
    let mut failed = None;
    let mut write = |file: &mut HashedFile, piece: &[u8]| {
        if failed.is_none() {
            failed = file.write_all(piece).err();
            seen.n_bytes.store(file.n_bytes(), Ordering::Release);
            seen.has_failed.store(failed.is_some(), Ordering::Release);
        }
    };
    for work in work {
        match work {
            Work::Share(piece) => write(&mut file, &piece),
            Work::Write(mut piece) => {
                write(&mut file, &piece);
                piece.clear();
                // It may be that nobody writes any more.
                let _ = spare.send(piece);
            }
            Work::Tell(answer) => {
                let _ = answer.send((file.n_bytes(), file.hash()));
            }
        }
    }
    failed.map_or(Ok(file), Err)
}

fn gone() -> io::Error {
    io::Error::other("the thread that writes parts has ended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn pieces_are_written_in_their_order() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let behind = WriteBehind::start(HashedFile::new(file.reopen().unwrap())).unwrap();
        let mut expected = Vec::new();
        for n in 0..50_u8 {
            let mut piece = behind.piece();
            assert!(piece.is_empty());
            piece.resize(usize::from(n) * 1000, n);
            expected.extend_from_slice(&piece);
            match n % 3 {
                0 => behind.share(piece.into()).unwrap(),
                _ => behind.write(piece).unwrap(),
            }
        }
        let hash = blake3::hash(&expected).to_hex().to_string();
        let n_bytes = expected.len() as u64;
        assert_eq!(behind.content().unwrap(), (n_bytes, hash.clone()));
        assert_eq!(behind.n_bytes(), n_bytes);
        assert!(!behind.has_failed());
        assert_eq!(behind.finish().unwrap().hash(), hash);
        assert!(fs::read(file.path()).unwrap() == expected);
    }

    #[test]
    fn what_the_file_system_refuses_is_told_at_the_end() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let behind = WriteBehind::start(HashedFile::new(full)).unwrap();
        for _ in 0..9 {
            behind.write(vec![0; 9]).unwrap();
        }
        let hash = blake3::hash(b"").to_hex().to_string();
        assert_eq!(behind.content().unwrap(), (0, hash));
        assert!(behind.has_failed());
        let error = behind.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
