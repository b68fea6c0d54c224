//! What is refused, and that it is said as everything else is.

use std::path::Path;

use postroad_control::Client;
use postroad_control::api::{Action, Order};
use postroad_control::client::{StatusCode, Unanswered};
use postroad_host::net::unix::UnixStream;
use postroad_store::Pressure;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stand::{ago, with_server};

/// The status and the body of the answer to a request that no client of ours would make.
pub(crate) async fn raw(socket: &Path, method: &str, path: &str, body: &str) -> (u16, String) {
    let patience = Duration::from_secs(10);
    let mut stream = UnixStream::connect(socket, patience).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    with_server(async |served| {
        let id = served.stand.queue("", &["b@example.net"], ago(60)).await;
        let both = format!("{{\"ids\":[\"{id}\"],\"all\":true}}");
        let back = format!("{{\"ids\":[\"{id}\"],\"to\":\"mx.example\"}}");
        let cases = [
            ("GET", "/v1/queue?sende=x", "", 400, "unknown field `sende`"),
            (
                "GET",
                "/v1/queue?state=lost",
                "",
                400,
                "unknown variant `lost`",
            ),
            ("GET", "/v1/queue?older=old", "", 400, "invalid digit"),
            ("GET", "/v1/queue?cursor=1", "", 400, "no queue id"),
            ("GET", "/v1/queue/nonsense", "", 400, "no queue id"),
            (
                "GET",
                "/v1/queue/0000000000001",
                "",
                404,
                "no message 0000000000001",
            ),
            (
                "POST",
                "/v1/queue/do/explode",
                "{}",
                400,
                "unknown variant `explode`",
            ),
            (
                "POST",
                "/v1/queue/do/delete",
                "{}",
                400,
                "every message in the queue",
            ),
            (
                "POST",
                "/v1/queue/do/delete",
                "{\"filter\":{}}",
                400,
                "every message",
            ),
            (
                "POST",
                "/v1/queue/do/delete",
                "{\"filter\":{\"sendr\":\"x\"},\"all\":true}",
                400,
                "unknown field `sendr`",
            ),
            (
                "POST",
                "/v1/queue/do/delete",
                "{\"filter\":{\"sender\":\"x\"},\"all\":true}",
                400,
                "either",
            ),
            (
                "POST",
                "/v1/queue/do/delete",
                "{\"al\":true}",
                400,
                "unknown field `al`",
            ),
            ("POST", "/v1/queue/do/delete", "{", 400, "EOF"),
            ("POST", "/v1/queue/do/delete", &both, 400, "either"),
            ("POST", "/v1/queue/do/hold", &back, 400, "only a redirect"),
            ("POST", "/v1/queue/do/redirect", &back, 400, "no next hop"),
            (
                "POST",
                "/v1/queue/do/redirect",
                "{\"all\":true}",
                400,
                "where to",
            ),
            (
                "POST",
                "/v1/queue/do/delete",
                "{\"ids\":[\"x\"]}",
                400,
                "no queue id",
            ),
            ("GET", "/v1/queue/do/delete", "", 405, "method"),
            ("DELETE", "/v1/queue", "", 405, "method"),
            ("GET", "/v2", "", 404, "/openapi.json"),
        ];
        for (method, path, body, status, words) in cases {
            let (got, said) = raw(&served.socket, method, path, body).await;
            assert_eq!(got, status, "{method} {path} {body}: {said}");
            let said: serde_json::Value = serde_json::from_str(&said).unwrap();
            let error = said["error"].as_str().unwrap();
            assert!(error.contains(words), "{method} {path} {body}: {error}");
        }
        assert_eq!(served.stand.changed.lock().unwrap().len(), 0);
    });
}

#[test]
fn a_store_that_can_not_write_is_503() {
    with_server(async |mut served| {
        let id = served.stand.queue("", &["b@example.net"], ago(60)).await;
        served.stand.store.set_pressure(Pressure::ReadOnly);
        let order = Order {
            ids: vec![id.to_string()],
            ..Order::default()
        };
        let refused = served.client.act(Action::Hold, &order).await;
        let Err(Unanswered::Refused(status, words)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(words.contains("read-only"), "{words}");
    });
}

#[test]
fn what_the_server_says_of_itself_comes_through() {
    with_server(async |mut served| {
        let client = &mut served.client;
        assert!(client.ready().await.is_ok() && client.health().await.unwrap().ok);
        assert_eq!(client.metrics().await.unwrap(), "# EOF\n");
        assert_eq!(client.sites().await.unwrap()[0].waiting, 70);
        assert_eq!(client.reload().await.unwrap().changed, ["limits.hops"]);
        *served.stand.answer.lock().unwrap() = Err("the disk is full".into());
        let health = client.health().await.unwrap();
        assert!(!health.ok);
        assert_eq!(health.problems, ["the disk is full"]);
        let refused = client.ready().await.unwrap_err();
        assert_eq!(refused.to_string(), "the disk is full");
        let refused = client.reload().await.unwrap_err();
        assert!(
            matches!(refused, Unanswered::Refused(StatusCode::CONFLICT, _)),
            "{refused:?}"
        );
    });
}

#[test]
fn nobody_at_the_socket_is_told_apart() {
    with_server(async |served| {
        let nothing = served.socket.with_file_name("nothing");
        let none = Client::connect(&nothing).await.map(drop);
        assert!(matches!(none, Err(Unanswered::Nobody)), "{none:?}");
        drop(std::os::unix::net::UnixListener::bind(&nothing).unwrap());
        let none = Client::connect(&nothing).await.map(drop);
        assert!(matches!(none, Err(Unanswered::Nobody)), "{none:?}");
    });
}
