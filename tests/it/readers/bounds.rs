//! What a reader may cost.

use super::fixture::{Fixture, LONG, outcomes, warning};
use crate::run::real_pool;
use runner::{
    event::{Event, EventSender},
    fasta::Outcome,
    job::LongSequences,
    reader::Pool,
};
use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

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
    let Some(Event::ReaderStarted { pid, .. }) = received.iter().next() else {
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
    assert_eq!(records.flat_map(outcomes).count(), 80);
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
    let outcomes: Vec<Outcome> = pool.read(request).unwrap().flat_map(outcomes).collect();
    assert_eq!(outcomes.len(), 2);
    assert_eq!(outcomes[0].id().len(), 2_400_000);
}
