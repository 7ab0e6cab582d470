//! The wiring: threads and queues that join the stations.
//!
//! *Input*: a model, a dataset, options. *Output*: the published files and a [`RunSummary`].
//! *Owns*: threads, queues, cancellation, and the check that nothing was lost. *Never*: does
//! arithmetic.
//!
//! ```text
//! readers ─▶ packing ═batches═▶ encoding ═in flight═▶ collecting ═rows═▶ writing
//!            (thread)           (caller)             (thread)           (thread)
//! ```

mod collect;
mod conservation;
mod encode;
mod failure;
mod fingerprint;
mod pack;
mod plan;
mod summary;
mod watcher;
mod write;

use crate::{
    cancel::{Abandonment, CancelToken},
    error::Error,
    event::{Event, EventSender},
    fasta::{self, Input},
    hint::Hint,
    job::{Dataset, EmbedOptions, EmbedPlan},
    meter::QueueMeters,
    model::{Model, StagerOptions},
    monitor::{GpuFacts, LaneFacts, Monitor, MonitorPlan, Recorder, RunFacts, peak_flops},
    queue::bounded,
    reader::{Pool, ReadRequest},
    report::RunSummary,
    sink::{
        Closing, NullSink, OutputPlan, ParquetSink, Provenance, Published, Rejects, ReorderBuffer,
        Sink,
    },
};
use collect::Collecting;
use conservation::Counts;
use encode::Encoding;
use pack::{Feeder, PackTotals, Packing};
use plan::Plan;
use std::{
    sync::Arc,
    thread::{self, ScopedJoinHandle},
    time::{Instant, SystemTime},
};
use write::Writing;

pub use crate::monitor::Notice;
pub use failure::RunFailure;
pub use watcher::{Unwatched, Watcher};

/// What the calls of `embed` of one script share.
pub struct Context {
    /// The reader subprocesses, which stay alive between calls.
    pub readers: Pool,
    /// Calls of `embed` so far.
    pub n_runs: u64,
    /// Where measurements go.
    pub recorder: Recorder,
    /// Where the stations tell what happens.
    pub events: EventSender,
    /// Told to stop?
    pub cancel: CancelToken,
}

/// Batches that may wait on a GPU in this queue. One more is being waited for and one handed over, so
/// the GPU never waits for this process.
const IN_FLIGHT: usize = 2;

/// Why a stage ended before its input did.
#[derive(Debug)]
enum Halt {
    /// Its own failure.
    Failed(Error),
    /// The next stage is gone, and knows why.
    Abandoned,
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Embeds with `model`, which has the layers that `wanted` was made for. Blocks until the output is published. `watcher` is called on this
/// thread, between batches.
///
/// # Errors
/// If an input or a reader fails, the model or the output file fails, the
/// run is told to stop, or the counts of records do not agree. Nothing is published then.
pub fn embed(
    context: &mut Context,
    model: &Model,
    wanted: &EmbedPlan,
    watcher: &mut dyn Watcher,
) -> Result<RunSummary, RunFailure> {
    let start = Instant::now();
    context.n_runs += 1;
    let events = context.events.clone();
    let result = run(context, model, wanted, watcher, start);
    let summary = result.as_ref().ok();
    events.send(Event::RunFinished {
        sequences: summary.map_or(0, |summary| summary.sequences),
        tokens: summary.map_or(0, |summary| summary.tokens),
        seconds: start.elapsed().as_secs_f64(),
        output: summary.and_then(|summary| summary.output.clone()),
        error: result.as_ref().err().map(|failure| failure.error.in_full()),
    });
    result
}

fn run(
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
    let (sink, mut rejects) = files(&plan, model, wanted)?;
    context.events.send(Event::RunStarted {
        inputs: dataset.sources.join(", "),
        model: model.name().to_owned(),
        device: model.device().to_owned(),
        input_bytes,
        readers: options.readers.get(),
        token_budget: plan.token_budget.get(),
        take: dataset.take,
    });

    let (batch_sender, batch_receiver, batch_meter) = bounded(options.prefetch.get());
    let (flight_sender, flight_receiver, flight_meter) = bounded(IN_FLIGHT);
    // The writer is far faster than the encoder; two batches bridge its pauses.
    let (row_sender, row_receiver, row_meter) = bounded(2);
    let stager = model.stager(StagerOptions {
        token_budget: plan.token_budget.get(),
        // Beside those that wait for the encoder: one being packed, one being enqueued, and some
        // whose operations the device thread has yet to enqueue.
        n_slots: options.prefetch.get() + IN_FLIGHT + 4,
        poisoned: options.poison,
    })?;
    let stager = Arc::new(stager);
    let queues = QueueMeters {
        batches: batch_meter.clone(),
        rows: row_meter.clone(),
    };
    let monitor = Monitor::start(
        monitor_plan(context.n_runs, &plan, model, dataset, options, &inputs),
        start,
        queues,
        &context.recorder,
        &context.events,
    );
    let feeder = Feeder {
        batches: batch_sender,
        stager: stager.clone(),
        overlap: options.overlap,
        meters: monitor.meters().clone(),
        delay: options.delays.packing,
    };
    let packing = Packing::new(&plan, feeder, &mut rejects, context.events.clone());
    let encoding = Encoding {
        model,
        layers: wanted.layers(),
        pooling: options.pooling,
        stager,
        batches: batch_receiver,
        in_flight: flight_sender,
        monitor: &monitor,
        watcher,
        cancel: context.cancel.clone(),
    };
    let collecting = Collecting {
        in_flight: flight_receiver,
        rows: row_sender,
        lane: monitor.lane(0),
        events: context.events.clone(),
    };
    let writing = Writing {
        rows: row_receiver,
        order: ReorderBuffer::new(wanted.layers().len() * model.hidden_size()),
        sink,
        meters: monitor.meters().clone(),
        delay: options.delays.writing,
        events: context.events.clone(),
    };
    let abandonment = Abandonment::default();
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
    // Readers may have nothing to say for long, and would not notice that a later stage has failed.
    let guarded = Guard(&abandonment);
    let (packed, encoded, collected, written, reader_restarts) = thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let packed = packing.run(&mut records);
            (packed, records.restarts())
        });
        let collecting = scope.spawn(move || guarded.run(|| collecting.run()));
        let writing = scope.spawn(move || guarded.run(|| writing.run()));
        let encoded = guarded.run(|| encoding.run());
        monitor.wind_down();
        let (packed, restarts) = match joined(packing, "packing") {
            Ok((packed, restarts)) => (packed, restarts),
            Err(error) => (Err(Halt::Failed(error)), 0),
        };
        let collected = joined(collecting, "collecting").unwrap_or_else(|error| Err(error.into()));
        let written = joined(writing, "writing").unwrap_or_else(|error| Err(error.into()));
        (packed, encoded, collected, written, restarts)
    });
    let findings = monitor.finish();
    let ended = all_ended(packed, encoded, collected, written);
    let (packed, (), gpu, written) = match ended {
        Ok(ended) => ended,
        Err(error) => {
            let ending = summary::Ending {
                started,
                seconds: start.elapsed().as_secs_f64(),
                packed: PackTotals::default(),
                gpu: None,
                findings,
                reader_restarts,
                published: Published::default(),
            };
            let so_far = ending.summary(model, &plan, wanted);
            return Err(RunFailure {
                error,
                so_far: Some(Box::new(so_far)),
            });
        }
    };

    conservation::check(&Counts {
        records: packed.records,
        rejected: packed.rejected,
        packed: packed.kept,
        batches: batch_meter.flow(),
        in_flight: flight_meter.flow(),
        encoded: findings.reading.counts.sequences,
        rows: row_meter.flow(),
        written: written.rows,
    })?;
    written.order.finish(packed.kept)?;
    let closing = Closing {
        input_fingerprint: packed.input_fingerprint.clone(),
        n_records: packed.records,
    };
    let published = written.sink.finish(closing, rejects)?;
    let ending = summary::Ending {
        started,
        seconds: start.elapsed().as_secs_f64(),
        packed,
        gpu,
        findings,
        reader_restarts,
        published,
    };
    Ok(ending.summary(model, &plan, wanted))
}

/// What to watch about a run.
fn monitor_plan(
    run: u64,
    plan: &Plan,
    model: &Model,
    dataset: &Dataset,
    options: &EmbedOptions,
    inputs: &[Input],
) -> MonitorPlan {
    let gpu = model.gpu().map(|(name, uuid)| GpuFacts {
        uuid: uuid.to_owned(),
        peak_flops: peak_flops(name, model.dtype()),
    });
    MonitorPlan {
        run,
        name: format!("{} with {}", dataset.sources.join(", "), model.name()),
        facts: RunFacts {
            thresholds: options.thresholds,
            lanes: vec![LaneFacts { gpu }],
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

/// Where the rows and the rejections of a run go.
fn files(
    plan: &Plan,
    model: &Model,
    wanted: &EmbedPlan,
) -> Result<(Box<dyn Sink>, Rejects), Error> {
    let (dataset, options) = (wanted.dataset(), wanted.options());
    let Some(path) = &options.output else {
        return Ok((Box::new(NullSink::new()), Rejects::uncollected()));
    };
    let output = OutputPlan {
        path: path.clone(),
        overwrite: options.overwrite,
        hidden_size: model.hidden_size(),
        provenance: Provenance {
            model: model.name().to_owned(),
            weights_hash: model.weights_hash()?.to_owned(),
            layers: wanted.layers().to_vec(),
            pooling: options.pooling,
            dtype: model.dtype(),
            gelu: model.gelu(),
            device: model.device().to_owned(),
            token_budget: plan.token_budget.get(),
            policy: dataset.policy.clone(),
            take: dataset.take,
        },
    };
    let sink = ParquetSink::create(&output)?;
    Ok((Box::new(sink), Rejects::beside(path, options.overwrite)?))
}

/// Abandons the run where a stage fails.
#[derive(Clone, Copy)]
struct Guard<'a>(&'a Abandonment);

impl Guard<'_> {
    fn run<T>(self, stage: impl FnOnce() -> Result<T, Halt>) -> Result<T, Halt> {
        /// Declares it when it is dropped, also by a panic.
        struct Declare<'a>(Option<&'a Abandonment>);
        impl Drop for Declare<'_> {
            fn drop(&mut self) {
                if let Some(abandonment) = self.0 {
                    abandonment.declare();
                }
            }
        }
        let mut declare = Declare(Some(self.0));
        let result = stage();
        if result.is_ok() {
            declare.0 = None;
        }
        result
    }
}

/// What a thread returned, or an error in place of its panic.
fn joined<T>(thread: ScopedJoinHandle<'_, T>, name: &'static str) -> Result<T, Error> {
    thread.join().map_err(|_| Error::Panicked(name))
}

/// The results of all stages, or the failure that made the others end.
fn all_ended<A, B, C, D>(
    packed: Result<A, Halt>,
    encoded: Result<B, Halt>,
    collected: Result<C, Halt>,
    written: Result<D, Halt>,
) -> Result<(A, B, C, D), Error> {
    match (packed, encoded, collected, written) {
        (Ok(packed), Ok(encoded), Ok(collected), Ok(written)) => {
            Ok((packed, encoded, collected, written))
        }
        (Err(Halt::Failed(error)), ..)
        | (_, Err(Halt::Failed(error)), ..)
        | (_, _, Err(Halt::Failed(error)), _)
        | (.., Err(Halt::Failed(error))) => Err(error),
        _ => Err(Error::Conservation(
            "a stage ended early and none says why".into(),
        )),
    }
}
