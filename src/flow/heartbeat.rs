//! Who watches the watchman: a call to a dead man's switch after every healthy round, and one with
//! `/fail` otherwise. Silence is the alarm, so a call that fails is only logged.
//!
//! Facts: the pinging API of healthchecks.io (`URL`, `URL/fail`, a body of up to 100 kB).

use super::Engine;
use crate::domain::Span;
use crate::transport::http::{Endpoint, Place, Rendered};
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;

/// A loop that is busy for longer than this counts as stuck, as for `/readyz`.
const PATIENCE: Span = Span::minutes(5);
const TIMEOUT: Span = Span::seconds(20);

/// The switch, where one is configured.
#[derive(Debug)]
pub(super) struct Heartbeat {
    endpoint: Endpoint,
    every: Span,
}

impl Heartbeat {
    /// Made of `[notices]`.
    pub(super) fn of(engine: &Engine) -> Option<Self> {
        let notices = &engine.settings().notices;
        let url = notices.heartbeat_url.as_ref()?;
        // A person wrote it, and it may well be in the own network.
        let place = Place::trusted(url.expose_secret())?;
        match place.endpoint() {
            Ok(endpoint) => Some(Self { endpoint, every: notices.heartbeat_every }),
            Err(why) => {
                tracing::error!("there is no heartbeat: {why}");
                None
            }
        }
    }

    /// Beats until the daemon stops.
    pub(super) async fn run(self, engine: Engine, mut stopped: watch::Receiver<bool>) {
        loop {
            // First of all the loops need time to come round.
            tokio::select! {
                () = tokio::time::sleep(self.every.to_std()) => {}
                _ = stopped.changed() => {}
            }
            if *stopped.borrow() {
                return;
            }
            let trouble = engine.trouble(engine.beats(), PATIENCE, engine.now()).await;
            if let Err(why) = self.beat(trouble.as_deref()).await {
                tracing::warn!("the heartbeat was not taken: {why}");
            }
        }
    }

    async fn beat(&self, trouble: Option<&str>) -> Result<(), String> {
        let request = Rendered {
            method: "POST".to_owned(),
            path: if trouble.is_some() { "/fail".to_owned() } else { String::new() },
            body: Some(trouble.unwrap_or("healthy").to_owned()),
            content_type: Some("text/plain; charset=utf-8".to_owned()),
            ..Rendered::default()
        };
        let sent = self.endpoint.once(&request, HeaderMap::new(), TIMEOUT).await;
        let status = sent.map_err(|error| error.why().to_owned())?.status;
        if (200..300).contains(&status) { Ok(()) } else { Err(format!("HTTP status {status}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    #[tokio::test]
    async fn health_and_trouble_go_to_different_places() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ping/uuid-1", listener.local_addr().unwrap());
        let endpoint = Place::trusted(&url).unwrap().endpoint().unwrap();
        let heartbeat = Heartbeat { endpoint, every: Span::minutes(5) };
        let server = tokio::spawn(async move {
            let mut heard = Vec::new();
            for status in ["200 OK", "200 OK", "404 Not Found"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let n = stream.read(&mut request).await.unwrap();
                heard.push(String::from_utf8_lossy(&request[..n]).into_owned());
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            heard
        });
        assert_eq!(heartbeat.beat(None).await, Ok(()));
        assert_eq!(heartbeat.beat(Some("poll carrier made no progress for 6m")).await, Ok(()));
        assert!(heartbeat.beat(None).await.unwrap_err().contains("404"));
        let heard = server.await.unwrap();
        assert!(heard[0].starts_with("POST /ping/uuid-1 HTTP/1.1"), "{}", heard[0]);
        assert!(heard[1].starts_with("POST /ping/uuid-1/fail HTTP/1.1"), "{}", heard[1]);
        assert!(heard[1].ends_with("poll carrier made no progress for 6m"), "{}", heard[1]);
        assert!(heartbeat.beat(None).await.is_err(), "nobody is there any more");
    }
}
