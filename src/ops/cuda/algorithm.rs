//! Which algorithm computes a product, found by measuring and kept on disk.
//!
//! Embeddings must not depend on the batch that a sequence is in. So a product has one algorithm for
//! every number of rows, none splits the sum over k, and among the candidates only those compete
//! that give the same bits as the first. The measured times then decide on speed alone.

use super::{
    gemm::{self, Algorithm, Fused, Gemm, Operands, Problem, WORKSPACE_BYTES},
    random,
};
use crate::device::{
    DeviceError,
    cuda::{Cache, DeviceMemory, Doing, Event, Gpu, driver_version},
};
use cudarc::driver::{result, sys::CUstream};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

/// Rows that algorithms are measured with: a full batch of a large model. Small models have batches
/// twice as long, for which the same algorithms are fast.
const MEASURED_ROWS: usize = 32_768;
/// Algorithms that are measured.
const CANDIDATES: usize = 16;
/// Rows whose bits are compared, from the first.
const COMPARED_ROWS: usize = 256;
/// Runs that are timed together.
const TIMED_RUNS: usize = 8;

/// The algorithms, by the name of the GPU: all of one name have one, which is measured on the first that asks.
static CHOSEN: LazyLock<Mutex<HashMap<(&'static str, Gemm), Algorithm>>> =
    LazyLock::new(Mutex::default);

/// The algorithm for `gemm` on `gpu`.
///
/// # Errors
/// If cuBLASLt has none.
pub(super) fn choose(gpu: &'static Gpu, gemm: Gemm) -> Result<Algorithm, DeviceError> {
    let mut chosen = CHOSEN
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(algorithm) = chosen.get(&(gpu.name(), gemm)) {
        return Ok(*algorithm);
    }
    gpu.bind()?;
    let problem = gemm.problem(gpu, MEASURED_ROWS)?;
    let origin = format!(
        "{gemm:?} {} {} {} {MEASURED_ROWS}",
        gpu.name(),
        gemm::version(),
        driver_version()
    );
    let measured = Cache::of_user().get_or_make(&[origin.as_bytes()], || {
        let fastest = measure(gpu, gemm, &problem)?;
        Ok::<_, DeviceError>(fastest.data.map(u64::to_le_bytes).concat())
    });
    let bytes = match measured {
        // Without memory to measure in, the most promising one is taken, and not kept.
        Err(DeviceError::OutOfMemory { .. }) => Vec::new(),
        other => other?,
    };
    let algorithm = from_bytes(&bytes).filter(|algorithm| problem.accepts(algorithm));
    let algorithm = match algorithm {
        Some(algorithm) => algorithm,
        // Another build of the same version of the library may have other algorithms.
        None => problem.candidates(1)?[0],
    };
    chosen.insert((gpu.name(), gemm), algorithm);
    Ok(algorithm)
}

fn from_bytes(bytes: &[u8]) -> Option<Algorithm> {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|&word| u64::from_le_bytes(word)).collect();
    let data = words.try_into().ok()?;
    rest.is_empty().then_some(Algorithm { data })
}

/// The fastest candidate.
fn measure(gpu: &'static Gpu, gemm: Gemm, problem: &Problem) -> Result<Algorithm, DeviceError> {
    let candidates = problem.candidates(CANDIDATES)?;
    let bench = Bench::new(gpu, gemm)?;
    // Other work would slow some candidates down.
    gpu.finish()?;
    let reference = bench.bits(problem, &candidates[0])?;
    let mut fastest = (bench.seconds(problem, &candidates[0])?, candidates[0]);
    for candidate in &candidates[1..] {
        let same_bits = bench
            .bits(problem, candidate)
            .is_ok_and(|bits| bits == reference);
        if same_bits
            && let Ok(seconds) = bench.seconds(problem, candidate)
            && seconds < fastest.0
        {
            fastest = (seconds, *candidate);
        }
    }
    let flops = 2.0 * (MEASURED_ROWS * gemm.n * gemm.k) as f64;
    tracing::debug!("{gemm:?}: {:.0} TFLOP/s", flops / fastest.0 / 1e12);
    Ok(fastest.1)
}

/// Operands to measure with, full of numbers that look random.
struct Bench {
    /// x, weight, bias, residual, workspace and y.
    memory: [DeviceMemory; 6],
    stream: CUstream,
    start: Event,
    end: Event,
    compared_bytes: usize,
}

impl Bench {
    fn new(gpu: &'static Gpu, gemm: Gemm) -> Result<Self, DeviceError> {
        let Gemm { n, k, dtype, fused } = gemm;
        let residual = if fused == Fused::BiasResidual {
            MEASURED_ROWS * n
        } else {
            1
        };
        // The default stream, as nothing else runs.
        let stream = result::stream::null();
        // SAFETY: the default stream is always there, and freeing memory waits for the device.
        let filled = |n, scale| unsafe { random::filled(gpu, stream, dtype, n, scale) };
        Ok(Self {
            memory: [
                filled(MEASURED_ROWS * k, 1.0)?,
                // Results then are as large as the inputs.
                filled(n * k, 1.7 / (k as f32).sqrt())?,
                filled(n, 0.1)?,
                filled(residual, 1.0)?,
                DeviceMemory::new(gpu, WORKSPACE_BYTES)?,
                filled(MEASURED_ROWS * n, 1.0)?,
            ],
            stream,
            start: Event::new(gpu)?,
            end: Event::new(gpu)?,
            compared_bytes: COMPARED_ROWS * n * dtype.bytes(),
        })
    }

    fn run(&self, problem: &Problem, algorithm: &Algorithm) -> Result<(), DeviceError> {
        let [x, weight, bias, residual, workspace, y] =
            self.memory.each_ref().map(DeviceMemory::address);
        let residual = match problem.fused() {
            Fused::BiasResidual => residual,
            Fused::Bias | Fused::BiasGelu => y,
        };
        let operands = Operands {
            x,
            weight,
            bias,
            residual,
            workspace,
            y,
        };
        // SAFETY: the operands have the shapes of the product, and live as long as `self`, which
        // waits for the product before it is dropped: freeing memory waits for the device.
        unsafe { problem.launch(algorithm, &operands, self.stream) }
    }

    /// The bits of the first rows of the result.
    fn bits(&self, problem: &Problem, algorithm: &Algorithm) -> Result<Vec<u8>, DeviceError> {
        self.run(problem, algorithm)?;
        let mut bits = vec![0u8; self.compared_bytes];
        // SAFETY: y is longer than `bits`; the copy waits for the stream, which is the default one.
        unsafe { result::memcpy_dtoh_sync(&mut bits, self.memory[5].address()) }
            .doing("measure a product")?;
        Ok(bits)
    }

    /// Seconds of one run.
    fn seconds(&self, problem: &Problem, algorithm: &Algorithm) -> Result<f64, DeviceError> {
        self.run(problem, algorithm)?;
        // SAFETY: the default stream is always there.
        unsafe { self.start.record(self.stream) }?;
        for _ in 0..TIMED_RUNS {
            self.run(problem, algorithm)?;
        }
        // SAFETY: as above.
        unsafe { self.end.record(self.stream) }?;
        self.end.wait()?;
        Ok(self.start.seconds_to(&self.end)? / TIMED_RUNS as f64)
    }
}
