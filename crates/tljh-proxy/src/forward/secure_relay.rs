//! The two directions of a connection after a change of protocol, where TLS secures the client's side.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, Interest, ReadBuf, split};
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;
use tokio_rustls::server::TlsStream;

use super::relay::BUFFER;
use crate::routes::Route;
use crate::seldom::Seldom;
use crate::tls::Socket;

/// As [`super::relay::relay`].
pub async fn relay(
    (client, from_client): (Box<TlsStream<Socket>>, Bytes),
    (backend, from_backend): (TcpStream, Bytes),
    route: &Route,
) {
    let socket = client.get_ref().0.clone();
    let (mut client_reads, mut client_writes) = split(client);
    let backend = Socket::new(backend);
    let (mut backend_reads, mut backend_writes) = (backend.clone(), backend.clone());
    let vanishing = pin!(async {
        tokio::select! {
            _ = socket.stream().ready(Interest::ERROR) => {}
            _ = backend.stream().ready(Interest::ERROR) => {}
        }
    });
    tokio::select! {
        biased;
        _ = async {
            tokio::try_join!(
                pass(&mut client_reads, &mut backend_writes, from_client, route),
                pass(&mut backend_reads, &mut client_writes, from_backend, route),
            )
        } => {}
        () = Seldom::new(vanishing) => {}
    }
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    first: Bytes,
    route: &Route,
) -> io::Result<()> {
    to.write_all(&first).await?;
    to.flush().await?;
    drop(first);
    while let Some(unwritten) = pass_ready(from, to).await? {
        route.touch();
        to.write_all(&unwritten).await?;
        // TLS may hold back the end of a record.
        to.flush().await?;
        consume_budget().await;
    }
    to.shutdown().await
}

/// Waits for bytes, and writes as many of them as go without waiting; gives what is left, `None` at the end.
async fn pass_ready(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<Option<Vec<u8>>> {
    poll_fn(|cx| {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut read))?;
            let read = read.filled();
            if read.is_empty() {
                return Poll::Ready(Ok(None));
            }
            let written = match Pin::new(&mut *to).poll_write(cx, read) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            Poll::Ready(Ok(Some(read.get(written..).unwrap_or_default().to_vec())))
        })
    })
    .await
}
