//! The cores of the CPU, on which several batches are computed at once.
//!
//! Each core takes a batch and computes it alone: nothing waits for anything in between. An operation is cut into
//! pieces nevertheless, and a core without a batch of its own takes pieces of what others compute. So a lone batch
//! has all cores, and the last ones of a run do not leave most of them idle.

use super::{DeviceError, spare};
use crate::job::CpuShare;
use rayon::{ThreadPool, ThreadPoolBuilder, Yield};
use std::{
    collections::VecDeque,
    env, hint,
    num::NonZeroUsize,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How often a core looks for pieces of others' work before it rests.
const LOOKS: u32 = 50;
/// How long a core rests while others compute, who may have pieces for it.
const NAP: Duration = Duration::from_micros(100);
/// How long cores wait for a batch before they give their memory back and are gone.
const LINGER: Duration = Duration::from_millis(200);

/// Tokens that are computed at once, at most, times the batches that may be: larger batches take turns, so that memory
/// does not grow with the cores.
const TOKENS_OF_A_LANE: usize = 4096;

/// A batch to compute.
struct Work {
    n_tokens: usize,
    compute: Box<dyn FnOnce() + Send>,
}

/// Threads that compute batches, as many as there are cores to be used.
#[derive(Clone, Debug)]
pub struct Cores(Arc<Inner>);

struct Inner {
    pool: ThreadPool,
    n_batches: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    n_computing: usize,
    /// Tokens of the batches that are being computed.
    n_tokens: usize,
    /// Whether threads look for batches.
    is_open: bool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cores")
            .field("threads", &self.pool.current_num_threads())
            .field("batches", &self.n_batches)
            .finish_non_exhaustive()
    }
}

impl Cores {
    /// The threads of a share: [`usual_threads`] if it does not say how many.
    ///
    /// # Errors
    /// If the system gives no more threads, or a variable says how many in words that are no number.
    pub fn new(share: CpuShare) -> Result<Self, DeviceError> {
        let n_threads = match share.threads {
            Some(threads) => threads.get(),
            None => usual_threads()?,
        };
        let pool = ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .thread_name(|n| format!("core {n}"))
            .build()
            .map_err(|error| DeviceError::NoThreads(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            pool,
            n_batches: (share.lanes).map_or(n_threads, |lanes| lanes.get().min(n_threads)),
            state: Mutex::default(),
            changed: Condvar::new(),
        })))
    }

    /// How many threads there are.
    pub fn n_threads(&self) -> usize {
        self.0.pool.current_num_threads()
    }

    /// How many batches are computed at once.
    pub fn n_batches(&self) -> usize {
        self.0.n_batches
    }

    /// Computes a batch of so many tokens on a thread of these, as soon as one is free and the batches that are being
    /// computed leave room for it. Batches begin in the order of the calls. `compute` must not panic.
    pub fn spawn(&self, n_tokens: usize, compute: impl FnOnce() + Send + 'static) {
        let inner = &self.0;
        let mut state = inner.lock();
        state.waiting.push_back(Work {
            n_tokens,
            compute: Box::new(compute),
        });
        let was_open = std::mem::replace(&mut state.is_open, true);
        drop(state);
        if was_open {
            inner.changed.notify_one();
            return;
        }
        let of_pool = inner.clone();
        inner.pool.spawn_broadcast(move |context| {
            if context.index() < of_pool.n_batches {
                of_pool.compute();
            }
            spare::forget();
        });
    }
}

impl Inner {
    /// Computes batches on this thread, and pieces of others', until there has been nothing to do for a while.
    fn compute(&self) {
        let mut n_looks = 0;
        loop {
            if self.compute_next() || matches!(rayon::yield_now(), Some(Yield::Executed)) {
                n_looks = 0;
                continue;
            }
            n_looks += 1;
            if n_looks < LOOKS {
                hint::spin_loop();
                continue;
            }
            let state = self.lock();
            if !state.is_open {
                return;
            }
            if self.is_next(&state) {
                continue;
            }
            let is_idle = state.n_computing == 0;
            let patience = if is_idle { LINGER } else { NAP };
            let waited = self.changed.wait_timeout(state, patience);
            let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if is_idle && timeout.timed_out() && state.waiting.is_empty() && state.n_computing == 0
            {
                state.is_open = false;
                self.changed.notify_all();
                return;
            }
        }
    }

    /// Computes the next batch, if there is one.
    fn compute_next(&self) -> bool {
        let mut state = self.lock();
        if !self.is_next(&state) {
            return false;
        }
        let Some(Work { n_tokens, compute }) = state.waiting.pop_front() else {
            return false;
        };
        state.n_computing += 1;
        state.n_tokens += n_tokens;
        drop(state);
        compute();
        let mut state = self.lock();
        state.n_computing -= 1;
        state.n_tokens -= n_tokens;
        true
    }

    /// Whether there is a batch, and room for it.
    fn is_next(&self, state: &State) -> bool {
        let room = TOKENS_OF_A_LANE * self.n_batches;
        let fits = |work: &Work| state.n_computing == 0 || state.n_tokens + work.n_tokens <= room;
        state.waiting.front().is_some_and(fits)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads that suit this process: as many as there are cores that it may use, by its affinity and its control
/// group, and no more than Slurm gave the task, or `RAYON_NUM_THREADS` says.
///
/// # Errors
/// What one of them says is no number.
pub fn usual_threads() -> Result<usize, DeviceError> {
    let mut n_threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    for name in ["SLURM_CPUS_PER_TASK", "RAYON_NUM_THREADS"] {
        let value = env::var_os(name).unwrap_or_default();
        if let Some(told) = told(name, &value.to_string_lossy())? {
            n_threads = n_threads.min(told.get());
        }
    }
    Ok(n_threads)
}

/// How many threads the variable `name` allows. One that is empty says nothing, and neither does 0, as rayon has it.
fn told(name: &'static str, value: &str) -> Result<Option<NonZeroUsize>, DeviceError> {
    match value.trim() {
        "" => Ok(None),
        number => match number.parse() {
            Ok(n) => Ok(NonZeroUsize::new(n)),
            Err(_) => Err(DeviceError::NoNumberOfThreads {
                name,
                value: value.to_owned(),
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::{
        collections::BTreeSet,
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        time::Instant,
    };

    fn cores(threads: usize, batches: usize) -> Cores {
        Cores::new(CpuShare {
            threads: NonZeroUsize::new(threads),
            lanes: NonZeroUsize::new(batches),
        })
        .unwrap()
    }

    /// The most batches of so many tokens that were ever computed at the same time. A busy machine may take a while to
    /// have as many at once as are `expected`, and never has more.
    fn most_at_once(cores: &Cores, n_tokens: usize, expected: usize) -> usize {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..20 {
            let (sender, receiver) = mpsc::channel();
            for n in 0..12 {
                let (now, most, sender) = (now.clone(), most.clone(), sender.clone());
                cores.spawn(n_tokens, move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(10));
                    now.fetch_sub(1, Ordering::SeqCst);
                    sender.send(n).unwrap();
                });
            }
            drop(sender);
            let done: BTreeSet<_> = receiver.iter().collect();
            assert_eq!(done, (0..12).collect());
            if most.load(Ordering::SeqCst) >= expected {
                break;
            }
        }
        most.load(Ordering::SeqCst)
    }

    #[test]
    fn batches_are_computed_at_once_and_no_more_than_were_asked_for() {
        for (threads, batches) in [(1, 1), (4, 1), (4, 2), (4, 4), (2, 9)] {
            let expected = batches.min(threads);
            assert_eq!(
                most_at_once(&cores(threads, batches), 8, expected),
                expected
            );
        }
    }

    #[test]
    fn variables_say_how_many_threads_there_are() {
        let name = "SLURM_CPUS_PER_TASK";
        let check = |value, expect| {
            let told = told(name, value).unwrap();
            assert_eq!(told.map(NonZeroUsize::get), expect, "{value}");
        };
        check("8", Some(8));
        check(" 8 ", Some(8));
        check("", None);
        check("0", None);
        for value in ["x", "-1", "2.5", "8(x2)"] {
            let error = told(name, value).unwrap_err().to_string();
            let expect = format!("{name} is {value:?}, which is no number of threads");
            assert_eq!(error, expect);
        }
    }

    #[test]
    fn large_batches_take_turns() {
        for (n_tokens, expected) in [
            (TOKENS_OF_A_LANE, 4),
            (2 * TOKENS_OF_A_LANE, 2),
            (1 << 20, 1),
        ] {
            assert_eq!(most_at_once(&cores(4, 4), n_tokens, expected), expected);
        }
    }

    #[test]
    fn who_has_no_batch_helps() {
        let cores = cores(4, 4);
        let (sender, receiver) = mpsc::channel();
        cores.spawn(8, move || {
            let helpers: Vec<_> = (0..64)
                .into_par_iter()
                .map(|_| {
                    thread::sleep(Duration::from_millis(2));
                    rayon::current_thread_index()
                })
                .collect();
            sender
                .send(helpers.into_iter().collect::<BTreeSet<_>>())
                .unwrap();
        });
        assert!(receiver.recv().unwrap().len() > 1);
    }

    #[test]
    fn batches_come_again_after_a_rest() {
        let cores = cores(2, 2);
        for _ in 0..3 {
            let (sender, receiver) = mpsc::channel();
            cores.spawn(8, move || sender.send(()).unwrap());
            receiver.recv().unwrap();
            let start = Instant::now();
            while cores.0.lock().is_open {
                assert!(start.elapsed() < Duration::from_secs(20), "they never rest");
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
