//! Futures that wait beside busy ones.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Polls a future only when it was woken itself. A task is polled for each part of a request and each message; a clock
/// or a signal that the same task waits for, perhaps for hours, has nothing new to say each time.
pub struct Seldom<'a, F> {
    future: Pin<&'a mut F>,
    bell: Option<Arc<Bell>>,
}

/// Wakes the task, and remembers for whom.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl<'a, F: Future> Seldom<'a, F> {
    /// Waits for `future`.
    pub fn new(future: Pin<&'a mut F>) -> Self {
        Self { future, bell: None }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl<F: Future> Future for Seldom<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let bell = match &self.bell {
            Some(bell) if bell.task.will_wake(cx.waker()) => {
                if !bell.rung.load(Ordering::Relaxed) {
                    return Poll::Pending;
                }
                bell.rung.swap(false, Ordering::Acquire);
                bell.clone()
            }
            _ => {
                let (rung, task) = (AtomicBool::new(false), cx.waker().clone());
                let bell = Arc::new(Bell { rung, task });
                self.bell.insert(bell).clone()
            }
        };
        let waker = Waker::from(bell);
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn it_is_polled_once_at_first_and_then_when_it_is_woken() {
        let (notify, polls) = (Notify::new(), Cell::new(0));
        let mut notified = pin!(notify.notified());
        let counted = pin!(poll_fn(|cx| {
            polls.set(polls.get() + 1);
            notified.as_mut().poll(cx)
        }));
        let mut seldom = Seldom::new(counted);
        for _ in 0..5 {
            assert!(
                poll_fn(|cx| Poll::Ready(Pin::new(&mut seldom).poll(cx)))
                    .await
                    .is_pending()
            );
        }
        assert_eq!(polls.get(), 1);
        // Another task has another waker.
        let mut elsewhere = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut seldom).poll(&mut elsewhere).is_pending());
        assert_eq!(polls.get(), 2);
        assert!(
            poll_fn(|cx| Poll::Ready(Pin::new(&mut seldom).poll(cx)))
                .await
                .is_pending()
        );
        assert_eq!(polls.get(), 3);
        notify.notify_waiters();
        seldom.await;
        assert_eq!(polls.get(), 4);
    }
}
