//! A FASTA file and the readers that read it.

use crate::RUNNER;
use crate::run::real_pool;
use runner::{
    cancel::{Abandonment, CancelToken},
    event::{Event, EventSender},
    fasta::{Outcome, resolve},
    hint::Hint,
    job::{LongSequences, RecordPolicy, ResiduePolicy},
    meter::{Meters, QueueMeters, StageClock},
    reader::{Pool, ReadRecords, ReadRequest, ReaderError},
};
use std::{
    fmt::Write,
    fs,
    num::NonZeroUsize,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, LazyLock},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A folder with a FASTA file of several work units.
pub struct Fixture {
    pub folder: TempDir,
    pub fasta: PathBuf,
}

/// What a read gave, and what was told meanwhile.
pub struct Reading {
    pub result: Result<Vec<Outcome>, ReaderError>,
    pub n_restarts: u64,
    pub events: Vec<Event>,
}

impl Fixture {
    /// About 9 MB of records, which are 5 units.
    pub fn new() -> Self {
        static TEXT: LazyLock<String> = LazyLock::new(Fixture::text);
        Self::with_text(TEXT.as_bytes())
    }

    pub fn with_text(text: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fasta = folder.path().join("proteins.fa");
        fs::write(&fasta, text).unwrap();
        Self { folder, fasta }
    }

    pub fn text() -> String {
        let mut text = String::new();
        let mut state = 7u64;
        for index in 0..30_000 {
            writeln!(text, ">p{index} protein number {index}").unwrap();
            for _ in 0..1 + index % 8 {
                for _ in 0..60 {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                    text.push(b"ACDEFGHIKLMNPQRSTVWY"[(state >> 33) as usize % 20] as char);
                }
                text.push('\n');
            }
        }
        text
    }

    /// A program that runs the lines of a shell script. `$REAL` is the real program, and `first`
    /// succeeds only the first time that it is run.
    pub fn wrapper(&self, script: &str) -> PathBuf {
        let path = self.folder.path().join("wrapper.sh");
        let flag = self.folder.path().join("flag");
        let text = format!(
            "#!/bin/sh\nREAL='{RUNNER}'\nfirst() {{ mkdir '{}' 2>/dev/null; }}\n{script}\n",
            flag.display()
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub fn request(&self, readers: usize, timeout: Duration, events: EventSender) -> ReadRequest {
        ReadRequest {
            inputs: resolve(&[self.fasta.to_str().unwrap().to_owned()]).unwrap(),
            start: None,
            shard: None,
            take: None,
            policy: RecordPolicy {
                min_length: None,
                max_length: None,
                long_sequences: LongSequences::Truncate(1022),
                residues: ResiduePolicy::Error,
                remarks: true,
            },
            readers: NonZeroUsize::new(readers).unwrap(),
            timeout,
            meters: Arc::new(Meters::new(
                Instant::now(),
                readers,
                1,
                QueueMeters::default(),
                |_, _| StageClock::default(),
            )),
            events,
            cancel: CancelToken::default(),
            abandonment: Abandonment::default(),
        }
    }

    pub fn read(&self, pool: &mut Pool, readers: usize, timeout: Duration) -> Reading {
        let (events, received) = EventSender::channel();
        let mut records = pool.read(self.request(readers, timeout, events)).unwrap();
        let result = records.by_ref().try_fold(Vec::new(), |mut all, read| {
            all.extend(read?.outcomes);
            Ok(all)
        });
        let n_restarts = records.restarts();
        drop(records);
        Reading {
            result,
            n_restarts,
            events: received.try_iter().collect(),
        }
    }

    /// What every fixture of [`new`](Self::new) holds.
    pub fn undisturbed() -> &'static [Outcome] {
        static OUTCOMES: LazyLock<Vec<Outcome>> = LazyLock::new(|| {
            let reading = Fixture::new().read(&mut real_pool(), 1, LONG);
            reading.result.unwrap()
        });
        &OUTCOMES
    }

    /// Reads with readers that misbehave once. The records must be the same.
    pub fn check_recovery(&self, script: &str, reason: &str) {
        let mut pool = Pool::with_program(self.wrapper(script)).with_handshake_time(SHORT);
        let reading = self.read(&mut pool, 2, SHORT);
        assert!(reading.result.unwrap() == Self::undisturbed(), "{script}");
        assert_eq!(reading.n_restarts, 1, "{script}");
        let reasons: Vec<_> = reading.events.iter().filter_map(failure).collect();
        assert!(
            matches!(&reasons[..], [only] if only.contains(reason)),
            "`{reason}` in: {reasons:?}"
        );
    }

    /// Reads with readers that always misbehave. The message must hold the parts.
    pub fn check_failure(&self, script: &str, parts: &[&str]) {
        let mut pool = Pool::with_program(self.wrapper(script)).with_handshake_time(SHORT);
        let reading = self.read(&mut pool, 2, SHORT);
        let message = reading.result.unwrap_err().in_full();
        for part in parts {
            assert!(message.contains(part), "`{part}` in: {message}");
        }
    }
}

/// A reader whose output ends after 700,000 bytes, in the middle of a frame. Unbuffered, because the
/// greeting is short.
pub const CUT: &str = "\"$REAL\" \"$@\" | stdbuf -o0 head -c 700000";
pub const LONG: Duration = Duration::from_secs(60);
pub const SHORT: Duration = Duration::from_secs(1);

pub fn failure(event: &Event) -> Option<String> {
    match event {
        Event::ReaderFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}

/// What became of the records that were read.
pub fn outcomes(read: Result<ReadRecords, ReaderError>) -> Vec<Outcome> {
    read.unwrap().outcomes
}

pub fn warning(event: &Event) -> Option<&str> {
    match event {
        Event::Warning { message } => Some(message),
        _ => None,
    }
}

pub fn pids(events: &[Event]) -> Vec<u32> {
    let pid = |event: &Event| match event {
        Event::ReaderStarted { pid, .. } => Some(*pid),
        _ => None,
    };
    events.iter().filter_map(pid).collect()
}

pub fn bytes_read(events: &[Event]) -> impl Iterator<Item = u64> {
    events.iter().filter_map(|event| match event {
        Event::UnitRead { input_bytes } => Some(*input_bytes),
        _ => None,
    })
}

/// Whether a process runs. One that ended and was not waited for does not.
pub fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    matches!(state, Some(state) if !matches!(state, 'Z' | 'X'))
}

pub fn await_end(pid: u32) {
    let start = Instant::now();
    while is_running(pid) {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "process {pid} still runs"
        );
        thread::sleep(Duration::from_millis(10));
    }
}
