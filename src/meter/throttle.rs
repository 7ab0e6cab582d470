//! What holds the clocks of a GPU down.

use std::fmt;

/// What holds the clocks of a GPU down, as a set of reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle(u8);

impl Throttle {
    /// The limit of power.
    pub const POWER_CAP: Self = Self(1);
    /// Heat.
    pub const HEAT: Self = Self(2);
    /// The power supply.
    pub const POWER_BRAKE: Self = Self(4);
    /// Another emergency of the hardware.
    pub const HARDWARE: Self = Self(8);
    /// Another GPU, with which it keeps pace.
    pub const SYNC_BOOST: Self = Self(16);
    /// The name under which JSON and CSV have it, beside the metrics.
    pub const NAME: &'static str = "gpu_throttle_reasons";

    /// Adds the reasons of `other`.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether all reasons of `other` are among these.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is any reason.
    pub fn is_held_down(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::POWER_CAP, "power cap"),
            (Self::HEAT, "heat"),
            (Self::POWER_BRAKE, "power brake"),
            (Self::HARDWARE, "hardware"),
            (Self::SYNC_BOOST, "sync boost"),
        ];
        let mut separator = "";
        for (_, name) in names.iter().filter(|(reason, _)| self.0 & reason.0 != 0) {
            write!(f, "{separator}{name}")?;
            separator = " + ";
        }
        Ok(())
    }
}
