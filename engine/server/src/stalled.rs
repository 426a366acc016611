//! A connection whose other end takes nothing of what it asked for is closed after a while: what is kept for it, a place among the streams
//! and a part of a file, is wanted by others.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Bytes both ways, and an error where none go out for so long although there are some.
pub struct Stalled<S> {
    inner: S,
    bound: Duration,
    /// When it ends, while it waits.
    end: Option<Pin<Box<Sleep>>>,
}

impl<S> Stalled<S> {
    pub fn new(inner: S, bound: Duration) -> Stalled<S> {
        Stalled { inner, bound, end: None }
    }

    fn judged<T>(&mut self, context: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.end = None;
            return written;
        }
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(self.bound)));
        match end.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the other end takes nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalled<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.judged(context, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.judged(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.judged(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.judged(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_is_left_and_whoever_takes_a_little_is_not() {
        let bound = Duration::from_secs(60);
        let (ours, mut theirs) = duplex(10);
        let mut ours = Stalled::new(ours, bound);
        let writing = tokio::spawn(async move {
            let begun = Instant::now();
            (ours.write_all(&[7; 50]).await.map_err(|error| error.kind()), begun.elapsed())
        });
        // A little at a time, for longer than the bound in all.
        let mut taken = [0; 10];
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(50)).await;
            theirs.read_exact(&mut taken).await.unwrap();
        }
        let (written, took) = writing.await.unwrap();
        assert_eq!(written, Err(ErrorKind::TimedOut));
        assert_eq!(took, Duration::from_secs(3 * 50) + bound);
    }
}
