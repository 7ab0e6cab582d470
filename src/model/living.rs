//! The devices of a model that can still be used.

use super::{Model, ModelError, Replica};
use crate::device::DeviceError;

impl Model {
    /// Whether it had several devices, and all were lost.
    pub fn has_lost_several(&self) -> bool {
        self.replicas.len() > 1 && self.replicas.iter().all(|replica| replica.lost().is_some())
    }

    /// The model on each of its devices that was not lost: at least one.
    ///
    /// # Errors
    /// If all were lost; each is named, with the reason.
    pub fn living(&self) -> Result<Vec<(usize, &Replica)>, ModelError> {
        let replicas = self.replicas.iter().enumerate();
        let living: Vec<_> = replicas
            .filter(|(_, replica)| replica.lost().is_none())
            .collect();
        if !living.is_empty() {
            return Ok(living);
        }
        let reasons = self.replicas.iter().filter_map(|replica| {
            let reason = replica.lost()?;
            Some(format!("{}: {reason}", replica.device()))
        });
        Err(DeviceError::AllLost(reasons.collect()).into())
    }
}
