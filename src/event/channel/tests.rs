//! A consumer that stands still, and what it hears when it goes on.

use super::*;
use crate::meter::{Metric, Sample};
use proptest::prelude::*;

fn started() -> Event {
    Event::RunStarted {
        inputs: "a.fa".to_owned(),
        model: "m".to_owned(),
        device: "CPU".to_owned(),
        lanes: Vec::new(),
        input_bytes: None,
        shard: None,
        readers: 1,
        token_budget: 1,
        take: None,
        sequences: None,
        tokens: None,
    }
}

fn finished(tokens: u64) -> Event {
    Event::RunFinished {
        sequences: 0,
        tokens,
        seconds: 0.0,
        output: None,
        error: None,
        stopped: false,
        kept: None,
    }
}

/// What a consumer that adds knows of each run: rows, tokens, bytes, the last queue, the last sample, bytes
/// skipped.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known([u64; 6]);

fn known(events: impl Iterator<Item = Event>) -> Vec<Known> {
    let mut runs = vec![Known::default()];
    for event in events {
        let run = &mut runs.last_mut().expect("never empty").0;
        match event {
            Event::RunStarted { .. } => runs.push(Known::default()),
            Event::RunFinished { .. } => runs.push(Known::default()),
            Event::RowsWritten { rows } => run[0] += rows,
            Event::BatchEncoded { tokens, .. } => run[1] += tokens,
            Event::UnitRead { input_bytes } => run[2] += input_bytes,
            Event::InputSkipped { input_bytes } => run[5] += input_bytes,
            Event::BatchPacked { queued, .. } => run[3] = queued as u64,
            Event::Sample { sample } => {
                run[4] = sample.get(Metric::Tokens).unwrap_or(0.0) as u64;
            }
            _ => {}
        }
    }
    runs
}

fn event(kind: u8, n: u64) -> Event {
    match kind {
        0 => Event::RowsWritten { rows: n },
        1 => Event::BatchEncoded {
            sequences: 1,
            tokens: n,
            seconds: 0.5,
            waited_seconds: 0.25,
        },
        2 => Event::UnitRead { input_bytes: n },
        3 => Event::BatchPacked {
            sequences: 1,
            tokens: 1,
            queued: n as usize,
        },
        4 => {
            let mut sample = Sample::new(1.0);
            sample.set(Metric::Tokens, n as f64);
            Event::Sample {
                sample: Box::new(sample),
            }
        }
        5 => Event::Warning {
            message: "w".to_owned(),
        },
        6 => Event::InputSkipped { input_bytes: n },
        7 => started(),
        _ => finished(n),
    }
}

proptest! {
    #[test]
    fn no_count_is_lost_however_late_the_consumer_is(
        // Mostly counts: kinds from 0 to 8, and where the consumer hears so many events.
        sent in prop::collection::vec((prop_oneof![40 => 0u8..7, 1 => 7u8..9], 0u64..1000), 0..6000),
        pauses in prop::collection::vec(0usize..3000, 1..5),
    ) {
        let (sender, receiver) = EventSender::channel();
        let mut heard = Vec::new();
        let mut pauses = pauses.into_iter().cycle();
        let mut until = pauses.next();
        for (n, (kind, value)) in sent.iter().enumerate() {
            sender.send(event(*kind, *value));
            if Some(n) == until {
                heard.extend(receiver.try_iter().take(700));
                until = pauses.next().map(|pause| n + pause + 1);
            }
        }
        heard.extend(receiver.try_iter());
        let expect = known(sent.iter().map(|(kind, value)| event(*kind, *value)));
        prop_assert_eq!(known(heard.into_iter()), expect);
    }
}

#[test]
fn a_consumer_that_stands_still_costs_bounded_memory() {
    let (sender, receiver) = EventSender::channel();
    sender.send(started());
    for n in 0..100_000 {
        sender.send(event((n % 6) as u8, 1));
        sender.warn("x".repeat(1 << 14));
    }
    sender.send(finished(7));
    let heard: Vec<_> = receiver.try_iter().collect();
    assert!(
        heard.len() < MOST_EVENTS + MOST_LATE_WARNINGS + 12,
        "{}",
        heard.len()
    );
    assert!(matches!(heard[0], Event::RunStarted { .. }));
    let end = &heard[heard.len() - 2..];
    assert!(
        matches!(end[0], Event::RunFinished { tokens: 7, .. }),
        "{end:?}"
    );
    let Event::Warning { message } = &end[1] else {
        panic!("{end:?}");
    };
    let n_warnings = heard.iter().filter(|event| is_warning(event)).count() - 1;
    let n_left_out = 100_000 + 16_666 - n_warnings;
    assert!(
        message.starts_with(&format!("{n_left_out} more warnings")),
        "{message}"
    );
    let longest = heard.iter().map(|event| match event {
        Event::Warning { message } => message.len(),
        _ => 0,
    });
    assert!(longest.max() <= Some(MOST_TEXT_BYTES + '…'.len_utf8()));
    // From here on it is as if nothing had been.
    sender.warn("again");
    assert_eq!(receiver.try_iter().count(), 1);
}

#[test]
fn the_end_comes_after_all_that_was_sent() {
    let (sender, receiver) = EventSender::channel();
    let clone = sender.clone();
    drop(sender);
    assert!(matches!(
        receiver.receive_within(Duration::ZERO),
        Heard::Nothing
    ));
    clone.warn("last");
    drop(clone);
    assert!(matches!(
        receiver.receive_within(Duration::from_secs(60)),
        Heard::Event(_)
    ));
    assert!(matches!(
        receiver.receive_within(Duration::from_secs(60)),
        Heard::End
    ));
    let (sender, receiver) = EventSender::channel();
    drop(receiver);
    sender.warn("nobody hears it");
}

#[test]
fn of_a_download_the_latest_state_is_heard() {
    let (events, receiver) = EventSender::channel();
    let download = |bytes| Event::Download {
        model: "a/b".to_owned(),
        file: format!("file {}", bytes / 10_000),
        file_bytes: bytes % 10_000,
        file_of: 10_000,
        bytes,
        of: 100_000,
    };
    for bytes in 0..50_000 {
        events.send(download(bytes));
    }
    events.send(Event::DownloadFinished {
        model: "a/b".to_owned(),
        folder: None,
        seconds: 1.0,
        error: None,
        stopped: false,
    });
    drop(events);
    let heard: Vec<_> = receiver.iter().collect();
    assert_eq!(heard.len(), MOST_EVENTS + 2);
    let [.., last, Event::DownloadFinished { .. }] = heard.as_slice() else {
        panic!("{:?}", heard.last());
    };
    assert_eq!(format!("{last:?}"), format!("{:?}", download(49_999)));
}

#[test]
fn what_is_written_after_an_event_waits_for_its_consumer_but_not_for_ever() {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };
    let (sender, receiver) = EventSender::channel();
    let shown = Arc::new(AtomicBool::new(false));
    let shows = shown.clone();
    let consumer = thread::spawn(move || {
        for _ in receiver.iter() {
            thread::sleep(Duration::from_millis(50));
            shows.store(true, Ordering::Release);
        }
    });
    sender.send(finished(1));
    sender.settle_within(Duration::from_secs(60));
    assert!(shown.load(Ordering::Acquire));
    drop(sender);
    consumer.join().unwrap();

    let (sender, receiver) = EventSender::channel();
    sender.send(finished(1));
    let start = Instant::now();
    sender.settle_within(Duration::from_millis(20));
    assert!(start.elapsed() >= Duration::from_millis(20), "nobody hears");
    drop(receiver);
    sender.settle_within(Duration::from_secs(60));
    assert!(start.elapsed() < Duration::from_secs(30), "nobody will");
}
