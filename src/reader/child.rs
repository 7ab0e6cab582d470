//! The subprocess: reads the units that it is asked for and answers with their records.

use super::{
    frame::{FrameError, MessageCodec},
    gpu::GpuView,
    protocol::{Reply, Request, VERSION},
};
use crate::{
    fasta::{Unit, UnitReader},
    job::RecordPolicy,
};
use bytes::BytesMut;
use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::{prctl, signal::Signal},
};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
    process::ExitCode,
};
use tokio_util::codec::{Decoder, Encoder};

/// Bytes of records in a frame, about: enough that a frame's overhead does not count.
const FRAME_BYTES: usize = 256 << 10;
/// Bytes that the pipe to the parent may hold, so that both sides wake up less often.
const PIPE_BYTES: i32 = 1 << 20;

/// What ends a reader before its input does.
#[derive(Debug, thiserror::Error)]
enum ChildError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("cannot ask to end with the parent: {0}")]
    ParentDeathSignal(nix::Error),
    #[error("a reader must not see a GPU, but {0}")]
    SeesGpu(String),
}

/// Runs this process as a reader: requests come on stdin, answers go to stdout, and the end of
/// stdin is the end of the process. The last words of a reader that fails go to stderr.
pub fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Without a parent nobody reads the last words, and that is fine.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), ChildError> {
    // The parent's pipes tell of its end too, but not while a reader waits for a slow disk.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(ChildError::ParentDeathSignal)?;
    // A smaller pipe works as well; an administrator may have limited it.
    let _ = fcntl(io::stdout(), FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    let mut link = Link::new()?;
    let gpu = GpuView::of_this_process()?;
    let fault = gpu.fault();
    link.send(&Reply::Hello {
        version: VERSION,
        pid: std::process::id(),
        gpu,
    })?;
    if let Some(fault) = fault {
        return Err(ChildError::SeesGpu(fault));
    }
    let mut has_read = false;
    while let Some(request) = link.receive()? {
        let Request::Read {
            number,
            unit,
            policy,
        } = request;
        if !has_read {
            has_read = true;
            check_gpu_again(&mut link)?;
        }
        let last = read_unit(&mut link, number, &unit, policy)?;
        link.send(&last)?;
    }
    Ok(())
}

/// Checks that nothing has brought a GPU library into this process since it said hello.
fn check_gpu_again(link: &mut Link) -> Result<(), ChildError> {
    let gpu = GpuView::of_this_process()?;
    let Some(fault) = gpu.fault() else {
        return Ok(());
    };
    link.send(&Reply::SeesGpu(gpu))?;
    Err(ChildError::SeesGpu(fault))
}

/// Sends the records of a unit and gives the message that ends it.
fn read_unit(
    link: &mut Link,
    number: u64,
    unit: &Unit,
    policy: RecordPolicy,
) -> Result<Reply, ChildError> {
    let mut reader = match UnitReader::open(unit, policy) {
        Ok(reader) => reader,
        Err(fault) => return Ok(Reply::Fault { number, fault }),
    };
    loop {
        let is_to_come = match reader.skip_some() {
            Ok(is_to_come) => is_to_come,
            Err(fault) => return Ok(Reply::Fault { number, fault }),
        };
        let n_records = reader.n_records();
        if is_to_come || n_records > 0 {
            link.send(&Reply::Skipped { number, n_records })?;
        }
        if !is_to_come {
            break;
        }
    }
    let mut frame = Vec::new();
    let mut remarks = Vec::new();
    let mut frame_bytes = 0;
    let mut first_index = reader.n_records();
    loop {
        let last = match reader.next_outcome() {
            Ok(Some(outcome)) => {
                frame_bytes += outcome.size_bytes();
                frame.push(outcome);
                for remark in reader.take_remarks() {
                    frame_bytes += remark.size_bytes();
                    remarks.push(remark);
                }
                if frame_bytes < FRAME_BYTES {
                    continue;
                }
                None
            }
            Ok(None) => Some(Reply::End {
                number,
                n_records: reader.n_records(),
            }),
            // The good records first: the error names the one behind them.
            Err(fault) => Some(Reply::Fault { number, fault }),
        };
        if !frame.is_empty() {
            let n_outcomes = frame.len() as u64;
            link.send(&Reply::Records {
                number,
                first_index,
                disk_bytes: reader.disk_bytes(),
                outcomes: std::mem::take(&mut frame),
                remarks: std::mem::take(&mut remarks),
            })?;
            first_index += n_outcomes;
            frame_bytes = 0;
        }
        if let Some(last) = last {
            return Ok(last);
        }
    }
}

fn is_broken_pipe(error: &ChildError) -> bool {
    matches!(
        error,
        ChildError::Io(error) | ChildError::Frame(FrameError::Io(error))
            if error.kind() == io::ErrorKind::BrokenPipe
    )
}

/// The two pipes to the parent.
struct Link {
    codec: MessageCodec<Request>,
    received: BytesMut,
    sent: BytesMut,
    /// Without the buffer of [`io::Stdout`], which looks for line feeds.
    stdout: File,
}

impl Link {
    fn new() -> io::Result<Self> {
        Ok(Self {
            codec: MessageCodec::new(),
            received: BytesMut::new(),
            sent: BytesMut::with_capacity(2 * FRAME_BYTES),
            stdout: io::stdout().as_fd().try_clone_to_owned()?.into(),
        })
    }

    /// The next request, or `None` when the parent has no more.
    fn receive(&mut self) -> Result<Option<Request>, ChildError> {
        loop {
            if let Some(request) = self.codec.decode(&mut self.received)? {
                return Ok(Some(request));
            }
            let mut piece = [0; 4096];
            let n_bytes = io::stdin().read(&mut piece)?;
            if n_bytes == 0 {
                return Ok(None);
            }
            self.received.extend_from_slice(&piece[..n_bytes]);
        }
    }

    fn send(&mut self, reply: &Reply) -> Result<(), ChildError> {
        self.codec.encode(reply, &mut self.sent)?;
        self.stdout.write_all(&self.sent)?;
        self.sent.clear();
        Ok(())
    }
}
