//! What a server sends, piece by piece.

use super::{
    client::{Client, Head, Part},
    failure::Failure,
};
use std::{
    io::Read,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

/// Bytes of a piece at most, and pieces that may wait.
const PIECE_BYTES: usize = 256 << 10;
const MOST_PIECES: usize = 16;

/// What a server sends, piece by piece. A thread waits for it, so that whoever wants it can stop at any time;
/// it ends by itself when nobody wants its pieces, or the server is silent for too long.
#[derive(Debug)]
pub(super) struct Stream(Receiver<Result<Piece, Failure>>);

/// A piece of an answer.
#[derive(Debug)]
pub(super) enum Piece {
    /// What is said of what comes, first of all.
    Head(Head),
    /// The next bytes.
    Bytes(Vec<u8>),
}

/// What there is of a stream.
#[derive(Debug)]
pub(super) enum Next {
    /// The next piece.
    Piece(Piece),
    /// Nothing yet.
    Nothing,
    /// It went wrong.
    Failed(Failure),
    /// Nothing more.
    End,
}

impl Stream {
    /// Asks for what is at an address, from a byte on.
    pub(super) fn open(client: &Client, address: &str, first: u64) -> Self {
        let (sender, receiver) = sync_channel(MOST_PIECES);
        let (client, address) = (client.clone(), address.to_owned());
        thread::spawn(move || {
            if let Err(failure) = send(&client, &address, first, &sender) {
                // Nobody may be there any more.
                let _ = sender.send(Err(failure));
            }
        });
        Self(receiver)
    }

    /// The next piece, if it comes in time.
    pub(super) fn next(&self, patience: Duration) -> Next {
        match self.0.recv_timeout(patience) {
            Ok(Ok(piece)) => Next::Piece(piece),
            Ok(Err(failure)) => Next::Failed(failure),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }
}

fn send(
    client: &Client,
    address: &str,
    first: u64,
    sender: &SyncSender<Result<Piece, Failure>>,
) -> Result<(), Failure> {
    let mut answer = client.get(address, Part::From(first))?;
    let host = answer.head.host.clone();
    if sender.send(Ok(Piece::Head(answer.head))).is_err() {
        return Ok(());
    }
    let mut reader = answer.body.as_reader();
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let n_bytes = reader
            .read(&mut piece)
            .map_err(|error| Failure::cut(error, &host))?;
        piece.truncate(n_bytes);
        if n_bytes == 0 || sender.send(Ok(Piece::Bytes(piece))).is_err() {
            return Ok(());
        }
    }
}
