//! Work of our own on the CUDA stream that burn computes on, in order with burn's.
//!
//! CubeCL runs everything of a GPU on one thread, in the order in which it was submitted. So a task
//! submitted here comes after all burn operations issued before it and before all issued after it,
//! and nobody waits. The rules for such a task are those of [`enqueue`].

use super::{Gpu, gpu::Server};
use crate::device::DeviceError;
use cubecl::server::{BufferBinding, Handle, ServerError, ServerStorage};
use cubecl_environment::{backtrace::BackTrace, stream::StreamId};
use cubecl_server::stream::{ExecuteScope, WriteScoped, failed_writing};
use cudarc::driver::sys::CUstream;

/// Enqueues `work` on the CUDA stream that burn computes on and returns at once.
///
/// `work` gets the stream and one device address a handle, `reads` first, then `writes`. It runs on
/// the device thread, and must only enqueue: no waiting for the GPU, no call of burn or CubeCL, no
/// panic, and it must not keep the addresses. `writes` must be freshly allocated: if `work` fails,
/// each later use of them fails with its message, up to whoever reads the last result.
pub(crate) fn enqueue(
    gpu: &Gpu,
    reads: &[&Handle],
    writes: &[&Handle],
    work: impl FnOnce(CUstream, &[u64]) -> Result<(), DeviceError> + Send + 'static,
) {
    let (reads, writes) = (bindings(reads), bindings(writes));
    let stream_id = StreamId::current();

    gpu.server.submit(move |server: &mut Server| {
        // Addresses first: this fails for a buffer that carries an earlier failure, and the scope
        // below marks `writes` as failed until its work is enqueued.
        let (held, addresses) = match hold(server, &[&reads, &writes], stream_id) {
            Ok(held) => held,
            Err(error) => return failed_writing(server, stream_id, writes, error),
        };
        ExecuteScope::over(server, stream_id, writes.clone()).execute(|server| {
            // Makes the stream wait for buffers that other streams wrote. The guard has to outlive
            // `work`: when it drops, it records the event that releases those buffers.
            let mut streams = server
                .write_streams()
                .resolve(stream_id, reads.iter().chain(&writes))?;
            work(streams.current().sys, &addresses).map_err(|error| ServerError::Generic {
                reason: error.to_string(),
                backtrace: BackTrace::capture(),
            })
        });
        drop(held);
    });
}

/// As [`enqueue`], for work that ends a chain: it writes no buffer of CubeCL that could carry a
/// failure on, so it is told of an earlier failure of `reads` itself.
pub(crate) fn conclude(
    gpu: &Gpu,
    reads: &[&Handle],
    work: impl FnOnce(Result<(CUstream, &[u64]), DeviceError>) + Send + 'static,
) {
    let reads = bindings(reads);
    let stream_id = StreamId::current();

    gpu.server.submit(move |server: &mut Server| {
        let (held, addresses) = match hold(server, &[&reads], stream_id) {
            Ok(held) => held,
            Err(error) => return work(Err(failure(error.to_string()))),
        };
        match server.write_streams().resolve(stream_id, reads.iter()) {
            Ok(mut streams) => work(Ok((streams.current().sys, &addresses))),
            Err(error) => work(Err(failure(error.to_string()))),
        }
        drop(held);
    });
}

/// A binding keeps its allocation alive and in place. Bindings move into the task, so the caller may
/// drop its handles as soon as the task is submitted.
fn bindings(handles: &[&Handle]) -> Vec<BufferBinding> {
    let handles = handles.iter();
    handles.map(|&handle| handle.clone().binding()).collect()
}

/// Opens buffers: what keeps them open, and their addresses.
fn hold(
    server: &mut Server,
    bindings: &[&[BufferBinding]],
    stream_id: StreamId,
) -> Result<(Vec<impl Sized + use<>>, Vec<u64>), ServerError> {
    let held: Vec<_> = bindings
        .iter()
        .copied()
        .flatten()
        .map(|binding| server.get_resource(binding.clone(), stream_id))
        .collect::<Result<_, _>>()?;
    let addresses = held.iter().map(|held| held.resource().ptr).collect();
    Ok((held, addresses))
}

/// What CubeCL reports, as an error of ours.
fn failure(reason: String) -> DeviceError {
    /// CubeCL keeps the kind of an error in a chain of its own types, whose text always names it.
    const OUT_OF_MEMORY: [&str; 3] = [
        "can't allocate buffer",
        "out of device memory",
        "out of memory",
    ];
    let is_about_memory = |line: &&str| OUT_OF_MEMORY.iter().any(|text| line.contains(text));
    match reason.lines().find(is_about_memory) {
        Some(line) => DeviceError::OutOfMemory {
            reason: line.trim().to_owned(),
        },
        None => DeviceError::Cuda {
            doing: "compute a batch",
            reason: innermost(&reason),
        },
    }
}

/// What a chain of errors began with: its text without what CubeCL says about itself.
fn innermost(reason: &str) -> String {
    const ABOUT_ITSELF: [&str; 7] = [
        "An error happened",
        "Asked at",
        "Backtrace",
        "Caused by",
        "No backtrace",
        "Several failures",
        "The bytes were never written",
    ];
    let said = reason
        .lines()
        .map(str::trim)
        .filter(|line| !ABOUT_ITSELF.iter().any(|start| line.starts_with(start)));
    let said: Vec<_> = said.filter(|line| !line.is_empty()).collect();
    if said.is_empty() {
        reason.to_owned()
    } else {
        said.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_too_small_is_told_from_other_failures() {
        // What an H200 answered to a batch of 16,777,216 tokens.
        let error = failure(
            "Several failures at once\nCaused by:\n  The bytes were never written (failure #867, \
             still claiming 1 buffer(s))\nCaused by:\n  An IO error happened\nCaused by:\n  can't \
             allocate buffer of size: 42949672960\nNo backtrace available\nAsked at:\nNo backtrace \
             available"
                .to_owned(),
        );
        let DeviceError::OutOfMemory { reason } = error else {
            panic!("{error}");
        };
        assert_eq!(reason, "can't allocate buffer of size: 42949672960");

        let error = failure("Several failures at once\nCaused by:\n  no such kernel".to_owned());
        assert_eq!(
            error.to_string(),
            "cannot compute a batch on the GPU: no such kernel"
        );
    }
}
