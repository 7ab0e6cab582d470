//! What the driver says of a GPU.

use crate::{
    event::EventSender,
    meter::{GpuSample, Metric, Throttle},
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
    fn measure(&mut self) -> GpuSample;

    /// Joules that the GPU has taken since some moment long ago, if it counts them.
    fn energy_joules(&self) -> Option<f64>;
}

/// A GPU as NVML sees it.
pub(super) struct NvmlGpu {
    device: Device<'static>,
    /// What the bus did, and when that was measured.
    bus: Option<(Instant, [Option<f64>; 2])>,
}

/// NVML measures the bus for 40 milliseconds.
const BUS_INTERVAL: Duration = Duration::from_secs(1);

/// The library, opened once for the life of the process, or why not.
fn library() -> Result<&'static Nvml, &'static str> {
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
    pub(super) fn find(uuid: &str) -> Result<Self, String> {
        let nvml = library()?;
        // To CUDA the slice of a GPU under MIG is a GPU; NVML gives it another prefix.
        let slice = uuid.replacen("GPU-", "MIG-", 1);
        let device = nvml
            .device_by_uuid(uuid)
            .or_else(|_| nvml.device_by_uuid(slice));
        device
            .map(|device| Self { device, bus: None })
            .map_err(|error| format!("it does not know {uuid}: {error}"))
    }
}

/// The GPU with this UUID, or a word on why there are no figures of it. It is said once.
pub(super) fn open(uuid: &str, events: &EventSender) -> Option<Box<dyn GpuSource>> {
    static SAID: Once = Once::new();
    match NvmlGpu::find(uuid) {
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
        match self.bus {
            Some((when, rates)) if when.elapsed() < BUS_INTERVAL => rates,
            _ => {
                let counters = [PcieUtilCounter::Receive, PcieUtilCounter::Send];
                let rates = counters.map(|counter| {
                    // NVML gives kilobytes.
                    let rate = self.device.pcie_throughput(counter).ok();
                    rate.map(|rate| f64::from(rate) * 1e3)
                });
                self.bus = Some((Instant::now(), rates));
                rates
            }
        }
    }
}

impl GpuSource for NvmlGpu {
    fn measure(&mut self) -> GpuSample {
        let mut sample = GpuSample::default();
        let [received, sent] = self.bus();
        let device = &self.device;
        let utilization = device.utilization_rates().ok();
        let memory = device.memory_info().ok();
        let power = device.power_usage().ok();
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
            sample.set(Metric::GpuThrottled, Some(is_held_down));
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
        let error = NvmlGpu::find("GPU-00000000-0000-0000-0000-000000000000").err();
        assert!(error.is_some_and(|error| !error.is_empty()));
    }

    #[test]
    #[ignore = "needs a GPU"]
    fn a_gpu_tells_its_figures_and_counts_its_energy() {
        let nvml = library().unwrap();
        let uuid = nvml.device_by_index(0).unwrap().uuid().unwrap();
        let mut gpu = NvmlGpu::find(&uuid).unwrap();
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
