//! Asks a server at its control socket.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use axum::http::StatusCode;
use axum::http::{Method, Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use postroad_host::net::unix::UnixStream;
use postroad_host::tasks;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{
    Action, Came, Collection, Done, Health, Listing, Message, Order, Page, Place, Refused,
    Reloaded, Site,
};
use crate::filter::Filter;

/// How long to wait for somebody to answer at the socket.
const CONNECT: Duration = Duration::from_secs(10);

/// How long one answer may take: a page of changes is many flushes of a slow disk.
const ANSWER: Duration = Duration::from_secs(300);

/// A connection to a server. Needs a runtime.
#[derive(Debug)]
pub struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    path: PathBuf,
}

/// Why a server gave no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// Nobody is there: there is no such socket, or nobody listens at it.
    Nobody,
    /// This user may not ask there.
    NotAllowed,
    /// The connection failed.
    Broken(String),
    /// It refused, in its words.
    Refused(StatusCode, String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Nobody => f.write_str("nobody answers there"),
            Unanswered::NotAllowed => {
                f.write_str("only the server's own user and root may ask there")
            }
            Unanswered::Broken(what) => f.write_str(what),
            Unanswered::Refused(_, words) => f.write_str(words),
        }
    }
}

impl Error for Unanswered {}

impl Client {
    /// Connects to the socket at `path`.
    pub async fn connect(path: &Path) -> Result<Client, Unanswered> {
        let stream = UnixStream::connect(path, CONNECT).await.map_err(|error| {
            let words = error.to_string();
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Unanswered::Nobody,
                io::ErrorKind::PermissionDenied => Unanswered::NotAllowed,
                _ => Unanswered::Broken(words),
            }
        })?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        // It ends with the connection; what was wrong with it the answer says.
        tasks::spawn(async move { drop(connection.await) });
        Ok(Client {
            sender,
            path: path.into(),
        })
    }

    /// Where it is connected to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A page of the messages that match, oldest first.
    pub async fn page(&mut self, filter: &Filter, place: &Place) -> Result<Page, Unanswered> {
        let listing = Listing::new(filter.clone(), place.clone());
        let query = serde_urlencoded::to_string(&listing).map_err(|error| broken(&error))?;
        self.get(&format!("/v1/queue?{query}")).await
    }

    /// One message, with its history. `id` is a queue id.
    pub async fn show(&mut self, id: &str) -> Result<Message, Unanswered> {
        self.get(&format!("/v1/queue/{id}")).await
    }

    /// Does something to messages, on one page of the queue.
    pub async fn act(&mut self, action: Action, order: &Order) -> Result<Done, Unanswered> {
        self.post(&format!("/v1/queue/do/{}", action.word()), order)
            .await
    }

    /// Each destination.
    pub async fn sites(&mut self) -> Result<Vec<Site>, Unanswered> {
        self.get("/v1/sites").await
    }

    /// Each provider that mail is collected from.
    pub async fn collections(&mut self) -> Result<Vec<Collection>, Unanswered> {
        self.get("/v1/collections").await
    }

    /// Has the server collect mail from the provider of this name, which is a word.
    pub async fn collect(&mut self, name: &str) -> Result<Came, Unanswered> {
        self.post(&format!("/v1/collect/{name}"), &()).await
    }

    /// Whether the server is well. One that isn't says why.
    pub async fn health(&mut self) -> Result<Health, Unanswered> {
        let (_, body) = self.ask(Method::GET, "/health", Bytes::new()).await?;
        read(&body)
    }

    /// Whether the server takes mail; refused in its words if it doesn't.
    pub async fn ready(&mut self) -> Result<(), Unanswered> {
        let answer = self.ask(Method::GET, "/ready", Bytes::new()).await?;
        accepted(answer).map(drop)
    }

    /// Its counters, as OpenMetrics has them.
    pub async fn metrics(&mut self) -> Result<String, Unanswered> {
        let answer = self.ask(Method::GET, "/metrics", Bytes::new()).await?;
        let octets = accepted(answer)?;
        String::from_utf8(octets.into()).map_err(|error| broken(&error))
    }

    /// Has the server read its configuration again.
    pub async fn reload(&mut self) -> Result<Reloaded, Unanswered> {
        self.post("/v1/reload", &()).await
    }

    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Unanswered> {
        let answer = self.ask(Method::GET, path, Bytes::new()).await?;
        read(&accepted(answer)?)
    }

    async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Unanswered> {
        let body = serde_json::to_vec(body).map_err(|error| broken(&error))?;
        let answer = self.ask(Method::POST, path, body.into()).await?;
        read(&accepted(answer)?)
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Unanswered> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            // RFC 9112 3.2 wants one; which it is makes no difference here.
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| broken(&error))?;
        let answer = async {
            // An error is that of the connection, which the server ended.
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            let octets = response.into_body().collect().await?.to_bytes();
            Ok((status, octets))
        };
        match tasks::timeout(ANSWER, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if ended(&error) => Err(Unanswered::Broken(CLOSED.into())),
            Ok(Err(error)) => Err(broken(&error)),
            Err(tasks::TimedOut) => Err(Unanswered::Broken("it took too long to answer".into())),
        }
    }
}

/// Where the mode of the socket lets somebody through whom it is not for.
const CLOSED: &str = "the server closed the connection: it answers its own user and root alone, or it is \
                      just ending";

fn ended(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    let cut = cause.is_some_and(|error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        )
    });
    cut || error.is_closed() || error.is_incomplete_message() || error.is_canceled()
}

fn accepted((status, octets): (StatusCode, Bytes)) -> Result<Bytes, Unanswered> {
    if status.is_success() {
        return Ok(octets);
    }
    let words = match serde_json::from_slice::<Refused>(&octets) {
        Ok(refused) => refused.error,
        Err(_) => String::from_utf8_lossy(&octets).into_owned(),
    };
    Err(Unanswered::Refused(status, words))
}

fn read<T: DeserializeOwned>(octets: &[u8]) -> Result<T, Unanswered> {
    serde_json::from_slice(octets).map_err(|error| broken(&error))
}

fn broken(error: &impl fmt::Display) -> Unanswered {
    Unanswered::Broken(error.to_string())
}
