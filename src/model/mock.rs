//! A model that hashes: for testing and measuring everything around a real one.

use super::Encoder;
use crate::{
    batch::Values,
    cancel::Abandonment,
    device::DeviceError,
    job::{self, Column, Content, MockFault, Question},
    ops::{Results, Tokens},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long it computes at most before it looks whether anybody still wants the batch.
const NAP: Duration = Duration::from_millis(100);

/// Embeds a sequence as a hash of its tokens. Equal sequences get equal vectors, and different
/// ones different vectors, whatever their batch.
pub(super) struct Mock {
    hidden_size: usize,
    lane: usize,
    behaviour: job::Mock,
    /// Batches so far, which the variation of their time depends on, and whether the device fails.
    n_batches: AtomicU64,
}

impl Encoder for Mock {
    fn submit(
        &self,
        tokens: &Tokens,
        question: &Question,
        abandonment: &Abandonment,
    ) -> Result<Results, DeviceError> {
        let start = Instant::now();
        let n_tokens = tokens.input_ids().len();
        if let Some(most) = self.behaviour.memory_tokens
            && n_tokens as u64 > most
        {
            return Err(DeviceError::OutOfMemory {
                reason: format!("the mock device has memory for {most} tokens, not for {n_tokens}"),
            });
        }
        let columns = question.columns.iter();
        let values = columns.map(|column| self.hash(tokens, column)).collect();
        let batch = self.n_batches.fetch_add(1, Ordering::Relaxed);
        let fault = self.fault(batch);
        match fault {
            Some(MockFault::Lost) => return Err(lost()),
            Some(MockFault::Memory) => {
                return Err(DeviceError::OutOfMemory {
                    reason: "the mock device was told to fail".to_owned(),
                });
            }
            Some(MockFault::Panic) => panic!("the mock device was told to panic"),
            Some(MockFault::LostInFlight) | None => {}
        }
        let time = self.time(batch, n_tokens);
        loop {
            let rest = time.saturating_sub(start.elapsed());
            // Less than the system's own granularity is not worth a nap.
            if rest <= Duration::from_micros(50) {
                break;
            }
            if abandonment.is_declared() {
                return Err(DeviceError::Abandoned);
            }
            thread::sleep(rest.min(NAP));
        }
        if fault.is_some() {
            return Ok(Results::never(lost()));
        }
        Ok(Results::here(values, start))
    }

    fn attention(
        &self,
        _tokens: &Tokens,
        _visit: &mut dyn FnMut(&[f32]),
    ) -> Result<(), DeviceError> {
        Err(DeviceError::Cuda {
            doing: "compute attention",
            reason: "the mock device has none: it hashes".to_owned(),
        })
    }
}

impl Mock {
    /// The model on the device with this number. Devices differ in how their times vary, and
    /// the last one may be slower.
    pub(super) fn new(hidden_size: usize, lane: usize, behaviour: job::Mock) -> Self {
        Self {
            hidden_size,
            lane,
            behaviour,
            n_batches: AtomicU64::new(0),
        }
    }

    /// What the device fails with at its batch of this number.
    fn fault(&self, batch: u64) -> Option<MockFault> {
        let job::Mock {
            fail_lanes,
            fail_after,
            fail_with,
            ..
        } = self.behaviour;
        let fails = self.lane < fail_lanes
            && match fail_with {
                // Other programs come and go.
                MockFault::Memory => batch == fail_after,
                _ => batch >= fail_after,
            };
        fails.then_some(fail_with)
    }

    /// How long the batch of this number takes, of so many tokens.
    fn time(&self, batch: u64, n_tokens: usize) -> Duration {
        let job::Mock {
            tokens_per_sec,
            jitter,
            seed,
            lanes,
            last_speed,
            ..
        } = self.behaviour;
        let Some(tokens_per_sec) = tokens_per_sec else {
            return Duration::ZERO;
        };
        let mut bytes = [0; 4];
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&seed.to_le_bytes())
            .update(&batch.to_le_bytes())
            .update(&self.lane.to_le_bytes());
        hasher.finalize_xof().fill(&mut bytes);
        let variation = 1.0 + jitter * f64::from(from_minus_one_to_one(bytes));
        let share = if self.lane + 1 == lanes {
            last_speed
        } else {
            1.0
        };
        Duration::from_secs_f64(n_tokens as f64 / (tokens_per_sec * share) * variation)
    }

    /// What a column holds of each sequence: hashes of its tokens.
    fn hash(&self, tokens: &Tokens, column: &Column) -> Values {
        let Column { content, dtype, .. } = column;
        let mut values = Vec::new();
        let segments = tokens.segments();
        for (n, range) in segments.ranges().enumerate() {
            if matches!(content, Content::Pieces { .. }) && !segments.is_piece(n) {
                continue;
            }
            let ids = &tokens.input_ids()[range];
            let bytes: Vec<u8> = ids.iter().map(|&id| id as u8).collect();
            let mut hasher = blake3::Hasher::new();
            hasher.update(&self.behaviour.seed.to_le_bytes());
            match content {
                Content::Pooled { layer, pooling } => {
                    hasher.update(&layer.to_le_bytes());
                    hasher.update(pooling.name().as_bytes());
                }
                Content::States { layer, .. } | Content::Pieces { layer } => {
                    hasher.update(&layer.to_le_bytes());
                }
                Content::Logits { .. } => {
                    hasher.update(b"logits");
                }
                Content::Contacts | Content::ContactPairs(_) => {
                    hasher.update(b"contacts");
                }
            }
            hasher.update(&bytes);
            let mut stream = vec![0; 4 * content.n_numbers_of(ids, self.hidden_size)];
            hasher.finalize_xof().fill(&mut stream);
            let words = stream.as_chunks::<4>().0.iter();
            values.extend(words.map(|&word| from_minus_one_to_one(word)));
        }
        Values::rounded(values, *dtype)
    }
}

fn lost() -> DeviceError {
    DeviceError::Cuda {
        doing: "compute a batch",
        reason: "the mock device was told to be lost".to_owned(),
    }
}

/// Random bits as a number.
fn from_minus_one_to_one(bits: [u8; 4]) -> f32 {
    u32::from_le_bytes(bits) as f32 / (1u32 << 31) as f32 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_take_as_long_as_asked() {
        let behaviour = job::Mock {
            tokens_per_sec: Some(1e5),
            jitter: 0.2,
            seed: 7,
            ..job::Mock::default()
        };
        let times = |behaviour| {
            let mock = Mock::new(4, 0, behaviour);
            (0..50)
                .map(|batch| mock.time(batch, 1000).as_secs_f64())
                .collect::<Vec<_>>()
        };
        let some = times(behaviour);
        assert!(
            some.iter().all(|time| (0.008..=0.012).contains(time)),
            "{some:?}"
        );
        assert!(some.iter().any(|time| *time < 0.009));
        assert!(some.iter().any(|time| *time > 0.011));
        assert_eq!(some, times(behaviour), "the same seed, the same times");
        assert_ne!(
            some,
            times(job::Mock {
                seed: 8,
                ..behaviour
            })
        );
        assert_eq!(times(job::Mock::default()), [0.0; 50]);
        let time = |lane| {
            let behaviour = job::Mock {
                tokens_per_sec: Some(1e5),
                lanes: 2,
                last_speed: 0.5,
                ..job::Mock::default()
            };
            Mock::new(4, lane, behaviour).time(0, 1000).as_millis()
        };
        assert_eq!((time(0), time(1)), (10, 20));
    }
}
