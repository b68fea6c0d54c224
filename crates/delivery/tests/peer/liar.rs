//! A server that says what it is told to, whatever it hears.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A server on loopback. Each connection plays the next of its scripts; there are no others.
///
/// A script has a line for each step. `S: ` says the rest of it; `C: ` hears a line that has to begin with the
/// rest; `DATA` hears a message up to its lone dot, `CHUNK` one that comes in a last chunk; `PAUSE` waits a fifth of a second; `EOF` waits
/// until the client has closed. At its end it closes.
pub(crate) struct Liar {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

/// What a server has heard.
#[derive(Debug, Default, Clone)]
pub(crate) struct Heard {
    /// How many connections there were.
    pub(crate) connections: usize,
    /// Where they came from.
    pub(crate) from: Vec<SocketAddr>,
    /// Whole messages, unstuffed.
    pub(crate) messages: Vec<Vec<u8>>,
    /// All commands.
    pub(crate) lines: Vec<String>,
    /// What was otherwise than in the script.
    wrong: Vec<String>,
    /// How many scripts are over.
    over: usize,
}

impl Liar {
    pub(crate) async fn start<const N: usize>(scripts: [&str; N]) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let scripts = scripts.map(str::to_owned);
        tokio::spawn(serve(listener, scripts.into(), Arc::clone(&heard)));
        Liar { address, heard }
    }

    pub(crate) fn smtp(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub(crate) fn lmtp(&self) -> String {
        format!("lmtp://{}", self.address)
    }

    /// What was heard, once all that was begun is over.
    pub(crate) async fn heard(&self) -> Heard {
        loop {
            let heard = self.heard.lock().unwrap().clone();
            if heard.over == heard.connections {
                assert!(heard.wrong.is_empty(), "{heard:#?}");
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn serve(listener: TcpListener, scripts: Vec<String>, heard: Arc<Mutex<Heard>>) {
    for script in scripts {
        let (stream, from) = listener.accept().await.unwrap();
        {
            let mut heard = heard.lock().unwrap();
            heard.connections += 1;
            heard.from.push(from);
        }
        let heard = Arc::clone(&heard);
        tokio::spawn(async move {
            let played = play(stream, &script, &heard).await;
            let mut heard = heard.lock().unwrap();
            if let Err(wrong) = played {
                heard.wrong.push(wrong);
            }
            heard.over += 1;
        });
    }
}

async fn play(stream: TcpStream, script: &str, heard: &Mutex<Heard>) -> Result<(), String> {
    let mut stream = BufReader::new(stream);
    for step in script
        .lines()
        .map(str::trim)
        .filter(|step| !step.is_empty())
    {
        if let Some(text) = step.strip_prefix("S: ") {
            let line = format!("{text}\r\n");
            // A client may have gone by now, which it is for the test to find right or wrong.
            let _ = stream.get_mut().write_all(line.as_bytes()).await;
        } else if let Some(expected) = step.strip_prefix("C: ") {
            let line = line(&mut stream).await;
            heard.lock().unwrap().lines.push(line.clone());
            if !line.starts_with(expected) {
                return Err(format!("{expected} was to come, and it was {line:?}"));
            }
        } else {
            match step {
                "DATA" => {
                    let message = data(&mut stream).await?;
                    heard.lock().unwrap().messages.push(message);
                }
                "CHUNK" => {
                    let message = chunk(&mut stream).await?;
                    heard.lock().unwrap().messages.push(message);
                }
                "PAUSE" => tokio::time::sleep(Duration::from_millis(200)).await,
                "EOF" => {
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                    let rest = String::from_utf8_lossy(&rest).into_owned();
                    heard.lock().unwrap().lines.push(rest);
                }
                other => return Err(format!("{other} is no step")),
            }
        }
    }
    Ok(())
}

async fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = Vec::new();
    let _ = stream.read_until(b'\n', &mut line).await;
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

async fn data(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>, String> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        let read = stream.read_until(b'\n', &mut line).await;
        if read.is_err() || line.is_empty() {
            return Err("the message ended without its dot".to_owned());
        }
        match line.strip_prefix(b".") {
            Some(b"\r\n") => return Ok(message),
            Some(rest) => message.extend_from_slice(rest),
            None => message.extend_from_slice(&line),
        }
    }
}

async fn chunk(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>, String> {
    let line = line(stream).await;
    let size = line
        .strip_prefix("BDAT ")
        .and_then(|rest| rest.strip_suffix(" LAST"))
        .and_then(|size| size.parse().ok())
        .ok_or(format!("a last chunk was to come, and it was {line:?}"))?;
    let mut message = vec![0; size];
    let read = stream.read_exact(&mut message).await;
    read.map(|_| message).map_err(|error| error.to_string())
}
