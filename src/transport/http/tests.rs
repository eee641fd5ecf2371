//! Both clients against servers that misbehave on the wire.

use super::{guard::check_host, *};
use std::io::Write as _;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use url::Url;

const LOCAL: Reach = Reach { private_network: true, tls: false };

/// Answers every connection with `bytes`, after having read something, and closes it.
async fn serve(bytes: Vec<u8>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            assert!(stream.read(&mut buffer).await.is_ok_and(|n| n > 0));
            stream.write_all(&bytes).await.ok();
        }
    });
    url
}

fn patience() -> Span {
    Span::seconds(20)
}

#[tokio::test]
async fn odd_spellings_of_the_own_machine_are_refused() {
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "169.254.169.254",
        "0",
        "user:pass@10.0.0.1",
        "8.8.8.8@192.168.1.1",
    ] {
        let url: Url = format!("http://{host}/").parse().unwrap();
        assert!(check_host(&url, false).is_err(), "{host} became {url}");
        assert!(check_host(&url, true).is_ok(), "{host}");
    }
    assert!(check_host(&"http://8.8.8.8/".parse().unwrap(), false).is_ok());
}

#[tokio::test]
async fn a_name_that_leads_home_is_refused_while_connecting() {
    let url = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    let named = format!("http://localhost:{}/", url.port().unwrap());
    let strict = money_client(Reach { private_network: false, tls: false }).unwrap();
    let error = call(strict.get(&named), patience()).await.unwrap_err();
    assert!(matches!(&error, CallError::Forbidden(why) if why.contains("localhost")), "{error:?}");
    let open = money_client(LOCAL).unwrap();
    assert_eq!(call(open.get(&named), patience()).await.unwrap().body, "{}");
}

#[tokio::test]
async fn only_a_failure_to_connect_proves_that_nothing_was_sent() {
    let client = money_client(LOCAL).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let refused = call(client.post(&closed), patience()).await.unwrap_err();
    assert!(matches!(refused, CallError::NotConnected(_)), "{refused:?}");
    // A name that does not exist.
    let nowhere = call(client.post("http://topupd.invalid/"), patience()).await.unwrap_err();
    assert!(matches!(nowhere, CallError::NotConnected(_)), "{nowhere:?}");
    // TLS with a server that speaks something else: the handshake fails before the request.
    let url = serve(b"220 not tls at all\r\n".to_vec()).await;
    let tls = format!("https://127.0.0.1:{}/", url.port().unwrap());
    let handshake = call(client.post(&tls), patience()).await.unwrap_err();
    assert!(matches!(handshake, CallError::NotConnected(_)), "{handshake:?}");
    for cut in
        ["", "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"id\":", "HTTP/1.1 2", "nonsense"]
    {
        let url = serve(cut.as_bytes().to_vec()).await;
        let lost = call(client.post(url).body("{}"), patience()).await.unwrap_err();
        assert!(matches!(lost, CallError::Lost(_)), "{cut:?}: {lost:?}");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let client = money_client(LOCAL).unwrap();
    let lost = call(client.post(&url).body("{}"), Span::from_ms(300)).await.unwrap_err();
    assert!(matches!(&lost, CallError::Lost(why) if why.contains("timed out")), "{lost:?}");
}

#[tokio::test]
async fn long_answers_and_compressed_bombs_are_stopped() {
    let mut long = b"HTTP/1.1 200 OK\r\ncontent-length: 2097152\r\n\r\n".to_vec();
    long.resize(long.len() + (2 << 20), b' ');
    let client = poll_client(LOCAL).unwrap();
    let error = call(client.get(serve(long).await), patience()).await.unwrap_err();
    assert!(error.why().contains("more than 1048576 bytes"), "{error:?}");

    let bomb = stored_gzip(3 << 20);
    let mut answer = Vec::new();
    write!(
        answer,
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    )
    .unwrap();
    answer.extend_from_slice(&bomb);
    let error = call(client.get(serve(answer).await), patience()).await.unwrap_err();
    assert!(error.why().contains("more than 1048576 bytes"), "{error:?}");
}

/// `size` zeros as gzip in stored blocks: no compressor is needed to test a decompressor.
fn stored_gzip(size: usize) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for _ in 0..size / 32_768 {
        out.extend_from_slice(&[0, 0x00, 0x80, 0xff, 0x7f]);
        out.resize(out.len() + 32_768, b' ');
    }
    out
}

#[tokio::test]
async fn redirects_are_answers_not_orders() {
    let url = serve(
        b"HTTP/1.1 307 T\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec(),
    )
    .await;
    let reply = call(money_client(LOCAL).unwrap().post(url), patience()).await.unwrap();
    assert_eq!(reply.status, 307);
}

#[tokio::test]
async fn retry_after_counts_in_seconds_only() {
    for (text, expected) in [("7", Some(Span::seconds(7))), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
    {
        let answer = format!("HTTP/1.1 503 X\r\nretry-after: {text}\r\ncontent-length: 0\r\n\r\n");
        let url = serve(answer.into_bytes()).await;
        let reply = call(poll_client(LOCAL).unwrap().get(url), patience()).await.unwrap();
        assert_eq!((reply.status, reply.retry_after), (503, expected));
    }
}

#[tokio::test]
async fn orders_never_share_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (accepted, mut connections) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, peer)) = listener.accept().await {
            accepted.send(peer).unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    let client = money_client(LOCAL).unwrap();
    for _ in 0..3 {
        assert!(call(client.get(&url), patience()).await.is_ok());
    }
    let peers: Vec<_> = std::iter::from_fn(|| connections.try_recv().ok()).collect();
    assert_eq!(peers.len(), 3, "{peers:?}");
}
