//! Closures of a script that follow a run.

use super::bottleneck::ScriptBottleneck as Bottleneck;
use crate::{
    error::Error,
    host::{Notice, Watcher},
    job::Problems,
    meter::{Measured, Metric, Sample, Throttle, Unit},
    script::failure::{Failure, message, raise_error},
};
use rhai::{Array, Dynamic, EvalAltResult, FnPtr, INT, Map, NativeCallContext};
use std::ops::ControlFlow;

/// The closures of a script that follow a run.
pub(super) struct Closures<'a, 'b> {
    context: &'a NativeCallContext<'b>,
    on_sample: Option<FnPtr>,
    on_bottleneck: Option<FnPtr>,
    /// Under `runner check` they are tried out with figures that nobody measured.
    is_rehearsal: bool,
    /// What one of them threw, which ends the run.
    thrown: Option<Box<EvalAltResult>>,
}

impl<'a, 'b> Closures<'a, 'b> {
    /// Takes the closures out of the options of a run.
    pub(super) fn take(
        context: &'a NativeCallContext<'b>,
        options: &mut Map,
        is_rehearsal: bool,
    ) -> Self {
        let mut take = |name: &str| {
            let closure = options.get(name)?.clone().try_cast::<FnPtr>()?;
            options.remove(name);
            Some(closure)
        };
        Self {
            context,
            on_sample: take("on_sample"),
            on_bottleneck: take("on_bottleneck"),
            is_rehearsal,
            thrown: None,
        }
    }

    /// The error of a run that they followed, as the script sees it.
    pub(super) fn raise(self, error: Error) -> Box<EvalAltResult> {
        match (error, self.thrown) {
            (Error::StoppedByScript(_), Some(thrown)) => thrown,
            (error, _) => raise_error(error),
        }
    }
}

impl Watcher for Closures<'_, '_> {
    fn notice(&mut self, notice: Notice) -> ControlFlow<String> {
        let (option, closure, value) = match notice {
            Notice::Sample(sample) => ("on_sample", &self.on_sample, sample_map(&sample).into()),
            Notice::Bottleneck(found) => {
                let found = Dynamic::from(Bottleneck::new(found));
                ("on_bottleneck", &self.on_bottleneck, found)
            }
        };
        let Some(closure) = closure else {
            return ControlFlow::Continue(());
        };
        match closure.call_within_context::<Dynamic>(self.context, (value,)) {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) if self.is_rehearsal && is_on_purpose(&error) => ControlFlow::Continue(()),
            Err(error) => {
                let error = explained(error, option, closure);
                let reason = message(&error);
                self.thrown = Some(error);
                ControlFlow::Break(reason)
            }
        }
    }
}

/// Whether a script threw an error itself, because of the figures that it saw.
fn is_on_purpose(error: &EvalAltResult) -> bool {
    let is_own = |thrown: &Dynamic| thrown.read_lock::<Failure>().is_none();
    matches!(error.unwrap_inner(), EvalAltResult::ErrorRuntime(thrown, _) if is_own(thrown))
}

/// An error of a closure. To the engine, one with the wrong number of parameters is a function that is not
/// there, under a name that nobody wrote.
fn explained(error: Box<EvalAltResult>, option: &str, closure: &FnPtr) -> Box<EvalAltResult> {
    let is_missing = matches!(
        error.unwrap_inner(),
        EvalAltResult::ErrorFunctionNotFound(name, _) if name.starts_with(closure.fn_name())
    );
    if !is_missing {
        return error;
    }
    let mut problems = Problems::default();
    problems.add_option(
        option,
        format!("`{option}` must be a closure with one parameter"),
        Some("write it like |it| print(it)".to_owned()),
    );
    raise_error(problems.into())
}

/// A sample as scripts see it: what was not measured is `()`.
pub(super) fn sample_map(sample: &Sample) -> Map {
    let mut map = measured_map(sample.run(), |_| true);
    let lanes = sample.lanes().iter().enumerate().map(|(lane, measured)| {
        let mut map = measured_map(measured, Metric::is_of_lane);
        map.insert(Sample::LANE.into(), Dynamic::from_int(lane as INT));
        Dynamic::from_map(map)
    });
    map.insert(Sample::LANES.into(), lanes.collect::<Array>().into());
    map
}

fn measured_map(measured: &Measured, is_wanted: fn(Metric) -> bool) -> Map {
    let value = |metric: Metric| match measured.get(metric) {
        None => Dynamic::UNIT,
        Some(value) if metric.unit() == Unit::Count => Dynamic::from_int(value.round() as INT),
        Some(value) => Dynamic::from_float(value),
    };
    let mut map: Map = Metric::all()
        .filter(|metric| is_wanted(*metric))
        .map(|metric| (metric.name().into(), value(metric)))
        .collect();
    map.insert(Throttle::NAME.into(), measured.throttle.to_string().into());
    map
}
