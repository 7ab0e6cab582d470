//! What is known of the time that is judged.

use super::lag::Lag;
use crate::{
    meter::{Activity, Reading, Severity, Stage, StageTime},
    monitor::RunFacts,
};

/// What is known of the time that is judged.
pub(super) struct Case<'a> {
    pub(super) span: &'a Reading,
    pub(super) facts: &'a RunFacts,
    /// The share of time in which the encoder had nothing to compute.
    pub(super) idle: f64,
    /// NVML's mean utilisation. Without its word the GPU is as busy as it is not idle.
    pub(super) utilization: f64,
    /// The lane that lags most behind the others, if one does.
    pub(super) lag: Option<Lag<'a>>,
}

impl Case<'_> {
    /// How much of the encoder's time is lost, if it is worth a word.
    pub(super) fn severity(&self) -> Option<Severity> {
        let thresholds = &self.facts.thresholds;
        if self.utilization.min(1.0 - self.idle) < thresholds.gpu_util_critical {
            Some(Severity::Critical)
        } else if self.utilization < thresholds.gpu_util_mild || self.idle > thresholds.gpu_idle {
            Some(Severity::Mild)
        } else {
            None
        }
    }

    /// Where the time of the encoding threads of all lanes went.
    pub(super) fn encoding(&self) -> StageTime {
        self.span.stage(Stage::Encoding)
    }

    /// Whether encoding waits for batches rather than for room.
    pub(super) fn is_starved(&self) -> bool {
        let encoding = self.encoding();
        encoding.starved >= encoding.blocked
    }

    /// What a stage did for most of its time.
    pub(super) fn longest(&self, stage: Stage) -> Activity {
        let time = self.span.stage(stage);
        if time.working >= time.starved.max(time.blocked) {
            Activity::Working
        } else if time.starved >= time.blocked {
            Activity::Starved
        } else {
            Activity::Blocked
        }
    }

    /// What the encoders of all lanes could do in a second, if they did nothing else, where they did so
    /// much in the time that they computed.
    pub(super) fn possible(&self, done: f64) -> f64 {
        let n_lanes = self.span.lanes.iter().filter(|lane| !lane.has_failed);
        let n_lanes = n_lanes.count().max(1) as f64;
        done * n_lanes / self.span.counts.compute_seconds
    }
}
