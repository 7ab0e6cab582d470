//! One run, from its plan to what it published.

use super::{
    Context, RunFailure, Watcher,
    conservation::{self, Counts},
    feeder::Feeder,
    fleet::Fleet,
    join::Joiner,
    lane::{self, Dispatcher, Lane, LanePlan, RunningLane},
    left::{Left, all_left, ended_early},
    output::{circumstances, output_plan},
    pack::{PackTotals, Packing, PackingPlan},
    plan::Plan,
    stage::{Guard, joined},
    summary::Ending,
    watch::watch,
    watched::monitor_plan,
    write::{Writing, Written},
};
use crate::{
    alphabet::SHORTEST_SEQUENCE,
    batch::SpareValues,
    cancel::Abandonment,
    error::Error,
    event::{Event, EventSender},
    fasta::{self, Share},
    hint::Hint,
    job::{EmbedPlan, Shard},
    meter::QueueMeters,
    model::Model,
    monitor::{Findings, Monitor},
    queue::bounded,
    reader::ReadRequest,
    report::RunSummary,
    sink::{self, Begun, Frontier, Opened, Published, ReorderBuffer, Resumed, SinkError},
};
use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Instant, SystemTime},
};

/// Batches of rows that may wait for the writer. It is far faster than the encoder; these bridge its
/// pauses.
const ROWS_QUEUED: usize = 2;

pub(super) fn run(
    context: &mut Context,
    model: &Model,
    wanted: &EmbedPlan,
    watcher: &mut dyn Watcher,
    start: Instant,
) -> Result<RunSummary, RunFailure> {
    let started = SystemTime::now();
    let (dataset, options) = (wanted.dataset(), wanted.options());
    let inputs = fasta::resolve(&dataset.sources)?;
    wanted.check_shard(context.shard)?;
    let share = Share::of(context.shard, &inputs)?;
    let output = output_plan(model, wanted, context.shard)?;
    let target = output.as_ref().map(|output| output.target.clone());
    let begun = match sink::open(output.as_ref(), &inputs)? {
        Opened::Begun(begun) => *begun,
        Opened::Finished(resumed) => {
            context.events.send(Event::Resumed {
                records: resumed.records,
                rows: resumed.rows,
                finished: true,
            });
            return Ok(finished(
                model,
                wanted,
                *resumed,
                context.shard,
                started,
                start,
            ));
        }
    };
    let Begun {
        work,
        trail,
        rejects,
        resumed,
        ready,
    } = begun;
    let mut fleet = Fleet::of(model, &context.events)?;
    let plan = Plan::new(model, &mut fleet, wanted, &context.events)?;
    let expected = wanted.expected().map(|all| all.of_shard(context.shard));
    context.events.send(Event::RunStarted {
        inputs: wanted.inputs().to_owned(),
        model: model.name().to_owned(),
        device: model.device().to_owned(),
        lanes: model
            .replicas()
            .iter()
            .map(|replica| model.lane_name(replica))
            .collect(),
        input_bytes: share.disk_bytes(),
        shard: context.shard.map(|shard| shard.to_string()),
        readers: options.readers.get(),
        token_budget: plan.token_budget.get(),
        take: dataset.take,
        sequences: expected.map(|expected| expected.sequences),
        tokens: expected.map(|expected| expected.tokens),
    });
    if resumed.n_lost > 0 {
        context.events.warn(format!(
            "parts of the output are missing or cut, {} in all: their records are computed again",
            resumed.n_lost
        ));
    }
    if resumed.records > 0 {
        context.events.send(Event::Resumed {
            records: resumed.records,
            rows: resumed.rows,
            finished: resumed.published.output.is_some(),
        });
    }

    let (batch_sender, batches, batch_meter) = bounded(options.prefetch.get());
    let (row_sender, rows, row_meter) = bounded(ROWS_QUEUED);
    let queues = QueueMeters {
        batches: batch_meter.clone(),
        rows: row_meter.clone(),
    };
    let budget = plan.token_budget.get();
    let stagers = fleet.each(|lane, replica| lane::stager(lane, replica, budget, options))?;
    let replicas = fleet.replicas();
    let monitor = Monitor::start(
        monitor_plan(
            context.n_runs,
            context.shard,
            &plan,
            model,
            &fleet,
            wanted,
            &inputs,
        ),
        start,
        queues,
        &context.recorder,
        &context.events,
    );
    let output = ready.begin(
        &circumstances(&plan, model, wanted, context.shard),
        monitor.meters(),
    )?;
    let abandonment = Abandonment::default();
    let most_bytes = (wanted.asked()).most_bytes(budget, SHORTEST_SEQUENCE, model.hidden_size());
    let dispatcher = Dispatcher::new(batches, replicas.len(), most_bytes);
    let spare = SpareValues::default();
    let lane_plan = LanePlan {
        model,
        question: wanted.asked(),
        overlap: options.overlap,
        dispatcher: Arc::new(dispatcher),
        faults: fleet.faults().clone(),
        rows: row_sender,
        spare: spare.clone(),
        pulse: output.pulse(),
        events: context.events.clone(),
        abandonment: abandonment.clone(),
    };
    let lanes: Vec<_> = (replicas.iter().zip(stagers))
        .map(|((n, replica), stager)| {
            Lane::new(lane_plan.clone(), *n, replica, stager, monitor.lane(*n))
        })
        .collect();
    // The lanes have its queues now, and they end when the last lane does.
    drop(lane_plan);
    let feeder = Feeder {
        batches: batch_sender,
        n_batches: 0,
        meters: monitor.meters().clone(),
        delay: options.delays.packing,
    };
    let packing = PackingPlan {
        feeder,
        trail,
        rejects,
        take: dataset.take,
        events: context.events.clone(),
        cancel: context.cancel.clone(),
        abandonment: abandonment.clone(),
    };
    let packing = Packing::new(&plan, packing);
    let writing = Writing {
        rows,
        order: ReorderBuffer::new(spare, output.spare()),
        join: Joiner::new(wanted, model),
        output,
        meters: monitor.meters().clone(),
        delay: options.delays.writing,
        events: context.events.clone(),
        abandonment: abandonment.clone(),
    };
    let (events, cancel, shard) = (
        context.events.clone(),
        context.cancel.clone(),
        context.shard,
    );
    let (meters, abandoned) = (monitor.meters().clone(), abandonment.clone());
    let request = move |start, take| ReadRequest {
        inputs: inputs.clone(),
        start,
        shard,
        policy: dataset.policy.clone(),
        take,
        readers: options.readers,
        timeout: options.reader_timeout,
        meters: meters.clone(),
        events: events.clone(),
        cancel: cancel.clone(),
        abandonment: abandoned.clone(),
    };
    let readers = &mut context.readers;

    let (alive, ends) = mpsc::channel();
    // Readers may have nothing to say for long, and would not notice that another stage has failed.
    let guard = Guard(abandonment);
    let cancel = &context.cancel;
    let (left, written, failed_lanes) = thread::scope(|scope| {
        let n_lanes = lanes.len();
        let lanes = lanes.into_iter();
        let lanes: Vec<_> = lanes
            .map(|lane| lane.start(scope, &guard, &alive))
            .collect();
        let writing = guard.spawn(scope, &alive, || writing.run());
        // Its failure is the end of its queue, and what it has packed goes on.
        let packing = guard.spawn(scope, &alive, move || packing.run(work, readers, request));
        drop(alive);
        let watched = guard.run(|| watch(&monitor, watcher, cancel, options.grace, &ends, n_lanes));
        let packed = joined(packing, "packing");
        let lanes: Vec<_> = lanes.into_iter().map(RunningLane::join).collect();
        let n_failed = lanes.iter().filter(|lane| lane.has_failed).count();
        let written = joined(writing, "writing");
        let (left, written) = all_left(watched, packed, lanes, written);
        (left, written, fleet.n_lost() + n_failed as u64)
    });
    let findings = monitor.finish();
    let mut ending = Ending {
        started,
        shard,
        seconds: start.elapsed().as_secs_f64(),
        packed: PackTotals::default(),
        gpu: None,
        failed_lanes,
        findings,
        resumed,
        kept: None,
        published: Published::default(),
    };
    let published = left.and_then(|left| {
        let Left { packed, lanes } = left;
        ending.gpu = lanes.gpu;
        ending.packed = packed;
        let packed = &ending.packed;
        let n_rows = written.as_ref().map_or(0, |written| written.rows);
        conservation::check(&Counts {
            records: packed.records,
            rejected: packed.tally.rejected,
            packed: packed.tally.rows,
            dropped: packed.dropped,
            batches: batch_meter.flow(),
            refused: lanes.refused,
            lost: lanes.lost,
            taken_again: lanes.taken_again,
            in_flight: lanes.in_flight,
            encoded: ending.findings.reading.counts.sequences,
            rows: row_meter.flow(),
            written: n_rows,
        })?;
        match packed.stopped {
            Some(reason) => Err(Error::Stopped(reason)),
            None => Ok(packed.sequences),
        }
    });
    let published = end_output(
        published,
        written,
        ending.packed.end.as_ref(),
        &context.events,
    );
    ending.seconds = start.elapsed().as_secs_f64();
    match published {
        Ok(published) => {
            ending.published = published;
            Ok(ending.summary(model, &plan, wanted))
        }
        Err(error) => {
            // With another input nobody goes on.
            if !matches!(error, Error::Sink(SinkError::InputChanged(_))) {
                ending.kept = target
                    .as_ref()
                    .and_then(|target| sink::kept(target, context.shard));
            }
            Err(RunFailure {
                error,
                kept: ending.kept.clone().map(Box::new),
                so_far: Some(Box::new(ending.summary(model, &plan, wanted))),
            })
        }
    }
}

/// Publishes the output of a run that sent so many sequences to the model, or commits what a run has written that
/// did not come to its end.
fn end_output(
    run: Result<u64, Error>,
    written: Option<Written<'_>>,
    end: Option<&Frontier>,
    events: &EventSender,
) -> Result<Published, Error> {
    let (
        n_sequences,
        Written {
            order,
            join,
            output,
            ..
        },
    ) = match (run, written) {
        (Ok(n_sequences), Some(written)) => (n_sequences, written),
        (Ok(_), None) => return Err(ended_early()),
        (Err(error), written) => {
            let kept = written.map(|written| written.output.keep());
            // What ended the run says more than that its last rows are lost.
            if let Some(Err(lost)) = kept {
                events.warn(format!(
                    "the last rows could not be kept: {}",
                    lost.in_full()
                ));
            }
            return Err(error);
        }
    };
    order.finish(n_sequences)?;
    join.finish()?;
    Ok(output.finish(end.ok_or_else(ended_early)?)?)
}

/// The figures of a run that had nothing to do.
fn finished(
    model: &Model,
    wanted: &EmbedPlan,
    resumed: Resumed,
    shard: Option<Shard>,
    started: SystemTime,
    start: Instant,
) -> RunSummary {
    let published = resumed.published.clone();
    Ending {
        started,
        shard,
        seconds: start.elapsed().as_secs_f64(),
        packed: PackTotals::default(),
        gpu: None,
        failed_lanes: 0,
        findings: Findings::default(),
        resumed,
        kept: None,
        published,
    }
    .summary(model, &Plan::unmade(model, wanted), wanted)
}
