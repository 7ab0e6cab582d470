//! What is told of a run in progress.

use super::*;

fn started() -> Tally {
    let mut tally = Tally::default();
    tally.add(&Event::RunStarted {
        inputs: "a.fa".to_owned(),
        model: "esm2".to_owned(),
        device: "CPU".to_owned(),
        lanes: vec!["cpu".to_owned()],
        input_bytes: Some(1000),
        shard: None,
        readers: 2,
        token_budget: 4096,
        take: None,
        sequences: None,
        tokens: None,
    });
    tally
}

#[test]
fn figures_of_a_run() {
    let mut tally = started();
    for _ in 0..2 {
        tally.add(&Event::RecordsRead {
            records: 600,
            residues: 9000,
            rejected: 1,
            truncated: 2,
        });
    }
    tally.add(&Event::BatchPacked {
        sequences: 500,
        tokens: 4000,
        queued: 3,
    });
    tally.add(&Event::BatchEncoded {
        sequences: 500,
        tokens: 4000,
        seconds: 1.0,
        waited_seconds: 0.0,
    });
    tally.add(&Event::UnitRead { input_bytes: 250 });
    assert_eq!(
        tally.line(Duration::from_secs(2)),
        "17s left, 500 embedded, 2,000 tokens/s, 1,200 read, 2 rejected, 4 truncated, 2 queued"
    );
}

#[test]
fn where_sequences_were_counted_progress_goes_by_their_tokens() {
    let mut tally = started();
    (tally.expected, tally.is_shard) = (Some((2000, 80_000)), false);
    // All is read at once.
    tally.add(&Event::RecordsRead {
        records: 2000,
        residues: 76_000,
        rejected: 0,
        truncated: 0,
    });
    tally.add(&Event::UnitRead { input_bytes: 1000 });
    tally.add(&Event::Resumed {
        records: 1000,
        rows: 1000,
        finished: false,
    });
    assert_eq!(
        (tally.done(), tally.left(Duration::from_secs(2))),
        (Some(0.5), None)
    );
    tally.add(&Event::BatchEncoded {
        sequences: 200,
        tokens: 8000,
        seconds: 1.0,
        waited_seconds: 0.0,
    });
    assert!((tally.done().unwrap() - 0.6).abs() < 1e-9);
    let line = tally.line(Duration::from_secs(2));
    let expect = "8s left, 1,200 of 2,000 embedded, 4,000 tokens/s, 2,000 read";
    assert!(line.starts_with(expect), "{line}");
}

#[test]
fn a_run_starts_from_nothing() {
    let mut tally = started();
    tally.add(&Event::UnitRead { input_bytes: 1000 });
    tally.add(&Event::RunStarted {
        inputs: "-".to_owned(),
        model: "esm2".to_owned(),
        device: "CPU".to_owned(),
        lanes: vec!["cpu".to_owned()],
        input_bytes: None,
        shard: None,
        readers: 2,
        token_budget: 4096,
        take: None,
        sequences: None,
        tokens: None,
    });
    assert_eq!(
        tally.line(Duration::from_secs(1)),
        "0 embedded, 0 tokens/s, 0 read, 0 queued"
    );
}

#[test]
fn what_is_left_is_what_comes_first() {
    let left = |take: Option<u64>| {
        let mut tally = started();
        tally.take = take;
        tally.add(&Event::UnitRead { input_bytes: 250 });
        tally.add(&Event::RecordsRead {
            records: 10,
            residues: 100,
            rejected: 0,
            truncated: 0,
        });
        assert_eq!(tally.done(), Some(0.0), "read is not embedded");
        tally.add(&Event::BatchEncoded {
            sequences: 10,
            tokens: 120,
            seconds: 0.5,
            waited_seconds: 0.0,
        });
        tally.left(Duration::from_secs(1))
    };
    assert_eq!(left(None), Some(Duration::from_secs(3)));
    assert_eq!(left(Some(20)), Some(Duration::from_secs(1)));
    assert_eq!(left(Some(1000)), Some(Duration::from_secs(3)));
    assert_eq!(left(Some(10)), None, "all is done");
}

#[test]
fn what_was_done_before_is_done_and_says_nothing_of_speed() {
    let mut tally = started();
    tally.add(&Event::InputSkipped { input_bytes: 500 });
    tally.add(&Event::InputSkipped { input_bytes: 100 });
    assert_eq!(
        (tally.done(), tally.left(Duration::from_secs(1))),
        (Some(0.6), None)
    );
    tally.skipped_for = Duration::from_secs(2);
    tally.add(&Event::UnitRead { input_bytes: 100 });
    assert_eq!(tally.done(), Some(0.7));
    // Three seconds for 100 bytes; 300 are left.
    let left = tally.left(Duration::from_secs(5)).unwrap();
    assert!((left.as_secs_f64() - 9.0).abs() < 1e-6, "{left:?}");
}

#[test]
fn stages_and_machine_stand_on_a_line_each() {
    let mut tally = started();
    assert_eq!((tally.stages(), tally.machine()), Default::default());
    let mut sample = Sample::new(0.5);
    for (metric, value) in [
        (Metric::ReadingWorking, 0.5),
        (Metric::PackingWorking, 0.125),
        (Metric::BatchesQueued, 4.0),
        (Metric::EncoderIdle, 0.02),
        (Metric::BatchesInFlight, 2.0),
        (Metric::MemoryBytes, 1e9),
        (Metric::CpuCores, 1.26),
    ] {
        sample.set(metric, value);
    }
    let send = |tally: &mut Tally, sample: &Sample| {
        tally.add(&Event::Sample {
            sample: Box::new(sample.clone()),
        });
    };
    send(&mut tally, &sample);
    assert_eq!(
        tally.stages(),
        "reading 50% > packing 12% > 4 queued > encoding 98% > 2 in flight > writing 0%"
    );
    assert_eq!(tally.machine(), "CPU 1.3 cores, 953.7 MiB");
    sample.set(Metric::GpuUtilization, 0.99);
    sample.set(Metric::GpuPowerWatts, 651.2);
    let mut gpu = sample.run().clone();
    gpu.throttle.add(crate::meter::Throttle::POWER_CAP);
    sample.set_gpus(&[gpu]);
    send(&mut tally, &sample);
    assert_eq!(tally.machine(), "GPU 99%, 651 W, held down by power cap");
}
