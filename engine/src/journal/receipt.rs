//! The promise of a commit. It can be awaited, or waited for by a thread that has no runtime; it can also be dropped, and the
//! commit happens all the same.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::oneshot;

use super::JournalError;

/// Resolves once the change is committed, or is known not to be.
#[derive(Debug)]
#[must_use = "a change is only certain once its receipt says so"]
pub struct Receipt<T>(Kind<T>);

#[derive(Debug)]
enum Kind<T> {
    Ready(Option<Result<T, JournalError>>),
    Waiting(oneshot::Receiver<Result<T, JournalError>>),
}

impl<T> Receipt<T> {
    /// One that is known already: for journals around other journals.
    pub fn ready(result: Result<T, JournalError>) -> Receipt<T> {
        Receipt(Kind::Ready(Some(result)))
    }

    /// One whose answer comes through a channel: for journals that write elsewhere.
    pub fn waiting(receiver: oneshot::Receiver<Result<T, JournalError>>) -> Receipt<T> {
        Receipt(Kind::Waiting(receiver))
    }
}

impl<T: Unpin> Receipt<T> {
    /// Blocks this thread until it is known.
    pub fn wait(self) -> Result<T, JournalError> {
        struct Thread(std::thread::Thread);
        impl Wake for Thread {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Thread(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut receipt = pin!(self);
        loop {
            match receipt.as_mut().poll(&mut context) {
                Poll::Ready(result) => return result,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

impl<T: Unpin> Future for Receipt<T> {
    type Output = Result<T, JournalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let gone = || JournalError::Stopped("it was closed".to_owned());
        match &mut self.0 {
            Kind::Ready(result) => Poll::Ready(result.take().unwrap_or_else(|| Err(gone()))),
            Kind::Waiting(receiver) => Pin::new(receiver).poll(context).map(|answer| answer.unwrap_or_else(|_| Err(gone()))),
        }
    }
}
