//! One run, from its plan to what it published.

use super::{
    Context, RunFailure, Watcher,
    conservation::{self, Counts},
    lane::{EndedLane, Lane, LanePlan, Lead, RunningLane},
    pack::{Feeder, PackTotals, Packing},
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
    event::Event,
    fasta::{self, Input},
    job::{Effect, EmbedOptions, EmbedPlan, OutputTarget, Problems},
    meter::{Flow, QueueMeters},
    model::{Model, Replica},
    monitor::{GpuFacts, LaneFacts, Monitor, MonitorPlan, RunFacts, peak_flops},
    queue::bounded,
    reader::ReadRequest,
    report::RunSummary,
    sink::{self, Circumstances, Closing, Identity, Opened, OutputPlan, Published, ReorderBuffer},
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
    written: Written,
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
    let plan = Plan::new(model, wanted, &context.events)?;
    let inputs = fasta::resolve(&dataset.sources)?;
    let input_bytes = inputs.iter().map(Input::size_bytes).sum();
    let output = output_plan(&plan, model, wanted)?;
    let Opened { sink, mut rejects } = sink::open(output.as_ref())?;
    context.events.send(Event::RunStarted {
        inputs: dataset.sources.join(", "),
        model: model.name().to_owned(),
        device: model.device().to_owned(),
        input_bytes,
        readers: options.readers.get(),
        token_budget: plan.token_budget.get(),
        take: dataset.take,
    });

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
    let packing = Packing::new(&plan, feeder, &mut rejects, context.events.clone());
    let writing = Writing {
        rows,
        order: ReorderBuffer::default(),
        sink,
        meters: monitor.meters().clone(),
        delay: options.delays.writing,
        events: context.events.clone(),
    };
    let mut records = context.readers.read(ReadRequest {
        inputs,
        policy: dataset.policy.clone(),
        take: dataset.take,
        readers: options.readers,
        timeout: options.reader_timeout,
        meters: monitor.meters().clone(),
        events: context.events.clone(),
        cancel: context.cancel.clone(),
        abandonment: abandonment.clone(),
    })?;

    let (alive, ends) = mpsc::channel();
    // Readers may have nothing to say for long, and would not notice that another stage has failed.
    let guard = Guard(abandonment);
    let cancel = &context.cancel;
    let (left, reader_restarts) = thread::scope(|scope| {
        let n_lanes = lanes.len();
        let lanes = lanes.into_iter();
        let lanes: Vec<_> = lanes
            .map(|lane| lane.start(scope, &guard, &alive))
            .collect();
        let writing = guard.spawn(scope, &alive, || writing.run());
        // Its failure is the end of its queue, and what it has packed goes on.
        let packing = guard.spawn(scope, &alive, move || {
            let packed = packing.run(&mut records);
            Ok((packed, records.restarts()))
        });
        drop(alive);
        let watched = guard.run(|| watch(&monitor, watcher, cancel, &ends, n_lanes));
        let (packed, restarts) = match joined(packing, "packing") {
            Ok((packed, restarts)) => (packed, restarts),
            Err(halt) => (Err(halt), 0),
        };
        let lanes = lanes.into_iter().map(RunningLane::join).collect();
        let written = joined(writing, "writing");
        (all_left(watched, packed, lanes, written), restarts)
    });
    let findings = monitor.finish();
    let mut ending = Ending {
        started,
        seconds: start.elapsed().as_secs_f64(),
        packed: PackTotals::default(),
        gpu: None,
        findings,
        reader_restarts,
        published: Published::default(),
    };
    let published = left.and_then(|left| {
        let Left {
            packed,
            gpu,
            written,
            in_flight,
        } = left;
        ending.gpu = gpu;
        ending.packed = packed;
        let packed = &ending.packed;
        conservation::check(&Counts {
            records: packed.records,
            rejected: packed.rejected,
            packed: packed.kept,
            batches: batch_meter.flow(),
            in_flight,
            encoded: ending.findings.reading.counts.sequences,
            rows: row_meter.flow(),
            written: written.rows,
        })?;
        written.order.finish(packed.kept)?;
        let closing = Closing {
            input_fingerprint: packed.input_fingerprint.clone(),
            n_records: packed.records,
        };
        Ok(written.sink.finish(closing, rejects)?)
    });
    ending.seconds = start.elapsed().as_secs_f64();
    match published {
        Ok(published) => {
            ending.published = published;
            Ok(ending.summary(model, &plan, wanted))
        }
        Err(error) => Err(RunFailure {
            error,
            so_far: Some(Box::new(ending.summary(model, &plan, wanted))),
        }),
    }
}

/// What all stages left, or the failure that made the others end.
fn all_left(
    watched: Result<(), Halt>,
    packed: Result<PackTotals, Halt>,
    lanes: Vec<EndedLane>,
    written: Result<Written, Halt>,
) -> Result<Left, Error> {
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
    if let Some(error) = failure {
        return Err(error);
    }
    match (watched, packed, lanes_ended, written) {
        (Some(()), Some(packed), Some(()), Some(written)) => Ok(Left {
            packed,
            gpu,
            written,
            in_flight,
        }),
        _ => Err(Error::Conservation(
            "a stage ended early and none says why".into(),
        )),
    }
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

/// Where the rows and the rejections of a run go, if anywhere.
fn output_plan(
    plan: &Plan,
    model: &Model,
    wanted: &EmbedPlan,
) -> Result<Option<OutputPlan>, Error> {
    let options = wanted.options();
    let used = wanted.used(plan.token_budget);
    let depends = |effect| EmbedOptions::OPTIONS.with_effect(effect, &used).collect();
    let Some(path) = &options.output else {
        return Ok(None);
    };
    Ok(Some(OutputPlan {
        target: OutputTarget::of(path).map_err(|problem| Problems(vec![problem]))?,
        overwrite: options.overwrite,
        hidden_size: model.hidden_size(),
        identity: Identity {
            model: model.name().to_owned(),
            weights_hash: model.weights_hash()?.to_owned(),
            layers: wanted.layers().to_vec(),
            dtype: model.dtype(),
            gelu: model.gelu(),
            options: depends(Effect::Values),
            rules: (wanted.dataset().rules().into_iter())
                .filter_map(|(name, rule)| Some((name, rule?)))
                .collect(),
        },
        circumstances: Circumstances {
            device: model.device().to_owned(),
            options: depends(Effect::LastBits),
        },
    }))
}
