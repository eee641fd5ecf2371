//! HTTP by hand: requests read, answers written, and every way of breaking off.

use super::{
    fault::Fault,
    oracle::{Oracle, Order, record},
};
use serde_json::json;
use std::{collections::HashMap, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One request.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: HashMap<String, String>,
    pub(super) body: String,
}

impl Oracle {
    /// Answers as the fault says.
    pub(super) async fn reply(
        &self,
        stream: &mut TcpStream,
        order: &Order,
        fault: Fault,
    ) -> std::io::Result<()> {
        let whole = |status: &str| record(order, status).to_string();
        match fault {
            Fault::Done | Fault::NoEffect | Fault::Reversed => {
                answer(stream, 200, &whole("done")).await
            }
            Fault::Refused => answer(stream, 402, r#"{"status":"refused"}"#).await,
            Fault::RefusedThenCharged => answer(stream, 402, r#"{"status":"refused"}"#).await,
            Fault::Code { code, .. } => answer(stream, code, "{}").await,
            Fault::Redirect(code) => {
                let head = format!(
                    "HTTP/1.1 {code} Moved\r\nLocation: http://{}/a/topups\r\nContent-Length: 0\r\n\r\n",
                    self.address
                );
                stream.write_all(head.as_bytes()).await
            }
            Fault::ResetBefore | Fault::ResetUncharged | Fault::ResetCharged => reset(stream),
            Fault::ResetMidAnswer => {
                let text = whole("done");
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}",
                    text.len(),
                    &text[..text.len() / 2]
                );
                stream.write_all(head.as_bytes()).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
                reset(stream)
            }
            Fault::HangUncharged | Fault::HangCharged => {
                tokio::time::sleep(Duration::from_secs(30)).await;
                Ok(())
            }
            Fault::SlowLoris => {
                for byte in
                    b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n".iter().cycle().take(4000)
                {
                    stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
                Ok(())
            }
            Fault::Truncated => {
                let text = whole("done");
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}",
                    text.len() + 50,
                    text
                );
                stream.write_all(head.as_bytes()).await
            }
            Fault::Html => {
                answer(stream, 200, "<html><body>Welcome to our portal</body></html>").await
            }
            Fault::Empty => answer(stream, 200, "").await,
            Fault::EmptyObject => answer(stream, 200, "{}").await,
            Fault::Garbage => answer(stream, 200, "\u{0}\u{1}not json {{{").await,
            Fault::NotHttp => stream.write_all(b"220 smtp.example.com ESMTP\r\n").await,
            Fault::Bomb => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
                for _ in 0..64 {
                    stream.write_all(chunk.as_bytes()).await?;
                }
                Ok(())
            }
            Fault::Deep => {
                answer(stream, 200, &format!("{}{}", "[".repeat(50_000), "]".repeat(50_000))).await
            }
            Fault::WrongAmount | Fault::WrongCurrency | Fault::WrongNumber => {
                let mut record = record(order, "done");
                match fault {
                    Fault::WrongAmount => record["amount"] = json!("11.00"),
                    Fault::WrongCurrency => record["currency"] = json!("EUR"),
                    _ => record["msisdn"] = json!("+12025559999"),
                }
                answer(stream, 200, &record.to_string()).await
            }
            Fault::WrongReference => answer(stream, 200, &whole("done")).await,
            Fault::Duplicate => answer(stream, 409, r#"{"error":"duplicate reference"}"#).await,
            Fault::UnknownWord => answer(stream, 200, &whole("queued-for-review")).await,
            Fault::Pending | Fault::PendingForever | Fault::PendingThenRefused => {
                answer(stream, 202, &whole("pending")).await
            }
            Fault::Late => answer(stream, 500, "{}").await,
        }
    }
}

pub(super) async fn answer(stream: &mut TcpStream, code: u16, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.flush().await
}

/// Ends with RST instead of FIN.
pub(super) fn reset(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_zero_linger()
}

pub(super) async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<Request>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length:")
                        .map(|n| n.trim().to_owned())
                })
                .and_then(|n| n.parse::<usize>().ok())
                .unwrap_or(0);
            while buffer.len() < end + 4 + length {
                if stream.read_buf(buffer).await? == 0 {
                    return Ok(None);
                }
            }
            let rest = buffer.split_off(end + 4 + length);
            let body = String::from_utf8_lossy(&buffer[end + 4..]).into_owned();
            *buffer = rest;
            let mut words = head.split_whitespace();
            let (method, target) =
                (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let query = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()));
            return Ok(Some(Request {
                method: method.into(),
                path: path.into(),
                query: query.collect(),
                body,
            }));
        }
        // A TLS greeting: nobody here speaks that.
        if stream.read_buf(buffer).await? == 0 || buffer.first() == Some(&0x16) {
            return Ok(None);
        }
    }
}
