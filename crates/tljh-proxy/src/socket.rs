//! Sockets that are read from and written to by reference, so that one task can do both and watch them besides.

use std::io;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};
use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UnixStream};

/// What is needed of a socket, over whatever it comes.
pub trait Socket: AsFd {
    /// Waits until it is ready for this.
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;
    /// Whether something can be read. One task waits for that at a time.
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Whether something can be written. One task waits for that at a time.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Does something for which the socket is ready, unless this returns `WouldBlock`.
    fn try_io<R>(&self, interest: Interest, act: impl FnOnce() -> io::Result<R>) -> io::Result<R>;
    /// Writes what goes without waiting.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Reads what is there.
    ///
    /// What does not fill the buffer was all (epoll(7), "Questions and answers", 9), and the socket is not ready any
    /// more. To find that out by reading again would be one call of the kernel in three.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (room, mut read) = (buffer.len(), 0);
        let tried = self.try_io(Interest::READABLE, || {
            (read, _) = recv(self, buffer, RecvFlags::empty())?;
            if read > 0 && read < room {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        });
        match tried {
            Err(error) if read == 0 => Err(error),
            _ => Ok(read),
        }
    }
}

macro_rules! socket {
    ($stream:ty) => {
        impl Socket for $stream {
            fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
                self.ready(interest)
            }

            fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_read_ready(cx)
            }

            fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_ready(cx)
            }

            fn try_io<R>(
                &self,
                interest: Interest,
                act: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                self.try_io(interest, act)
            }

            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.try_write(bytes)
            }
        }
    };
}
socket!(TcpStream);
socket!(UnixStream);

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn what_comes_is_read_whole_and_in_order_until_the_end_however_large_the_buffer() {
        for room in [1, 2, 3, 5, 6, 64] {
            let (mut there, here) = UnixStream::pair().unwrap();
            let mut got = Vec::new();
            let mut buffer = vec![0; room];
            for part in [b"abc".as_slice(), b"de", b"f"] {
                there.write_all(part).await.unwrap();
                let expected = got.len() + part.len();
                while got.len() < expected {
                    poll_fn(|cx| Socket::poll_read_ready(&here, cx))
                        .await
                        .unwrap();
                    match Socket::try_read(&here, &mut buffer) {
                        Ok(read) => got.extend_from_slice(&buffer[..read]),
                        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                    }
                }
            }
            drop(there);
            let end = loop {
                poll_fn(|cx| Socket::poll_read_ready(&here, cx))
                    .await
                    .unwrap();
                match Socket::try_read(&here, &mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    end => break end,
                }
            };
            assert_eq!(
                (end.unwrap(), &got[..]),
                (0, b"abcdef".as_slice()),
                "{room}"
            );
        }
    }
}
