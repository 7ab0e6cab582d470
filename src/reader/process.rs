//! A reader subprocess, seen from this process.

use super::{
    SUBCOMMAND,
    complaints::Complaints,
    error::ReaderError,
    frame::{FrameError, MessageCodec},
    protocol::{Reply, Request, VERSION},
};
use crate::event::{Event, EventSender};
use futures_util::{SinkExt, StreamExt};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    collections::VecDeque,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use tokio_util::codec::{FramedRead, FramedWrite};

/// How long a process that closed its output may take to end, before it is killed.
const TIME_TO_END: Duration = Duration::from_secs(1);
/// Lines of stderr that are quoted in an error.
const MOST_LAST_WORDS: usize = 5;
/// Lines of stderr that a reader's life brings to the user.
const MOST_WARNINGS: u64 = 100;
/// Room for a whole frame, in bytes.
const RECEIVE_BUFFER_BYTES: usize = 512 << 10;

/// A reader subprocess. It is killed when this is dropped, with all that belongs to its group.
pub(super) struct Process {
    reader: usize,
    pid: u32,
    child: Child,
    requests: FramedWrite<ChildStdin, MessageCodec<Reply>>,
    replies: FramedRead<ChildStdout, MessageCodec<Reply>>,
    /// What it writes to stderr; `None` behind its end.
    complaints: Option<Complaints>,
    n_complaints: u64,
    last_words: VecDeque<String>,
    events: EventSender,
}

/// What went wrong with a reader.
pub(super) enum Failure {
    /// Another one may do better.
    Passing(String),
    /// No other one can do better.
    Final(ReaderError),
}

impl Process {
    /// Starts a reader and makes sure that it is one, of this version, and without a GPU.
    pub(super) async fn start(
        reader: usize,
        program: &Path,
        handshake_time: Duration,
        events: &EventSender,
    ) -> Result<Self, Failure> {
        // The group of its own keeps Ctrl-C at the terminal away from readers: this process
        // decides when they end. A reader asks to be killed when the thread that started it ends,
        // which is the thread that all readers live on.
        let mut child = Command::new(program)
            .arg(SUBCOMMAND)
            .env("CUDA_VISIBLE_DEVICES", "")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| {
                Failure::Final(ReaderError::Spawn {
                    reader,
                    program: program.to_owned(),
                    source,
                })
            })?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three were asked for as pipes");
        };
        let mut process = Self {
            reader,
            pid: child.id().unwrap_or(0),
            child,
            requests: FramedWrite::new(stdin, MessageCodec::new()),
            replies: FramedRead::with_capacity(stdout, MessageCodec::new(), RECEIVE_BUFFER_BYTES),
            complaints: Some(Complaints::new(stderr)),
            n_complaints: 0,
            last_words: VecDeque::new(),
            events: events.clone(),
        };
        process.shake_hands(handshake_time).await?;
        Ok(process)
    }

    async fn shake_hands(&mut self, patience: Duration) -> Result<(), Failure> {
        let reader = self.reader;
        let Reply::Hello { version, pid, gpu } = self.receive(Some(patience)).await? else {
            return Err(self.misbehaved("sent another message before its greeting"));
        };
        if version != VERSION {
            return Err(Failure::Final(ReaderError::Version {
                reader,
                pid,
                theirs: version,
                ours: VERSION,
            }));
        }
        if let Some(fault) = gpu.fault() {
            return Err(Failure::Final(ReaderError::SeesGpu { reader, pid, fault }));
        }
        // Behind a wrapper that does not end with executing the reader, this is another process.
        self.pid = pid;
        self.events.send(Event::ReaderStarted { reader, pid });
        Ok(())
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends later complaints of the reader to `events`.
    pub(super) fn report_to(&mut self, events: &EventSender) {
        self.events = events.clone();
    }

    /// Asks the reader for something.
    pub(super) async fn send(&mut self, request: &Request) -> Result<(), Failure> {
        match self.requests.send(request).await {
            Ok(()) => Ok(()),
            // The reader is gone. Its last words say more than the broken pipe.
            Err(_) => Err(self.ended().await),
        }
    }

    /// The reader's next message. Waits no longer than `patience`, if one is given.
    pub(super) async fn receive(&mut self, patience: Option<Duration>) -> Result<Reply, Failure> {
        let reply = match patience {
            None => self.next_reply().await,
            Some(patience) => match timeout(patience, self.next_reply()).await {
                Ok(reply) => reply,
                Err(_) => {
                    let seconds = patience.as_secs_f64();
                    return Err(self.misbehaved(&format!("sent nothing for {seconds} s")));
                }
            },
        };
        match reply {
            Some(Ok(Reply::SeesGpu(gpu))) => Err(Failure::Final(ReaderError::SeesGpu {
                reader: self.reader,
                pid: self.pid,
                fault: gpu
                    .fault()
                    .unwrap_or_else(|| "it says so itself".to_owned()),
            })),
            Some(Ok(reply)) => Ok(reply),
            Some(Err(error)) => Err(self.misbehaved(&format!("sent garbage: {error}"))),
            None => Err(self.ended().await),
        }
    }

    /// The next message. Passes on what comes on stderr meanwhile.
    async fn next_reply(&mut self) -> Option<Result<Reply, FrameError>> {
        loop {
            let Some(complaints) = &mut self.complaints else {
                return self.replies.next().await;
            };
            tokio::select! {
                reply = self.replies.next() => return reply,
                line = complaints.next() => self.note(line),
            }
        }
    }

    /// Passes on a line of stderr and keeps it for an error.
    fn note(&mut self, line: std::io::Result<Option<String>>) {
        let Ok(Some(line)) = line else {
            self.complaints = None;
            return;
        };
        self.n_complaints += 1;
        let reader = self.reader;
        if self.n_complaints <= MOST_WARNINGS {
            self.events.warn(format!("reader {reader} says: {line}"));
        } else if self.n_complaints == MOST_WARNINGS + 1 {
            self.events
                .warn(format!("reader {reader} says more, which is left out"));
        }
        if self.last_words.len() == MOST_LAST_WORDS {
            self.last_words.pop_front();
        }
        self.last_words.push_back(line);
    }

    /// A failure of a reader that is alive.
    pub(super) fn misbehaved(&self, what: &str) -> Failure {
        Failure::Passing(format!(
            "reader {} (process {}) {what}{}",
            self.reader,
            self.pid,
            self.quotation()
        ))
    }

    /// The failure of a reader that closed its output.
    async fn ended(&mut self) -> Failure {
        // Its last words may still be on their way.
        let _ = timeout(TIME_TO_END, async {
            while let Some(complaints) = &mut self.complaints {
                let line = complaints.next().await;
                self.note(line);
            }
        })
        .await;
        let how = match timeout(TIME_TO_END, self.child.wait()).await {
            Ok(Ok(status)) => describe(status),
            _ => "closed its output".to_owned(),
        };
        self.misbehaved(&how)
    }

    fn quotation(&self) -> String {
        if self.last_words.is_empty() {
            return String::new();
        }
        let words: Vec<&str> = self.last_words.iter().map(String::as_str).collect();
        format!("; its last words: {}", words.join(" / "))
    }

    /// Kills the reader and waits for its end.
    pub(super) async fn kill(mut self) {
        self.kill_group();
        // It fails only if the reader has ended and was waited for.
        let _ = self.child.wait().await;
    }

    /// Kills the reader, and what a wrapper may have started beside it.
    fn kill_group(&self) {
        // A process that was waited for has no id any more, so the id is never that of another.
        if let Some(group) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It fails only if the whole group has ended.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
    }
}

fn describe(status: ExitStatus) -> String {
    // "signal: 9 (SIGKILL)" or "exit status: 1".
    format!("ended with {}", status.to_string().replacen(": ", " ", 1))
}
