//! Clients that are slow, many, or say too much.

use super::World;
use crate::admin::connections::{self, Limits};
use axum::{Router, body::Bytes, routing::post};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

const SHORT: Limits = Limits {
    head: Duration::from_millis(400),
    answer: Duration::from_millis(400),
    life: Duration::from_secs(2),
    most: 4,
};
/// What is not over after this never ends.
const LONG: Duration = Duration::from_secs(20);

/// Echoes what it is sent, under short limits.
struct Echo {
    at: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Echo {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let echo = Router::new().route("/", post(|body: Bytes| async { body }));
        let server = tokio::spawn(connections::serve(listener, echo, SHORT, async {
            stopped.await.ok();
        }));
        Self { at, stop, server }
    }

    /// Sends `text` a byte at a time; how long the connection was there, and what came back.
    async fn drip(&self, text: &str) -> (Duration, String) {
        let (mut reader, mut writer) = TcpStream::connect(self.at).await.unwrap().into_split();
        let (started, text) = (Instant::now(), text.to_owned());
        let dripping = tokio::spawn(async move {
            for byte in text.bytes() {
                if writer.write_all(&[byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
            // Held open until the other side is tired of it.
            sleep(LONG).await;
        });
        let mut answer = Vec::new();
        timeout(LONG, reader.read_to_end(&mut answer)).await.unwrap().ok();
        dripping.abort();
        (started.elapsed(), String::from_utf8(answer).unwrap())
    }
}

#[tokio::test]
async fn nobody_drips_the_head_of_a_request_for_ever() {
    let echo = Echo::new().await;
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nX-Slow: {}\r\n\r\n", "x".repeat(1000));
    let (took, answer) = echo.drip(&head).await;
    assert!(took < Duration::from_secs(5), "{took:?}: {answer}");
    assert!(!answer.contains("200 OK"), "{answer}");
    // Nor holds a connection without a word, at first or after an answer.
    let (took, _) = echo.drip("").await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let (took, answer) = echo.drip("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(answer.is_empty() || answer.contains("HTTP/1.1"), "{answer}");
}

#[tokio::test]
async fn no_connection_lives_for_ever_however_busy_it_is() {
    let echo = Echo::new().await;
    let mut stream = TcpStream::connect(echo.at).await.unwrap();
    let (started, mut answers) = (Instant::now(), 0);
    let request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    let mut buffer = [0; 4096];
    while stream.write_all(request).await.is_ok() {
        match timeout(LONG, stream.read(&mut buffer)).await.unwrap() {
            Ok(n) if n > 0 => answers += 1,
            _ => break,
        }
        assert!(started.elapsed() < LONG, "{answers} answers");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(answers > 10, "{answers}");
    assert!(started.elapsed() >= SHORT.life, "{:?}", started.elapsed());
}

#[tokio::test]
async fn more_clients_than_there_are_places_wait_and_are_served() {
    let echo = Echo::new().await;
    let mut silent = Vec::new();
    for _ in 0..SHORT.most * 3 {
        silent.push(TcpStream::connect(echo.at).await.unwrap());
    }
    let mut stream = TcpStream::connect(echo.at).await.unwrap();
    let request = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    timeout(LONG, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    assert!(text.ends_with("\r\n\r\nhi"), "{text}");
}

#[tokio::test]
async fn silent_clients_do_not_hold_up_the_end() {
    let echo = Echo::new().await;
    let _silent = TcpStream::connect(echo.at).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    echo.stop.send(()).unwrap();
    timeout(Duration::from_secs(9), echo.server).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_and_let_go() {
    let world = World::within(SHORT).await;
    let before = world.get("/api/v1/money").await.json();
    let mut stream = TcpStream::connect(world.at).await.unwrap();
    let head = format!(
        "POST /api/v1/money/off HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
        world.at, world.tokens["operator"]
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    timeout(LONG, stream.read_to_end(&mut text)).await.unwrap().ok();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("problem+json"), "{text}");
    assert_eq!(world.get("/api/v1/money").await.json(), before);
}

#[tokio::test]
async fn who_says_too_much_is_not_heard() {
    let world = World::new().await;
    let host = || ("Host", world.at.to_string());
    let long = "x".repeat(100_000);
    let answer = world.send("GET", &format!("/{long}"), &[host()], "").await;
    assert!([414, 431].contains(&answer.status), "{}", answer.status);
    let answer = world.send("GET", "/healthz", &[host(), ("X-Long", long.clone())], "").await;
    assert_eq!(answer.status, 431);
    let many: Vec<_> = (0..200).map(|_| ("X-Many", "x".to_owned())).chain([host()]).collect();
    assert_eq!(world.send("GET", "/healthz", &many, "").await.status, 431);
    // A long address that is let in is refused like any other that leads nowhere.
    world.get(&format!("/api/v1/topups/{}", "x".repeat(5_000))).await.problem(404);
    world.get(&format!("/api/v1/topups?payer={}&x=1", "x".repeat(5_000))).await.problem(422);
}

#[tokio::test]
async fn nul_is_in_no_name_and_no_text() {
    let world = World::new().await;
    for path in
        ["topups/%00", "topups/t%00/receipt", "subscriptions/l0%00", "subscriptions/%00/explain"]
    {
        world.get(&format!("/api/v1/{path}")).await.problem(400);
    }
    world.ask("DELETE", "/api/v1/tokens/%00", "admin", "").await.problem(400);
    for query in ["topups?payer=%00", "subscriptions?q=%00", "notices?channel=a%00"] {
        world.get(&format!("/api/v1/{query}")).await.problem(400);
    }
    assert_eq!(world.ask("GET", "/lines/%00", "nobody", "").await.status, 400);
    assert_eq!(world.ask("POST", "/sign-in", "nobody", "user=a%00&password=x").await.status, 422);
    let body = r#"{"reason":"a\u0000b"}"#;
    world.ask("POST", "/api/v1/money/off", "operator", body).await.problem(422);
    let body = r#"{"role":"viewer","note":"\u0000"}"#;
    world.ask("POST", "/api/v1/tokens", "admin", body).await.problem(422);
    let fleet = r#"{"subscribers":[{"id":"x","name":"a\u0000"}]}"#;
    world.ask("POST", "/api/v1/fleet", "admin", fleet).await.problem(422);
}
