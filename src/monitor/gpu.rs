//! What the driver says of a GPU.

use crate::{
    event::EventSender,
    meter::{Measured, Metric, Throttle},
};
use nvml_wrapper::{
    Device, Nvml,
    bitmasks::device::ThrottleReasons,
    enum_wrappers::device::{Clock, PcieUtilCounter, TemperatureSensor},
};
use std::{
    ffi::OsStr,
    sync::{Once, OnceLock},
    time::{Duration, Instant},
};

/// Where figures of a GPU come from.
pub(super) trait GpuSource: Send {
    /// The GPU's figures of this moment, as far as they can be had.
    fn measure(&mut self) -> Measured;

    /// Joules that the GPU has taken since some moment long ago, if it counts them.
    fn energy_joules(&self) -> Option<f64>;
}

/// A GPU as NVML sees it.
pub(super) struct NvmlGpu {
    device: Device<'static>,
    /// What the bus did when it was measured last.
    bus: [Option<f64>; 2],
    turns: Turns,
}

/// When the bus of a GPU is measured, which takes NVML 40 milliseconds: once a second is the turn of one of
/// the GPUs, so that a look at many takes no longer than one at one.
pub(super) struct Turns {
    next: Instant,
    every: Duration,
}

impl Turns {
    /// The turns of each of so many GPUs, from now on.
    pub(super) fn of(n_gpus: usize) -> impl Iterator<Item = Self> {
        const BUS_INTERVAL: Duration = Duration::from_secs(1);
        let (now, n_gpus) = (Instant::now(), n_gpus as u32);
        (0..n_gpus).map(move |gpu| Self {
            next: now + BUS_INTERVAL * gpu,
            every: BUS_INTERVAL * n_gpus,
        })
    }

    /// Whether it is the GPU's turn at this moment; if it is, the next one comes later.
    fn take(&mut self, now: Instant) -> bool {
        let is_due = now >= self.next;
        if is_due {
            self.next = now + self.every;
        }
        is_due
    }
}

/// The library, opened once for the life of the process, or why not.
pub(super) fn library() -> Result<&'static Nvml, &'static str> {
    static LIBRARY: OnceLock<Result<Nvml, String>> = OnceLock::new();
    let opened = LIBRARY.get_or_init(|| {
        // Drivers install the library under this name only; the one without a number comes with the
        // toolkit.
        let library = Nvml::builder()
            .lib_path(OsStr::new("libnvidia-ml.so.1"))
            .init();
        library.map_err(|error| error.to_string())
    });
    opened.as_ref().map_err(String::as_str)
}

impl NvmlGpu {
    /// The GPU with this UUID, as CUDA writes it. NVML counts GPUs in another order than CUDA, and
    /// does not know CUDA_VISIBLE_DEVICES.
    ///
    /// # Errors
    /// In words, if NVML is missing or does not know the GPU.
    pub(super) fn find(uuid: &str, turns: Turns) -> Result<Self, String> {
        let nvml = library()?;
        // To CUDA the slice of a GPU under MIG is a GPU; NVML gives it another prefix.
        let slice = uuid.replacen("GPU-", "MIG-", 1);
        let device = nvml
            .device_by_uuid(uuid)
            .or_else(|_| nvml.device_by_uuid(slice));
        device
            .map(|device| Self {
                device,
                bus: [None; 2],
                turns,
            })
            .map_err(|error| format!("it does not know {uuid}: {error}"))
    }
}

/// The GPU with this UUID, or a word on why there are no figures of it. It is said once.
pub(super) fn open(uuid: &str, turns: Turns, events: &EventSender) -> Option<Box<dyn GpuSource>> {
    static SAID: Once = Once::new();
    match NvmlGpu::find(uuid, turns) {
        Ok(gpu) => Some(Box::new(gpu)),
        Err(reason) => {
            SAID.call_once(|| {
                events.warn(format!(
                    "NVML gives no figures of the GPU, and the run goes on without: {reason}"
                ));
            });
            None
        }
    }
}

impl NvmlGpu {
    /// Bytes per second to the GPU and from it.
    fn bus(&mut self) -> [Option<f64>; 2] {
        if self.turns.take(Instant::now()) {
            let counters = [PcieUtilCounter::Receive, PcieUtilCounter::Send];
            self.bus = counters.map(|counter| {
                // NVML gives kilobytes.
                let rate = self.device.pcie_throughput(counter).ok();
                rate.map(|rate| f64::from(rate) * 1e3)
            });
        }
        self.bus
    }
}

impl GpuSource for NvmlGpu {
    fn measure(&mut self) -> Measured {
        let mut sample = Measured::default();
        let [received, sent] = self.bus();
        let device = &self.device;
        let utilization = device.utilization_rates().ok();
        let memory = device.memory_info().ok();
        let power = device.power_usage().ok();
        let limit = device.enforced_power_limit().ok();
        let temperature = device.temperature(TemperatureSensor::Gpu).ok();
        let clock = |clock| device.clock_info(clock).ok().map(f64::from);
        for (metric, value) in [
            (
                Metric::GpuUtilization,
                utilization.map(|rates| f64::from(rates.gpu) / 100.0),
            ),
            (
                Metric::GpuMemoryBytes,
                memory.map(|memory| memory.used as f64),
            ),
            // NVML gives milliwatts.
            (
                Metric::GpuPowerWatts,
                power.map(|power| f64::from(power) / 1e3),
            ),
            (
                Metric::GpuPowerLimitWatts,
                limit.map(|limit| f64::from(limit) / 1e3),
            ),
            (Metric::GpuTemperatureCelsius, temperature.map(f64::from)),
            (Metric::GpuSmClockMhz, clock(Clock::SM)),
            (Metric::GpuMemoryClockMhz, clock(Clock::Memory)),
            (Metric::GpuPcieRxBytesPerSec, received),
            (Metric::GpuPcieTxBytesPerSec, sent),
        ] {
            sample.set(metric, value);
        }
        if let Ok(reasons) = device.current_throttle_reasons() {
            let throttle = throttle(reasons);
            let is_held_down = f64::from(u8::from(throttle.is_held_down()));
            sample.set(Metric::GpuThrottled, is_held_down);
            sample.throttle = throttle;
        }
        sample
    }

    fn energy_joules(&self) -> Option<f64> {
        // NVML gives millijoules since the driver was loaded.
        let energy = self.device.total_energy_consumption().ok()?;
        Some(energy as f64 / 1e3)
    }
}

/// The reasons that hold a busy GPU down. An idle one lowers its clocks by itself.
fn throttle(reasons: ThrottleReasons) -> Throttle {
    let mut throttle = Throttle::default();
    for (bits, reason) in [
        (ThrottleReasons::SW_POWER_CAP, Throttle::POWER_CAP),
        (
            ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN,
            Throttle::POWER_BRAKE,
        ),
        (ThrottleReasons::SW_THERMAL_SLOWDOWN, Throttle::HEAT),
        (ThrottleReasons::HW_THERMAL_SLOWDOWN, Throttle::HEAT),
        (ThrottleReasons::HW_SLOWDOWN, Throttle::HARDWARE),
        (ThrottleReasons::SYNC_BOOST, Throttle::SYNC_BOOST),
    ] {
        if reasons.contains(bits) {
            throttle.add(reason);
        }
    }
    throttle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_hold_a_gpu_down() {
        let check = |reasons: ThrottleReasons, expect: &str| {
            assert_eq!(throttle(reasons).to_string(), expect);
        };
        check(ThrottleReasons::GPU_IDLE, "");
        check(ThrottleReasons::SW_POWER_CAP, "power cap");
        check(
            ThrottleReasons::SW_POWER_CAP | ThrottleReasons::HW_THERMAL_SLOWDOWN,
            "power cap + heat",
        );
    }

    #[test]
    fn a_gpu_that_nobody_knows_is_no_panic() {
        let turns = Turns::of(1).next().unwrap();
        let error = NvmlGpu::find("GPU-00000000-0000-0000-0000-000000000000", turns).err();
        assert!(error.is_some_and(|error| !error.is_empty()));
    }

    #[test]
    fn the_bus_of_one_gpu_is_measured_at_a_time() {
        let start = Instant::now();
        let mut turns: Vec<_> = Turns::of(3).collect();
        let start = start.max(turns[0].next);
        let looks = (0..12).map(|n| start + Duration::from_millis(500 * n));
        let n_measured = looks.map(|now| {
            turns
                .iter_mut()
                .map(|turns| turns.take(now))
                .filter(|is_due| *is_due)
                .count()
        });
        assert_eq!(
            n_measured.collect::<Vec<_>>(),
            [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
        );
    }

    #[test]
    #[ignore = "needs a GPU"]
    fn a_gpu_tells_its_figures_and_counts_its_energy() {
        let nvml = library().unwrap();
        let uuid = nvml.device_by_index(0).unwrap().uuid().unwrap();
        let mut gpu = NvmlGpu::find(&uuid, Turns::of(1).next().unwrap()).unwrap();
        let sample = gpu.measure();
        let of = |metric| sample.get(metric).unwrap();
        assert!((0.0..=1.0).contains(&of(Metric::GpuUtilization)));
        // Next to nothing, where nobody uses the GPU.
        assert!((0.0..1e13).contains(&of(Metric::GpuMemoryBytes)));
        let before = gpu.energy_joules().unwrap();
        let start = Instant::now();
        std::thread::sleep(Duration::from_secs(2));
        let watts = (gpu.energy_joules().unwrap() - before) / start.elapsed().as_secs_f64();
        // The counter and the measurement of power are independent; the load may change meanwhile.
        let power = of(Metric::GpuPowerWatts);
        assert!(
            (0.3 * power..3.0 * power).contains(&watts),
            "{watts} W, {power} W"
        );
    }
}
