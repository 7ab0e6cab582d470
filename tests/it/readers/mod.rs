//! Readers, and what becomes of the records. Here is what readers do that are well; beside it:
//! - `failures`: readers that die, hang, lie or see a GPU: the real program, behind wrappers that
//!   misbehave
//! - `bounds`: what a reader may cost
//! - `seeking`: reads that begin in the middle
//! - `fixture`: a file and the readers that read it

mod bounds;
mod failures;
mod fixture;
mod seeking;

use crate::run::real_pool;
use fixture::{
    CUT, Fixture, LONG, SHORT, await_end, bytes_read, failure, is_running, outcomes, pids, warning,
};
use runner::{
    cancel::StopReason,
    event::{Event, EventSender},
    fasta::Outcome,
    job::ResiduePolicy,
    reader::Pool,
};
use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

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
fn a_slow_consumer_is_no_hung_reader() {
    let fixture = Fixture::new();
    let (events, received) = EventSender::channel();
    let mut pool = real_pool();
    let timeout = Duration::from_millis(300);
    let mut records = pool.read(fixture.request(4, timeout, events)).unwrap();
    let mut n_records = 0;
    for (n_frames, read) in records.by_ref().enumerate() {
        n_records += read.unwrap().outcomes.len();
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
fn a_waiting_read_ends_when_it_is_told_to() {
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
        assert!(records.next().is_none());
    });
    assert!(records.was_stopped());
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
fn a_read_ends_with_the_records_that_are_wanted() {
    let fixture = Fixture::new();
    let mut pool = real_pool();
    for take in [0, 1, 999, 20_000, 30_000, 40_000] {
        let (events, _received) = EventSender::channel();
        let mut request = fixture.request(2, LONG, events);
        request.take = Some(take);
        let outcomes: Vec<Outcome> = pool.read(request).unwrap().flat_map(outcomes).collect();
        let expect = &Fixture::undisturbed()[..30_000.min(take as usize)];
        assert!(outcomes == expect, "take {take}: {}", outcomes.len());
    }
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
        assert_eq!(records.flat_map(outcomes).count(), 30_000);
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
