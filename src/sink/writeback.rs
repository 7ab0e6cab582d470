//! The thread that has a growing file on the disk as it grows, so that little is left to wait for at its end.

use std::{
    fs::File,
    io,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

/// Bytes that a file grows by until it is told to go to the disk. A system left alone keeps gigabytes in memory
/// for half a minute, which is all there is to many a run.
const STEP_BYTES: u64 = 32 << 20;

/// Has a growing file on the disk. What the file system refuses is kept for [`finish`](Self::finish), as the kernel tells
/// an opened file once that data never reached the disk, and forgets it.
pub(super) struct Writeback {
    steps: Option<SyncSender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
    /// Bytes of the file when it was last told to go to the disk.
    n_bytes_told: u64,
}

impl Writeback {
    /// For a file that is empty yet.
    ///
    /// # Errors
    /// If the system has no room for a thread.
    pub(super) fn start(file: File) -> io::Result<Self> {
        // While one step goes to the disk, one may wait: it takes all that has been written meanwhile.
        let (steps, waiting) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("going to the disk".to_owned())
            .spawn(move || waiting.iter().try_for_each(|()| file.sync_data()))?;
        Ok(Self {
            steps: Some(steps),
            thread: Some(thread),
            n_bytes_told: 0,
        })
    }

    /// The file has so many bytes now, about.
    pub(super) fn reach(&mut self, n_bytes: u64) {
        if n_bytes < self.n_bytes_told + STEP_BYTES {
            return;
        }
        if let Some(steps) = &self.steps
            && steps.try_send(()).is_ok()
        {
            self.n_bytes_told = n_bytes;
        }
    }

    /// Waits for what has begun.
    ///
    /// # Errors
    /// If the file system has refused any of it: what the file holds is unknown then, whatever it says later.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.steps = None;
        let ended = self.thread.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |ended| {
            ended.unwrap_or_else(|_| Err(io::Error::other("the thread that syncs has panicked")))
        })
    }
}

impl Drop for Writeback {
    fn drop(&mut self) {
        // Whoever has not asked has no use for the file.
        let _ = self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_to_go_to_the_disk_as_it_grows() {
        let mut writeback = Writeback::start(tempfile::tempfile().unwrap()).unwrap();
        writeback.reach(STEP_BYTES - 1);
        assert_eq!(writeback.n_bytes_told, 0);
        for step in 1..=100 {
            let before = writeback.n_bytes_told;
            writeback.reach(step * STEP_BYTES);
            let told = writeback.n_bytes_told;
            assert!(told == before || told == step * STEP_BYTES);
        }
        assert!(writeback.n_bytes_told > 0);
        writeback.finish().unwrap();
    }

    #[test]
    fn what_the_file_system_refuses_is_not_forgotten() {
        // It cannot be synced.
        let file = File::options().write(true).open("/dev/full").unwrap();
        let mut writeback = Writeback::start(file).unwrap();
        writeback.reach(STEP_BYTES);
        assert!(writeback.finish().is_err());
        assert!(writeback.finish().is_ok(), "it is told once");
    }
}
