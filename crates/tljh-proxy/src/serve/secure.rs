//! One connection of a client by TLS: HTTP/2, HTTP/1.1, or the challenge of a CA.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http2::{Builder, Connection};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Phase;
use super::connection::{Answered, BoxError, drive, serve_http1};
use crate::client::{Client, ClientStream, Transport};
use crate::fault::Fault;
use crate::listen::MAX_HEAD;
use crate::metrics;
use crate::tls::{ACME, H2, Socket};

/// How long a client gets to shake hands; as long as for a request head.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// Requests of one connection at a time; nginx and Chromium's servers allow about as many.
const MAX_STREAMS: u32 = 128;
/// Bytes of a body that one connection may send before the backend has taken any of them.
const WINDOW: u32 = 1 << 20;
/// Bytes of an answer that wait for a client.
const SEND_BUFFER: usize = 1 << 17;
/// Requests that a client has taken back before they were looked at; with more the connection ends (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
/// Requests of a connection that broke the rules; with more it ends (RUSTSEC-2024-0003).
const MAX_ERRORS: usize = 1024;

/// As [`super::connection::serve_client`], after a handshake.
pub async fn serve_secure<A, F, B>(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    answer: A,
    mut phase: watch::Receiver<Phase>,
) where
    A: Fn(Arc<Client>, Request<Incoming>) -> F,
    F: Future<Output = Answered<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let shaking = timeout(HANDSHAKE, acceptor.accept(Socket::new(stream)));
    let shaken = tokio::select! {
        shaken = shaking => shaken,
        _ = phase.wait_for(|told| *told == Phase::Stopping) => return,
    };
    let mut stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            metrics::failed(Fault::Handshake);
            return log::debug!(
                TLJH_CAUSE = Fault::Handshake.cause().as_str(),
                TLJH_REASON = Fault::Handshake.as_str();
                "client: no handshake: {error}"
            );
        }
        Err(_) => return metrics::failed(Fault::Handshake),
    };
    let protocol = stream.get_ref().1.alpn_protocol();
    let (is_challenge, is_multiplexed) = (protocol == Some(ACME), protocol == Some(H2));
    if is_challenge {
        // The handshake was all (RFC 8737, section 3).
        let _ = timeout(HANDSHAKE, stream.shutdown()).await;
        return;
    }
    let mut client = Client::new(address);
    client.is_secure = true;
    let client = Arc::new(client);
    let transport = Transport::Secure(Box::new(stream));
    if !is_multiplexed {
        return serve_http1(transport, client, answer, phase).await;
    }
    client.set_multiplexed();
    let stream = TokioIo::new(ClientStream::new(transport, client.clone()));
    let service = service_fn(|request| answer(client.clone(), request));
    let connection = Builder::new(TokioExecutor::new())
        .auto_date_header(false)
        .max_header_list_size(MAX_HEAD as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(WINDOW / 4)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERRORS)
        .serve_connection(stream, service);
    let end = |connection: Pin<&mut _>| Connection::graceful_shutdown(connection);
    // A client that is told the end still gets answers to all that it has sent until it has heard of it.
    drive(pin!(connection), end, Phase::Draining, &client, phase).await;
}
