//! Readers that die, hang, lie or see a GPU, and what becomes of the records. The readers here are
//! the real program, behind wrappers that misbehave.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use runner::{
    cancel::{Abandonment, CancelToken, StopReason},
    event::{Event, EventSender},
    fasta::{Outcome, resolve},
    job::{LongSequences, RecordPolicy, ResiduePolicy},
    meter::{Meters, QueueMeters, StageClock},
    reader::{Pool, ReadRequest, ReaderError},
};
use std::{
    fmt::Write,
    fs, io,
    num::NonZeroUsize,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, LazyLock},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const RUNNER: &str = env!("CARGO_BIN_EXE_runner");

/// A folder with a FASTA file of several work units.
struct Fixture {
    folder: TempDir,
    fasta: PathBuf,
}

/// What a read gave, and what was told meanwhile.
struct Reading {
    result: Result<Vec<Outcome>, ReaderError>,
    n_restarts: u64,
    events: Vec<Event>,
}

impl Fixture {
    /// About 9 MB of records, which are 5 units.
    fn new() -> Self {
        static TEXT: LazyLock<String> = LazyLock::new(Fixture::text);
        Self::with_text(TEXT.as_bytes())
    }

    fn with_text(text: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fasta = folder.path().join("proteins.fa");
        fs::write(&fasta, text).unwrap();
        Self { folder, fasta }
    }

    fn text() -> String {
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
    fn wrapper(&self, script: &str) -> PathBuf {
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

    fn request(&self, readers: usize, timeout: Duration, events: EventSender) -> ReadRequest {
        ReadRequest {
            inputs: resolve(&[self.fasta.to_str().unwrap().to_owned()]).unwrap(),
            take: None,
            policy: RecordPolicy {
                min_length: None,
                max_length: None,
                long_sequences: LongSequences::Truncate(1022),
                residues: ResiduePolicy::Error,
            },
            readers: NonZeroUsize::new(readers).unwrap(),
            timeout,
            meters: Arc::new(Meters::new(
                Instant::now(),
                readers,
                QueueMeters::default(),
                |_, _| StageClock::default(),
            )),
            events,
            cancel: CancelToken::default(),
            abandonment: Abandonment::default(),
        }
    }

    fn read(&self, pool: &mut Pool, readers: usize, timeout: Duration) -> Reading {
        let (events, received) = EventSender::channel();
        let mut records = pool.read(self.request(readers, timeout, events)).unwrap();
        let result = records.by_ref().try_fold(Vec::new(), |mut all, outcomes| {
            all.extend(outcomes?);
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
    fn undisturbed() -> &'static [Outcome] {
        static OUTCOMES: LazyLock<Vec<Outcome>> = LazyLock::new(|| {
            let reading = Fixture::new().read(&mut real_pool(), 1, LONG);
            reading.result.unwrap()
        });
        &OUTCOMES
    }

    /// Reads with readers that misbehave once. The records must be the same.
    fn check_recovery(&self, script: &str, reason: &str) {
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
    fn check_failure(&self, script: &str, parts: &[&str]) {
        let mut pool = Pool::with_program(self.wrapper(script)).with_handshake_time(SHORT);
        let reading = self.read(&mut pool, 2, SHORT);
        let message = reading.result.unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "`{part}` in: {message}");
        }
    }
}

/// A reader whose output ends after 700,000 bytes, in the middle of a frame. Unbuffered, because the
/// greeting is short.
const CUT: &str = "\"$REAL\" \"$@\" | stdbuf -o0 head -c 700000";
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(1);

fn real_pool() -> Pool {
    Pool::with_program(PathBuf::from(RUNNER))
}

fn failure(event: &Event) -> Option<String> {
    match event {
        Event::ReaderFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}

fn warning(event: &Event) -> Option<&str> {
    match event {
        Event::Warning { message } => Some(message),
        _ => None,
    }
}

fn pids(events: &[Event]) -> Vec<u32> {
    let pid = |event: &Event| match event {
        Event::ReaderStarted { pid, .. } => Some(*pid),
        _ => None,
    };
    events.iter().filter_map(pid).collect()
}

fn bytes_read(events: &[Event]) -> impl Iterator<Item = u64> {
    events.iter().filter_map(|event| match event {
        Event::UnitRead { input_bytes } => Some(*input_bytes),
        _ => None,
    })
}

/// Whether a process runs. One that ended and was not waited for does not.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    matches!(state, Some(state) if !matches!(state, 'Z' | 'X'))
}

fn await_end(pid: u32) {
    let start = Instant::now();
    while is_running(pid) {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "process {pid} still runs"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn any_number_of_readers_gives_the_same_records() {
    let fixture = Fixture::new();
    let expect = Fixture::undisturbed();
    assert_eq!(expect.len(), 30_000);
    for (index, outcome) in expect.iter().enumerate() {
        assert_eq!(outcome.id(), format!("p{index}"));
    }
    for readers in [2, 4, 8] {
        let reading = fixture.read(&mut real_pool(), readers, LONG);
        assert!(reading.result.unwrap() == expect, "{readers} readers");
        let n_bytes: u64 = bytes_read(&reading.events).sum();
        assert_eq!(n_bytes, fs::metadata(&fixture.fasta).unwrap().len());
    }
}

#[test]
fn a_long_compressed_file_tells_how_far_it_is_read() {
    let mut fixture = Fixture::new();
    let expect = Fixture::undisturbed();
    let compressed = fixture.folder.path().join("proteins.fa.gz");
    let file = fs::File::create(&compressed).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let mut text = fs::File::open(&fixture.fasta).unwrap();
    io::copy(&mut text, &mut encoder).unwrap();
    encoder.finish().unwrap();
    fixture.fasta = compressed;

    let reading = fixture.read(&mut real_pool(), 2, LONG);
    assert!(reading.result.unwrap() == expect);
    assert!(bytes_read(&reading.events).count() > 10);
    let n_bytes: u64 = bytes_read(&reading.events).sum();
    assert_eq!(n_bytes, fs::metadata(&fixture.fasta).unwrap().len());
}

#[test]
fn readers_killed_at_random_times_lose_nothing() {
    let fixture = Fixture::new();
    let expect = Fixture::undisturbed();
    let mut n_restarts = 0;
    for run in 0..10u64 {
        let (events, received) = EventSender::channel();
        let mut pool = real_pool();
        let records = pool.read(fixture.request(2, LONG, events)).unwrap();
        let killer = thread::spawn(move || {
            // Two victims in each run, at times that spread over the whole of it.
            for (n_killed, event) in received.iter().enumerate().take(2) {
                thread::sleep(Duration::from_millis((run * 7 + 13 * n_killed as u64) % 40));
                if let Event::ReaderStarted { pid, .. } = event {
                    let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
                }
            }
        });
        let mut got = Vec::new();
        let mut records = records;
        for outcomes in records.by_ref() {
            got.extend(outcomes.unwrap());
            thread::sleep(Duration::from_millis(2));
        }
        n_restarts += records.restarts();
        assert!(got == expect, "run {run}");
        drop(records);
        drop(pool);
        killer.join().unwrap();
    }
    assert!(n_restarts >= 5, "only {n_restarts} readers were hit");
}

#[test]
fn a_reader_that_fails_once_is_replaced() {
    let fixture = Fixture::new();
    for (misbehaviour, reason) in [
        ("exit 3".to_owned(), "exit status 3"),
        ("kill -SEGV $$".to_owned(), "signal 11"),
        ("sleep 100".to_owned(), "sent nothing for"),
        ("cat /dev/urandom".to_owned(), "garbage"),
        (format!("{CUT}; exit 3"), "exit status 3"),
        (format!("{CUT}; sleep 100"), "sent nothing for 1 s"),
        (format!("{CUT}; cat /dev/urandom"), "garbage"),
        ("\"$REAL\" \"$@\" | stdbuf -o0 tr W V".to_owned(), "garbage"),
    ] {
        let _ = fs::remove_dir(fixture.folder.path().join("flag"));
        let script = format!("if first; then {misbehaviour}; fi\nexec \"$REAL\" \"$@\"");
        fixture.check_recovery(&script, reason);
    }
}

#[test]
fn a_reader_that_always_fails_ends_the_run() {
    let fixture = Fixture::new();
    let place = ["proteins.fa`, bytes 0 to 2097152", "failed 3 times"];
    for (script, reason) in [
        (
            "echo 'no such luck' >&2; exit 7".to_owned(),
            "exit status 7; its last words: no such luck",
        ),
        (format!("{CUT}; exit 7"), "exit status 7"),
        (format!("{CUT}; sleep 100"), "sent nothing for 1 s"),
        (format!("{CUT}; cat /dev/urandom"), "garbage"),
    ] {
        fixture.check_failure(&script, &[place[0], place[1], reason]);
    }
}

#[test]
fn a_reader_that_sees_a_device_is_refused() {
    let fixture = Fixture::new();
    for setting in [
        "export CUDA_VISIBLE_DEVICES=0",
        "unset CUDA_VISIBLE_DEVICES",
    ] {
        let script = format!("{setting}\nexec \"$REAL\" \"$@\"");
        fixture.check_failure(
            &script,
            &["reader ", "must not see a GPU", "CUDA_VISIBLE_DEVICES"],
        );
    }
}

#[test]
fn a_reader_that_maps_a_gpu_library_is_refused() {
    let fixture = Fixture::new();
    let source = fixture.folder.path().join("empty.c");
    let library = fixture.folder.path().join("libcuda.so.1");
    fs::write(&source, "int nothing_at_all;\n").unwrap();
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(status.success());
    let script = format!("LD_PRELOAD='{}' exec \"$REAL\" \"$@\"", library.display());
    fixture.check_failure(
        &script,
        &["must not see a GPU", "maps the GPU library", "libcuda.so.1"],
    );
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    let fixture = Fixture::new();
    let mut pool = Pool::with_program(PathBuf::from("/nonexistent/reader"));
    let message = fixture
        .read(&mut pool, 1, LONG)
        .result
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("cannot start reader 0, `/nonexistent/reader`"),
        "{message}"
    );
}

#[test]
fn a_slow_consumer_is_no_hung_reader() {
    let fixture = Fixture::new();
    let (events, received) = EventSender::channel();
    let mut pool = real_pool();
    let timeout = Duration::from_millis(300);
    let mut records = pool.read(fixture.request(4, timeout, events)).unwrap();
    let mut n_records = 0;
    for (n_frames, outcomes) in records.by_ref().enumerate() {
        n_records += outcomes.unwrap().len();
        if n_frames < 2 {
            thread::sleep(3 * timeout);
        }
    }
    assert_eq!((n_records, records.restarts()), (30_000, 0));
    drop(records);
    assert_eq!(
        received
            .try_iter()
            .filter_map(|event| failure(&event))
            .count(),
        0
    );
}

#[test]
fn readers_live_on_between_reads() {
    let fixture = Fixture::new();
    let mut pool = real_pool();
    let first = fixture.read(&mut pool, 2, LONG);
    let started = pids(&first.events);
    assert_eq!(started.len(), 2);
    let fewer = fixture.read(&mut pool, 1, LONG);
    assert!(pids(&fewer.events).is_empty());
    let more = fixture.read(&mut pool, 3, LONG);
    assert_eq!(pids(&more.events).len(), 1);
    assert!(first.result.unwrap() == more.result.unwrap());
    assert!(started.iter().all(|&pid| is_running(pid)));
    drop(pool);
    for pid in started {
        await_end(pid);
    }
}

#[test]
fn reads_that_are_given_up_leave_the_pool_usable() {
    let fixture = Fixture::new();
    let expect = Fixture::undisturbed();
    let mut pool = real_pool();
    for n_frames in [0, 1, 5] {
        let (events, _received) = EventSender::channel();
        let records = pool.read(fixture.request(3, LONG, events)).unwrap();
        assert_eq!(
            records.take(n_frames).filter(Result::is_ok).count(),
            n_frames
        );
    }
    let reading = fixture.read(&mut pool, 3, LONG);
    assert_eq!(reading.n_restarts, 0);
    assert!(reading.result.unwrap() == expect);
}

#[test]
fn a_waiting_read_stops_when_told_to() {
    let fixture = Fixture::new();
    let (events, received) = EventSender::channel();
    let mut pool = Pool::with_program(fixture.wrapper("sleep 100"));
    let request = fixture.request(2, LONG, events);
    let cancel = request.cancel.clone();
    let mut records = pool.read(request).unwrap();
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(200));
            cancel.cancel(StopReason::Interrupted);
        });
        let stopped = records.next();
        assert!(matches!(
            stopped,
            Some(Err(ReaderError::Stopped(StopReason::Interrupted)))
        ));
    });
    assert!(records.next().is_none());
    drop(records);
    drop(pool);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    drop(received);
}

#[test]
fn what_a_wrapper_started_ends_with_it() {
    let fixture = Fixture::new();
    let pid_file = fixture.folder.path().join("pid");
    let script = format!("sleep 100 &\necho $! > '{}'\nwait", pid_file.display());
    let (events, _received) = EventSender::channel();
    let mut pool = Pool::with_program(fixture.wrapper(&script));
    let records = pool.read(fixture.request(1, LONG, events)).unwrap();
    let start = Instant::now();
    let pid = loop {
        if let Ok(pid) = fs::read_to_string(&pid_file)
            .unwrap_or_default()
            .trim()
            .parse()
        {
            break pid;
        }
        assert!(start.elapsed() < LONG);
        thread::sleep(Duration::from_millis(10));
    };
    assert!(is_running(pid));
    drop(records);
    drop(pool);
    await_end(pid);
}

#[test]
fn a_refused_record_is_named_by_its_number_in_the_file() {
    let fixture = Fixture::new();
    let text = fs::read_to_string(&fixture.fasta).unwrap();
    let head = ">p20000 protein number 20000\n";
    fs::write(&fixture.fasta, text.replace(head, &format!("{head}MKJ\n"))).unwrap();
    for readers in [1, 4] {
        let reading = fixture.read(&mut real_pool(), readers, LONG);
        let message = reading.result.unwrap_err().to_string();
        assert!(
            message.contains("record 20001 (`p20000`): the character `J`"),
            "{message}"
        );
    }
}

#[test]
fn no_reader_outlives_a_killed_program() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.fa");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = folder.path().join("job.rhai");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/models/esm2_t6_2M_demo");
    let text = format!(
        "embed(esm2(\"{}\", #{{ device: \"mock\" }}), fasta(\"{}\"), #{{ readers: 1 }});",
        model.display(),
        pipe.display()
    );
    fs::write(&script, text).unwrap();
    let mut program = Command::new(RUNNER)
        .arg("exec")
        .arg(&script)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The pipe can be opened for writing once the reader has opened its other end, so the reader is
    // in the middle of a unit then.
    let start = Instant::now();
    let _writer = loop {
        let mut options = fs::OpenOptions::new();
        let without_waiting = nix::fcntl::OFlag::O_NONBLOCK.bits();
        match options
            .write(true)
            .custom_flags(without_waiting)
            .open(&pipe)
        {
            Ok(writer) => break writer,
            Err(error) => assert!(start.elapsed() < LONG, "no reader: {error}"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    let children = format!("/proc/{0}/task", program.id());
    let readers: Vec<u32> = fs::read_dir(children)
        .unwrap()
        .flat_map(|task| {
            let children = task.unwrap().path().join("children");
            let text = fs::read_to_string(children).unwrap_or_default();
            text.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<u32>>()
        })
        .collect();
    assert_eq!(readers.len(), 1);
    assert!(is_running(readers[0]));
    program.kill().unwrap();
    program.wait().unwrap();
    await_end(readers[0]);
}

#[test]
fn a_read_ends_with_the_records_that_are_wanted() {
    let fixture = Fixture::new();
    let mut pool = real_pool();
    for take in [0, 1, 999, 20_000, 30_000, 40_000] {
        let (events, _received) = EventSender::channel();
        let mut request = fixture.request(2, LONG, events);
        request.take = Some(take);
        let outcomes: Vec<Outcome> = pool
            .read(request)
            .unwrap()
            .flat_map(Result::unwrap)
            .collect();
        let expect = &Fixture::undisturbed()[..30_000.min(take as usize)];
        assert!(outcomes == expect, "take {take}: {}", outcomes.len());
    }
}

#[test]
fn words_of_a_reader_are_bounded() {
    let fixture = Fixture::new();
    let script =
        "head -c 50000000 /dev/zero | tr '\\0' x >&2; yes no such luck | head -n 5000 >&2; exit 7";
    let mut pool = Pool::with_program(fixture.wrapper(script)).with_handshake_time(LONG);
    let reading = fixture.read(&mut pool, 1, LONG);
    let message = reading.result.unwrap_err().to_string();
    assert!(
        message.contains("exit status 7; its last words: no such luck"),
        "{message}"
    );
    let warnings: Vec<_> = reading.events.iter().filter_map(warning).collect();
    let longest = warnings.iter().map(|warning| warning.len()).max();
    // A hundred lines and a word that more came, from each of three readers.
    assert!((4..=303).contains(&warnings.len()), "{}", warnings.len());
    assert!(longest.unwrap() < 1100, "{longest:?}");
}

#[test]
fn a_reader_waits_when_records_of_megabytes_pile_up() {
    let record = [&b">a "[..], &b"d".repeat(500_000), b"\nM\n"].concat();
    let mut fixture = Fixture::with_text(b"");
    fixture.fasta = fixture.folder.path().join("proteins.fa.gz");
    let file = fs::File::create(&fixture.fasta).unwrap();
    // Without compression, so that the place in the file is the place in the text.
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::none());
    for _ in 0..80 {
        io::Write::write_all(&mut encoder, &record).unwrap();
    }
    encoder.finish().unwrap();
    let (events, received) = EventSender::channel();
    let mut pool = real_pool();
    let records = pool.read(fixture.request(1, LONG, events)).unwrap();
    let Ok(Event::ReaderStarted { pid, .. }) = received.recv() else {
        panic!("no reader");
    };
    let place = || {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let file = files
            .map(|file| file.unwrap().path())
            .find(|path| fs::read_link(path).is_ok_and(|target| target == fixture.fasta))?;
        let info = fs::read_to_string(file.to_str()?.replace("/fd/", "/fdinfo/")).ok()?;
        let place = info.lines().next()?.strip_prefix("pos:")?.trim();
        place.parse::<u64>().ok()
    };
    let start = Instant::now();
    while place().is_none_or(|place| place < 8_000_000) {
        assert!(start.elapsed() < LONG);
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(300));
    // 8 MiB wait here, 1 MiB in the pipe, and some in buffers on both sides.
    assert!(place().unwrap() < 16_000_000, "{:?}", place());
    assert_eq!(records.flat_map(Result::unwrap).count(), 80);
}

#[test]
fn warnings_do_not_depend_on_readers() {
    let mut text = Fixture::text();
    // Every record of the fixture has letters that become strange ones.
    text = text.replace("WW", "J>").replace("QQ", "1Q");
    let fixture = Fixture::with_text(text.as_bytes());
    let warnings = |mut pool: Pool, readers| {
        let (events, received) = EventSender::channel();
        let mut request = fixture.request(readers, SHORT, events);
        request.policy.residues = ResiduePolicy::Unk;
        let records = pool.read(request).unwrap();
        assert_eq!(records.flat_map(Result::unwrap).count(), 30_000);
        let events: Vec<Event> = received.try_iter().collect();
        events
            .iter()
            .filter_map(warning)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let expect = warnings(real_pool(), 1);
    assert_eq!(expect.len(), 2, "{expect:?}");
    assert!(
        expect[1].contains("`1` ") && expect[1].contains("`>` "),
        "{expect:?}"
    );
    assert_eq!(warnings(real_pool(), 4), expect);
    // A reader that dies in mid-unit: what it told before is not told again.
    let wrapper = fixture.wrapper(&format!(
        "if first; then {CUT}; exit 3; fi\nexec \"$REAL\" \"$@\""
    ));
    assert_eq!(warnings(Pool::with_program(wrapper), 2), expect);
}

#[test]
fn the_largest_record_fits_into_a_frame() {
    let definition = [&b">"[..], &[0xff; 600_000], b" ", &[0xfe; 400_000]].concat();
    let residues = b"A".repeat(16 << 20);
    let fixture = Fixture::with_text(&[&definition[..], b"\n", &residues, b"\n>b\nM\n"].concat());
    let (events, _received) = EventSender::channel();
    let mut request = fixture.request(1, LONG, events);
    request.policy.long_sequences = LongSequences::Truncate(16 << 20);
    let mut pool = real_pool();
    let outcomes: Vec<Outcome> = pool
        .read(request)
        .unwrap()
        .flat_map(Result::unwrap)
        .collect();
    assert_eq!(outcomes.len(), 2);
    assert_eq!(outcomes[0].id().len(), 2_400_000);
}
