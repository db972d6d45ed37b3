//! A socket to which what is small is written in one piece.
//!
//! hyper gives head and body of a message as parts. send(2) of one piece costs less than writev(2) of a few, which is
//! copied from place to place once more for that.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes up to which parts are put together: what a head without large cookies takes, and a small answer.
const SMALL: usize = 1024;

/// A connection to a backend.
#[derive(Debug)]
pub struct Gathered(pub TcpStream);

/// As [`AsyncWrite::poll_write_vectored`], by the call of the kernel that costs the least.
pub fn poll_write_parts<S: AsyncWrite>(
    stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    parts: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    if let [part] = parts {
        return stream.poll_write(cx, part);
    }
    let mut whole = [0; SMALL];
    let mut rest = &mut whole[..];
    for part in parts {
        let Some((place, behind)) = rest.split_at_mut_checked(part.len()) else {
            return stream.poll_write_vectored(cx, parts);
        };
        place.copy_from_slice(part);
        rest = behind;
    }
    let length = SMALL - rest.len();
    stream.poll_write(cx, &whole[..length])
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_write_parts(Pin::new(&mut self.0), cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything, and notes by which call.
    #[derive(Default)]
    struct Noted(Vec<(&'static str, Vec<u8>)>);

    impl AsyncWrite for Noted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.push(("write", bytes.to_vec()));
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            parts: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let bytes = parts
                .iter()
                .flat_map(|part| part.to_vec())
                .collect::<Vec<_>>();
            self.0.push(("writev", bytes.clone()));
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn small_parts_are_written_as_one_and_large_ones_where_they_are() {
        for (lengths, call) in [
            (&[100][..], "write"),
            (&[100, 20], "write"),
            (&[SMALL - 20, 20], "write"),
            (&[SMALL - 20, 21], "writev"),
            (&[100, 4000], "writev"),
            (&[4000], "write"),
        ] {
            let bytes: Vec<u8> = (0..lengths.iter().sum())
                .map(|at: usize| at as u8)
                .collect();
            let mut rest = &bytes[..];
            let mut parts = Vec::new();
            for length in lengths {
                let (part, behind) = rest.split_at(*length);
                parts.push(IoSlice::new(part));
                rest = behind;
            }
            let mut noted = Noted::default();
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let written = poll_write_parts(Pin::new(&mut noted), &mut cx, &parts);
            assert!(matches!(written, Poll::Ready(Ok(all)) if all == bytes.len()));
            assert_eq!(noted.0, [(call, bytes)], "{lengths:?}");
        }
    }
}
