//! `-bs`: the caller speaks SMTP with the server, on its standard input and output.

use std::io::{self, Read, Write};

use bytes::Bytes;
use postroad_host::{net, tasks};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::server::Server;
use super::{Failure, Status, handover};

/// How much is moved at once.
const PIECE: usize = 16 * 1024;

/// How many pieces of the caller's wait for the server.
const WAITING: usize = 4;

/// Carries octets between the caller and the server until the server ends the conversation; time-outs are
/// the server's.
pub(super) async fn speak(server: &Server) -> Result<(), Failure> {
    let connection = match handover::connect(server).await {
        Ok(connection) => connection,
        Err(failure) => {
            // The greeting that a caller who only reads replies understands (RFC 5321 3.8).
            let _ = write_out(b"421 4.3.2 The server can't be reached\r\n");
            return Err(failure);
        }
    };
    let (from_server, to_server) = tokio::io::split(connection);
    let (pieces, input) = mpsc::channel(WAITING);
    tasks::thread("stdin", move || read_in(&pieces))
        .map_err(|error| Failure::new(Status::System, format!("no thread: {error}")))?;
    // What the caller says goes on until the server has ended, and then nobody waits for it.
    let sending = tasks::spawn(send(input, to_server));
    let ended = answer(from_server).await;
    sending.abort();
    ended.map_err(|error| Failure::new(Status::Later, format!("the conversation broke: {error}")))
}

/// Reads what the caller says; it blocks.
fn read_in(pieces: &mpsc::Sender<Bytes>) {
    let mut input = io::stdin().lock();
    let mut piece = vec![0; PIECE];
    loop {
        match input.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(octets) => {
                let piece = Bytes::copy_from_slice(&piece[..octets]);
                if pieces.blocking_send(piece).is_err() {
                    return;
                }
            }
        }
    }
}

async fn send(mut input: mpsc::Receiver<Bytes>, mut to_server: WriteHalf<net::Connection>) {
    while let Some(piece) = input.recv().await {
        if to_server.write_all(&piece).await.is_err() {
            return;
        }
    }
    // The end of the caller's input is the end of the server's; its last replies still come.
    let _ = to_server.shutdown().await;
}

async fn answer(mut from_server: ReadHalf<net::Connection>) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match from_server.read(&mut piece).await? {
            0 => return Ok(()),
            octets => write_out(&piece[..octets])?,
        }
    }
}

fn write_out(octets: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(octets)?;
    out.flush()
}
