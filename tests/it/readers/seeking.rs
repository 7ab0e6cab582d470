//! Reads that begin in the middle.

use super::fixture::{CUT, Fixture, LONG, SHORT, bytes_read, failure, outcomes};
use crate::run::real_pool;
use nix::{sys::stat::Mode, unistd::mkfifo};
use runner::{
    event::{Event, EventSender},
    fasta::{Offset, Outcome, Position, resolve},
    hint::Hint,
    reader::{Pool, ReadRecords},
};
use std::{fs, io::Write, path::Path, thread, time::Duration};

/// What came of a read that begins in the middle.
struct Rest {
    records: Vec<ReadRecords>,
    events: Vec<Event>,
    n_restarts: u64,
}

impl Rest {
    fn read(
        fixture: &Fixture,
        pool: &mut Pool,
        start: Option<Position>,
        timeout: Duration,
    ) -> Self {
        let (events, received) = EventSender::channel();
        let mut request = fixture.request(2, timeout, events);
        request.start = start;
        let mut records = pool.read(request).unwrap();
        let read = records
            .by_ref()
            .map(|read| read.unwrap_or_else(|error| panic!("{}", error.in_full())));
        let read = read.collect();
        let n_restarts = records.restarts();
        drop(records);
        Self {
            records: read,
            events: received.try_iter().collect(),
            n_restarts,
        }
    }

    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.records.iter().flat_map(|read| &read.outcomes)
    }

    fn n_skipped_bytes(&self) -> u64 {
        let skipped = |event: &Event| match event {
            Event::InputSkipped { input_bytes } => Some(*input_bytes),
            _ => None,
        };
        self.events.iter().filter_map(skipped).sum()
    }
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn a_read_goes_on_at_any_delivery_of_another() {
    let fixture = Fixture::new();
    let mut pool = real_pool();
    let all = Rest::read(&fixture, &mut pool, None, LONG);
    let mut n_before = 0;
    for (n, read) in all.records.iter().enumerate() {
        if n % 7 == 3 {
            let start = Some(read.start.clone());
            let rest = Rest::read(&fixture, &mut pool, start, LONG);
            assert!(rest.records == all.records[n..], "from {:?}", read.start);
            let n_bytes: u64 = bytes_read(&rest.events).sum();
            assert_eq!(n_bytes + rest.n_skipped_bytes(), size(&fixture.fasta));
            // Within the record, which is half a kilobyte, but for the unit that it is in.
            assert!(rest.n_skipped_bytes() + (3 << 20) > size(&fixture.fasta) * n_before / 30_000);
        }
        n_before += read.outcomes.len() as u64;
    }
    let last = &all.records[all.records.len() - 1];
    assert!(
        matches!(last.start.from, Offset::Plain { byte } if byte > 6 << 20),
        "{:?}",
        last.start
    );
    let end = last.start.advanced(last.outcomes.len() as u64);
    let rest = Rest::read(&fixture, &mut pool, Some(end), LONG);
    assert!(rest.records.is_empty());
}

#[test]
fn a_compressed_file_is_read_again_and_says_so() {
    let mut fixture = Fixture::new();
    let compressed = fixture.folder.path().join("proteins.fa.gz");
    let file = fs::File::create(&compressed).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder
        .write_all(&fs::read(&fixture.fasta).unwrap())
        .unwrap();
    encoder.finish().unwrap();
    fixture.fasta = compressed;
    let expect = &Fixture::undisturbed()[20_001..];
    let start = Position::beginning_of(0).advanced(20_001);
    // A reader that dies while what it reads is dropped, and one that does not.
    let cut = format!("if first; then {CUT}; exit 3; fi\nexec \"$REAL\" \"$@\"");
    let dies = Pool::with_program(fixture.wrapper(&cut)).with_handshake_time(SHORT);
    for (mut pool, n_failures) in [(real_pool(), 0), (dies, 1)] {
        let rest = Rest::read(&fixture, &mut pool, Some(start.clone()), SHORT);
        assert!(rest.outcomes().eq(expect), "{n_failures}");
        assert_eq!(rest.records[0].start, start);
        assert_eq!(rest.n_restarts, n_failures);
        assert_eq!(
            rest.events.iter().filter_map(failure).count() as u64,
            n_failures
        );
        let again = rest.events.iter().filter_map(|event| match event {
            Event::SkippingRecords { input, records } => Some((input.clone(), *records)),
            _ => None,
        });
        let name = fixture.fasta.to_str().unwrap().to_owned();
        assert_eq!(again.collect::<Vec<_>>(), [(name, 20_001)]);
        let n_bytes: u64 = bytes_read(&rest.events).sum();
        let (skipped, size) = (rest.n_skipped_bytes(), size(&fixture.fasta));
        assert_eq!(n_bytes + skipped, size);
        assert!(
            (size / 2..size * 3 / 4).contains(&skipped),
            "{skipped} of {size}"
        );
    }
}

#[test]
fn a_pipe_is_read_again_and_one_before_the_start_is_not() {
    let fixture = Fixture::with_text(b">x\nM\n>y\nMK\n");
    let pipe = fixture.folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let sources = [&pipe, &fixture.fasta].map(|path| path.to_str().unwrap().to_owned());
    let mut pool = real_pool();
    let mut read = |start: Position| {
        let (events, received) = EventSender::channel();
        let mut request = fixture.request(2, LONG, events);
        request.inputs = resolve(&sources).unwrap();
        request.start = Some(start);
        let records = pool.read(request).unwrap();
        let ids: Vec<_> = records
            .flat_map(outcomes)
            .map(|outcome| outcome.id().to_owned())
            .collect();
        let told = received.try_iter();
        let is_again = |event: &Event| matches!(event, Event::SkippingRecords { records: 2, .. });
        (ids.join(" "), told.filter(is_again).count())
    };
    // Nobody writes to the pipe: opening it would never end.
    for _ in 0..2 {
        assert_eq!(read(Position::beginning_of(1)), ("x y".to_owned(), 0));
    }
    let writer = thread::spawn(move || fs::write(pipe, ">a\nM\n>b\nM\n>c\nM\n").unwrap());
    let third = Position::beginning_of(0).advanced(2);
    assert_eq!(read(third), ("c x y".to_owned(), 1));
    writer.join().unwrap();
}
