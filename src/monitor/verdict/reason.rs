//! Why a lane lags, as far as NVML tells.

use super::{lag::Lag, numbers::percent};
use crate::{
    meter::{Metric, Throttle},
    monitor::lane_mean::mean,
};

/// Why a lane lags, and what would help.
pub(super) struct Reason {
    pub(super) why: String,
    pub(super) remedy: String,
}

/// Limits of power that differ by less are the same.
const LEAST_WATTS: f64 = 5.0;
/// A GPU counts as held down where that was so for so much more of the time than for the others.
const LEAST_THROTTLED: f64 = 0.1;
/// Clocks that differ by less are what chips of one model have under load.
const LEAST_CLOCK: f64 = 0.05;
/// Memory that a model of the same size does not take. Contexts and caches differ by less.
const LEAST_BYTES: f64 = 2e9;

/// What the reasons are looked for in, the one that explains most first: a limit of power also holds the clock
/// down, and so does heat.
const REASONS: [fn(&Lag) -> Option<Reason>; 4] = [power_limit, throttled, memory, clock];

/// Why the lane lags.
pub(super) fn of(lag: &Lag) -> Reason {
    let found = REASONS.iter().find_map(|reason| reason(lag));
    found.unwrap_or_else(|| unknown(lag))
}

fn power_limit(lag: &Lag) -> Option<Reason> {
    let (own, others) = values(lag, Metric::GpuPowerLimitWatts)?;
    (own < others - LEAST_WATTS).then(|| Reason {
        why: format!("its GPU may take {own:.0} W, and those of the others {others:.0} W"),
        remedy: format!(
            "have the limit of power raised: `nvidia-smi -i {} -pl {others:.0}`",
            uuid(lag)
        ),
    })
}

fn throttled(lag: &Lag) -> Option<Reason> {
    let (own, others) = values(lag, Metric::GpuThrottled)?;
    if own < others + LEAST_THROTTLED {
        return None;
    }
    let mut by = Throttle::default();
    for sample in lag.samples {
        by.add(sample.lanes().get(lag.lane)?.throttle);
    }
    let celsius = mean(lag.samples, lag.lane, Metric::GpuTemperatureCelsius);
    let at = celsius.map_or_else(String::new, |celsius| format!(", at {celsius:.0} °C"));
    Some(Reason {
        why: format!(
            "its GPU is held down by {by} for {} of the time{at}, and those of the others for {}",
            percent(own),
            percent(others)
        ),
        remedy: if by.has(Throttle::HEAT) {
            "have its cooling looked at: fans, dust, and what else is warm beside it".to_owned()
        } else {
            format!(
                "look for what limits it with `nvidia-smi -q -d PERFORMANCE,POWER -i {}`",
                uuid(lag)
            )
        },
    })
}

fn memory(lag: &Lag) -> Option<Reason> {
    let (own, others) = values(lag, Metric::GpuMemoryBytes)?;
    (own > others + LEAST_BYTES).then(|| Reason {
        why: format!(
            "{:.1} GB more of its GPU's memory are in use than of the others', so another program seems to \
             compute there, too",
            (own - others) / 1e9
        ),
        remedy: format!("look with `nvidia-smi -i {}` who else uses it", uuid(lag)),
    })
}

fn clock(lag: &Lag) -> Option<Reason> {
    let (own, others) = values(lag, Metric::GpuSmClockMhz)?;
    (own < (1.0 - LEAST_CLOCK) * others).then(|| Reason {
        why: format!("its GPU clocks at {own:.0} MHz, and those of the others at {others:.0} MHz"),
        remedy: format!(
            "look whether its clock is locked, with `nvidia-smi -q -d CLOCK -i {0}`; `nvidia-smi -rgc -i {0}` \
             unlocks it",
            uuid(lag)
        ),
    })
}

fn unknown(lag: &Lag) -> Reason {
    match &lag.facts.gpu {
        None => Reason {
            why: "what makes it slow is not known".to_owned(),
            remedy: "look what else it works for, or go without it".to_owned(),
        },
        Some(_) => Reason {
            why: "NVML gives no reason".to_owned(),
            remedy: format!(
                "look with `nvidia-smi -q -i {}` what is different there, or leave it out of `device`",
                uuid(lag)
            ),
        },
    }
}

/// The mean of the lane's metric, and that of the others like it.
fn values(lag: &Lag, metric: Metric) -> Option<(f64, f64)> {
    let own = mean(lag.samples, lag.lane, metric)?;
    let others = lag.others.iter();
    let others: Vec<f64> = others
        .filter_map(|lane| mean(lag.samples, *lane, metric))
        .collect();
    let sum: f64 = others.iter().sum();
    (!others.is_empty()).then(|| (own, sum / others.len() as f64))
}

fn uuid<'a>(lag: &'a Lag) -> &'a str {
    lag.facts.gpu.as_ref().map_or("", |gpu| &gpu.uuid)
}

#[cfg(test)]
mod tests {
    use super::{
        super::lag::tests::{lane, span},
        *,
    };
    use crate::{
        meter::{Measured, Sample},
        monitor::{
            RunFacts,
            verdict::tests::{facts, gpu_lane},
        },
    };

    /// The reason why the second one of three lanes lags, whose GPU differs from the others by these values.
    fn reason(differs: &[(Metric, f64)], throttle: Throttle) -> Reason {
        let usual = [
            (Metric::GpuPowerLimitWatts, 700.0),
            (Metric::GpuThrottled, 0.2),
            (Metric::GpuTemperatureCelsius, 60.0),
            (Metric::GpuMemoryBytes, 5e9),
            (Metric::GpuSmClockMhz, 1900.0),
        ];
        let gpu = |is_slow: bool| {
            let mut gpu = Measured::default();
            for (metric, value) in usual.iter().chain(differs.iter().filter(|_| is_slow)) {
                gpu.set(*metric, *value);
            }
            if is_slow {
                gpu.throttle.add(throttle);
            }
            gpu
        };
        let mut sample = Sample::new(1.0);
        sample.set_gpus(&[gpu(false), gpu(true), gpu(false)]);
        let facts = RunFacts {
            lanes: vec![gpu_lane(None); 3],
            ..facts()
        };
        let span = span([0.1, 0.2, 0.1].map(|seconds| lane(seconds, 0.1)).into());
        let samples = [sample];
        of(&Lag::find(&span, &facts, &samples).expect("a lane that lags"))
    }

    #[test]
    fn the_reason_that_explains_most_is_given() {
        let check = |differs: &[(Metric, f64)], throttle: Throttle, why: &str, remedy: &str| {
            let found = reason(differs, throttle);
            assert!(found.why.contains(why), "{}", found.why);
            assert!(found.remedy.contains(remedy), "{}", found.remedy);
        };
        let none = Throttle::default();
        let clock = (Metric::GpuSmClockMhz, 1200.0);
        let held_down = (Metric::GpuThrottled, 0.9);
        let limit = (Metric::GpuPowerLimitWatts, 400.0);
        check(
            &[],
            none,
            "NVML gives no reason",
            "`nvidia-smi -q -i GPU-0`",
        );
        check(
            &[clock],
            none,
            "clocks at 1200 MHz, and those of the others at 1900 MHz",
            "-rgc -i GPU-0",
        );
        let hot = (Metric::GpuTemperatureCelsius, 88.0);
        check(
            &[clock, held_down, hot],
            Throttle::HEAT,
            "by heat for 90.0% of the time, at 88 °C",
            "cooling",
        );
        check(
            &[held_down],
            Throttle::POWER_BRAKE,
            "by power brake",
            "PERFORMANCE,POWER",
        );
        check(
            &[clock, held_down, limit],
            Throttle::POWER_CAP,
            "may take 400 W, and those of the others 700 W",
            "nvidia-smi -i GPU-0 -pl 700",
        );
        check(
            &[(Metric::GpuMemoryBytes, 30e9)],
            none,
            "25.0 GB more",
            "who else",
        );
        // What all of them have is no reason.
        check(
            &[(Metric::GpuThrottled, 0.25)],
            Throttle::POWER_CAP,
            "no reason",
            "leave it out",
        );
    }
}
