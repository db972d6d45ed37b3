//! WebSockets to measure a proxy with: a server that sends back what it gets, and clients.
//!
//!     websockets echo                          prints its port, and serves until it is ended
//!     websockets load URL CONNECTIONS SECONDS  prints round trips a second, and their 99th percentile in microseconds
//!     websockets hold URL CONNECTIONS          prints "open", and keeps them until standard input ends
//!
//! Each runs on one thread.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::Read;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use futures_util::{SinkExt, StreamExt};

type Failure = Box<dyn Error + Send + Sync>;

/// What a kernel says when a cell prints a line, about.
const MESSAGE: &[u8] = &[b'x'; 512];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match arguments[..] {
                ["echo"] => echo().await,
                ["load", url, connections, seconds] => {
                    let seconds = Duration::from_secs(seconds.parse()?);
                    load(url, connections.parse()?, seconds).await
                }
                ["hold", url, connections] => hold(url, connections.parse()?).await,
                _ => Err(
                    "usage: websockets echo | load URL CONNECTIONS SECONDS | hold URL CONNECTIONS"
                        .into(),
                ),
            }
        })
}

async fn echo() -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let mut socket = accept_async(stream).await?;
            while let Some(message) = socket.next().await {
                let message = message?;
                if message.is_binary() {
                    socket.send(message).await?;
                }
            }
            Ok::<_, Failure>(())
        });
    }
}

async fn load(url: &str, connections: usize, duration: Duration) -> Result<(), Failure> {
    let sockets = open(url, connections).await?;
    let begin = Instant::now();
    let mut clients = JoinSet::new();
    for mut socket in sockets {
        clients.spawn(async move {
            let mut took = Vec::new();
            while begin.elapsed() < duration {
                let sent = Instant::now();
                round_trip(&mut socket).await?;
                took.push(sent.elapsed());
            }
            Ok::<_, Failure>(took)
        });
    }
    let mut took = Vec::new();
    while let Some(ended) = clients.join_next().await {
        took.extend(ended??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    took.sort_unstable();
    let p99 = took.get(took.len() * 99 / 100).ok_or("no round trip")?;
    println!("{:.0} {}", took.len() as f64 / seconds, p99.as_micros());
    Ok(())
}

async fn hold(url: &str, connections: usize) -> Result<(), Failure> {
    let mut sockets = open(url, connections).await?;
    for socket in &mut sockets {
        round_trip(socket).await?;
    }
    println!("open");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn open(url: &str, connections: usize) -> Result<Vec<WebSocketStream<TcpStream>>, Failure> {
    let host = url.trim_start_matches("ws://").split('/').next();
    let address: SocketAddr = host.unwrap_or_default().parse()?;
    let mut sockets = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        sockets.push(client_async(url, stream).await?.0);
    }
    Ok(sockets)
}

async fn round_trip(socket: &mut WebSocketStream<TcpStream>) -> Result<(), Failure> {
    socket
        .send(Message::Binary(Bytes::from_static(MESSAGE)))
        .await?;
    match socket.next().await {
        Some(Ok(Message::Binary(answer))) if answer == MESSAGE => Ok(()),
        other => Err(format!("not what was sent: {other:?}").into()),
    }
}
