//! One run, from its plan to what it published.

use super::{
    Context, RunFailure, Watcher,
    conservation::{self, Counts},
    feeder::Feeder,
    lane::{EndedLane, Lane, LanePlan, Lead, RunningLane},
    output::{circumstances, output_plan},
    pack::{PackTotals, Packing, PackingPlan},
    plan::Plan,
    stage::{Guard, Halt, joined, kept},
    summary::Ending,
    watch::watch,
    write::{Writing, Written},
};
use crate::{
    cancel::Abandonment,
    device::GpuTiming,
    error::Error,
    event::{Event, EventSender},
    fasta::{self, Input, Share},
    hint::Hint,
    job::{EmbedPlan, Shard},
    meter::{Flow, QueueMeters},
    model::{Model, Replica},
    monitor::{Findings, GpuFacts, LaneFacts, Monitor, MonitorPlan, RunFacts, peak_flops},
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

/// What the stages of a run left that went well.
struct Left {
    packed: PackTotals,
    gpu: Option<GpuTiming>,
    in_flight: Flow,
}

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
    let plan = Plan::new(model, wanted, &context.events)?;
    context.events.send(Event::RunStarted {
        inputs: dataset.sources.join(", "),
        model: model.name().to_owned(),
        device: model.device().to_owned(),
        input_bytes: share.disk_bytes(),
        shard: context.shard.map(|shard| shard.to_string()),
        readers: options.readers.get(),
        token_budget: plan.token_budget.get(),
        take: dataset.take,
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
    let monitor = Monitor::start(
        monitor_plan(context.n_runs, &plan, model, wanted, &inputs),
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
    let budget = plan.token_budget.get();
    let n_values = wanted.layers().len() * model.hidden_size();
    let lane_plan = LanePlan {
        model,
        layers: wanted.layers(),
        pooling: options.pooling,
        overlap: options.overlap,
        batches,
        rows: row_sender,
        lead: Arc::new(Lead::of_batches(budget, n_values)),
        pulse: output.pulse(),
        events: context.events.clone(),
        abandonment: abandonment.clone(),
    };
    let replicas = model.replicas().iter().enumerate();
    let lanes = replicas.map(|(n, replica)| {
        Lane::new(lane_plan.clone(), replica, budget, options, monitor.lane(n))
    });
    let lanes: Vec<_> = lanes.collect::<Result<_, Error>>()?;
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
        order: ReorderBuffer::default(),
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
    let (left, written) = thread::scope(|scope| {
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
        let lanes = lanes.into_iter().map(RunningLane::join).collect();
        all_left(watched, packed, lanes, joined(writing, "writing"))
    });
    let findings = monitor.finish();
    let mut ending = Ending {
        started,
        shard,
        seconds: start.elapsed().as_secs_f64(),
        packed: PackTotals::default(),
        gpu: None,
        findings,
        resumed,
        kept: None,
        published: Published::default(),
    };
    let published = left.and_then(|left| {
        let Left {
            packed,
            gpu,
            in_flight,
        } = left;
        ending.gpu = gpu;
        ending.packed = packed;
        let packed = &ending.packed;
        let n_rows = written.as_ref().map_or(0, |written| written.rows);
        conservation::check(&Counts {
            records: packed.records,
            rejected: packed.tally.rejected,
            packed: packed.tally.rows,
            dropped: packed.dropped,
            batches: batch_meter.flow(),
            in_flight,
            encoded: ending.findings.reading.counts.sequences,
            rows: row_meter.flow(),
            written: n_rows,
        })?;
        match packed.stopped {
            Some(reason) => Err(Error::Stopped(reason)),
            None => Ok(packed.tally.rows),
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

/// Publishes the output of a run that sent so many rows to the model, or commits what a run has written that
/// did not come to its end.
fn end_output(
    run: Result<u64, Error>,
    written: Option<Written>,
    end: Option<&Frontier>,
    events: &EventSender,
) -> Result<Published, Error> {
    let (n_rows, Written { order, output, .. }) = match (run, written) {
        (Ok(n_rows), Some(written)) => (n_rows, written),
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
    order.finish(n_rows)?;
    Ok(output.finish(end.ok_or_else(ended_early)?)?)
}

fn ended_early() -> Error {
    Error::Conservation("a stage ended early and none says why".into())
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
        findings: Findings::default(),
        resumed,
        kept: None,
        published,
    }
    .summary(model, &Plan::unmade(model, wanted), wanted)
}

/// What all stages left, or the failure that made the others end; and what the writing stage left in any
/// case.
fn all_left(
    watched: Result<(), Halt>,
    packed: Result<PackTotals, Halt>,
    lanes: Vec<EndedLane>,
    written: Result<Written, Halt>,
) -> (Result<Left, Error>, Option<Written>) {
    let mut failure = None;
    let watched = kept(watched, &mut failure);
    let packed = kept(packed, &mut failure);
    let mut gpu: Option<GpuTiming> = None;
    let mut in_flight = Flow::default();
    let mut lanes_ended = Some(());
    for lane in lanes {
        // What a GPU fails with comes back to the collecting thread; the other one often stumbles over it.
        let collected = kept(lane.collected, &mut failure);
        let encoded = kept(lane.encoded, &mut failure);
        lanes_ended = lanes_ended.and(encoded).and(collected.map(|timing| {
            if let Some(timing) = timing {
                *gpu.get_or_insert_default() += timing;
            }
        }));
        in_flight += lane.in_flight;
    }
    let written = kept(written, &mut failure);
    let left = match (failure, watched, packed, lanes_ended) {
        (Some(error), ..) => Err(error),
        (None, Some(()), Some(packed), Some(())) => Ok(Left {
            packed,
            gpu,
            in_flight,
        }),
        _ => Err(ended_early()),
    };
    (left, written)
}

/// What to watch about a run.
fn monitor_plan(
    run: u64,
    plan: &Plan,
    model: &Model,
    wanted: &EmbedPlan,
    inputs: &[Input],
) -> MonitorPlan {
    let (dataset, options) = (wanted.dataset(), wanted.options());
    let lane = |replica: &Replica| {
        let gpu = replica.gpu();
        LaneFacts {
            gpu: gpu.map(|(name, uuid)| GpuFacts {
                uuid: uuid.to_owned(),
                peak_flops: peak_flops(name, model.dtype()),
            }),
        }
    };
    MonitorPlan {
        run,
        name: format!("{} with {}", dataset.sources.join(", "), model.name()),
        facts: RunFacts {
            thresholds: options.thresholds,
            lanes: model.replicas().iter().map(lane).collect(),
            n_gpus_left_over: model.n_gpus_left_over(),
            n_readers: options.readers.get(),
            n_inputs: inputs.len(),
            is_stream: inputs.iter().any(Input::is_stream),
            is_shareable: inputs.iter().any(Input::is_shareable),
            has_overlap: options.overlap,
            token_budget: plan.token_budget.get(),
            is_packed: plan.packing,
        },
        hz: options.monitor_hz,
        metrics_every: options.metrics_every,
    }
}
