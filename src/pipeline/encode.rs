//! The encoding stage: batches are given to the model.

use super::{Halt, Watcher};
use crate::{
    batch::PackedBatch,
    cancel::CancelToken,
    error::Error,
    job::Pooling,
    meter::Activity,
    model::{Computed, InFlight, Model, ModelError, StagedBatch, Stager},
    monitor::Monitor,
    queue::{QueueReceiver, QueueSender, Received, Sent},
};
use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

/// A batch as the packing stage hands it on.
pub(super) enum Feed {
    /// On its way to the device.
    Staged(StagedBatch),
    /// Still to be brought there, in a run without overlap.
    Packed(PackedBatch),
}

impl Feed {
    fn n_sequences(&self) -> u64 {
        match self {
            Self::Staged(batch) => batch.n_sequences() as u64,
            Self::Packed(batch) => batch.rows.len() as u64,
        }
    }

    fn n_tokens(&self) -> u64 {
        match self {
            Self::Staged(batch) => batch.n_tokens() as u64,
            Self::Packed(batch) => batch.n_tokens() as u64,
        }
    }
}

/// A batch that was given to the model.
pub(super) struct Submitted {
    pub(super) state: State,
    /// Seconds that the stage had waited for it.
    pub(super) waited: f64,
    /// When it was given to the model, or computed where that is done at once.
    pub(super) at: Instant,
}

/// How far a batch is.
pub(super) enum State {
    /// Being computed.
    Computing(InFlight),
    /// Computed, in a run without overlap.
    Done(Computed),
}

/// The encoding stage. It runs on the thread of the script, as the model lives there, and so do the
/// closures of the script that follow the run. On a GPU it only enqueues work, so that the GPU finds
/// the next batch when it is done with one.
pub(super) struct Encoding<'a> {
    pub(super) model: &'a Model,
    /// Indices of hidden states, in output order.
    pub(super) layers: &'a [usize],
    pub(super) pooling: Pooling,
    /// For batches that are still to be brought to the device.
    pub(super) stager: Arc<Stager>,
    pub(super) batches: QueueReceiver<Feed>,
    pub(super) in_flight: QueueSender<Submitted>,
    pub(super) monitor: &'a Monitor,
    pub(super) watcher: &'a mut dyn Watcher,
    pub(super) cancel: CancelToken,
}

/// How long the stage waits without a look at what else there is to do.
const PATIENCE: Duration = Duration::from_millis(50);

impl Encoding<'_> {
    /// Gives batches to the model until there are no more.
    ///
    /// # Errors
    /// If the model fails or the run is told to stop.
    pub(super) fn run(mut self) -> Result<(), Halt> {
        let meters = self.monitor.meters().clone();
        let clock = &meters.lane(0).encoding;
        clock.switch(Activity::Working);
        let lane = self.monitor.lane(0);
        loop {
            let before = clock.time().starved;
            let Some(feed) = self.next()? else {
                clock.stop();
                return Ok(());
            };
            let waited = clock.time().starved - before;
            lane.arrived(feed.n_sequences(), feed.n_tokens());
            let (sequences, state) = self.submit(feed).map_err(Error::from)?;
            let submitted = Submitted {
                state,
                waited,
                at: Instant::now(),
            };
            self.hand_on(sequences, submitted)?;
        }
    }

    /// The next batch.
    fn next(&mut self) -> Result<Option<Feed>, Halt> {
        self.look_around()?;
        match self.batches.receive_within(Duration::ZERO) {
            Received::Item(feed) => return Ok(Some(feed)),
            Received::End => return Ok(None),
            Received::Nothing => {}
        }
        let meters = self.monitor.meters().clone();
        meters.lane(0).encoding.during(Activity::Starved, || {
            loop {
                match self.batches.receive_within(PATIENCE) {
                    Received::Item(feed) => return Ok(Some(feed)),
                    // A packing stage that was told to stop ends, too.
                    Received::End => return self.look_around().map(|()| None),
                    Received::Nothing => self.look_around()?,
                }
            }
        })
    }

    /// Hands a batch on to the collecting stage.
    fn hand_on(&mut self, sequences: u64, submitted: Submitted) -> Result<(), Halt> {
        let mut waiting = match self
            .in_flight
            .send_within(Duration::ZERO, sequences, submitted)
        {
            Sent::Done => return Ok(()),
            // The next stage is gone if it failed; its own error says why.
            Sent::Abandoned => return Err(Halt::Abandoned),
            Sent::Full(submitted) => submitted,
        };
        let meters = self.monitor.meters().clone();
        meters.lane(0).encoding.during(Activity::Blocked, || {
            loop {
                match self.in_flight.send_within(PATIENCE, sequences, waiting) {
                    Sent::Done => return Ok(()),
                    Sent::Abandoned => return Err(Halt::Abandoned),
                    Sent::Full(submitted) => waiting = submitted,
                }
                self.look_around()?;
            }
        })
    }

    /// Tells whoever follows the run what there is to tell, and looks whether it is to stop.
    fn look_around(&mut self) -> Result<(), Halt> {
        if let Some(reason) = self.cancel.reason() {
            return Err(Error::Stopped(reason).into());
        }
        while let Some(notice) = self.monitor.notice() {
            // A slow listener must look neither like a wait for other stages nor like computing.
            let meters = self.monitor.meters();
            let answer = meters
                .lane(0)
                .encoding
                .during(Activity::Working, || self.watcher.notice(notice));
            if let ControlFlow::Break(reason) = answer {
                return Err(Error::StoppedByScript(reason).into());
            }
        }
        Ok(())
    }

    fn submit(&self, feed: Feed) -> Result<(u64, State), ModelError> {
        let submit = |batch: StagedBatch| {
            let sequences = batch.n_sequences() as u64;
            let batch = self.model.submit(batch, self.layers, self.pooling)?;
            Ok::<_, ModelError>((sequences, batch))
        };
        match feed {
            Feed::Staged(batch) => {
                let (sequences, batch) = submit(batch)?;
                Ok((sequences, State::Computing(batch)))
            }
            Feed::Packed(batch) => {
                let (sequences, batch) = submit(self.stager.stage(batch)?)?;
                Ok((sequences, State::Done(batch.wait()?)))
            }
        }
    }
}
