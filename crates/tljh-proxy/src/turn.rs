//! What a thread does when it has nothing more to do.

use std::cell::Cell;
use std::thread;

thread_local! {
    static PASSED_ON: Cell<bool> = const { Cell::new(false) };
}

/// Notes that this thread passes a request or an answer on.
pub fn passed_on() {
    PASSED_ON.set(true);
}

/// To be called before the thread sleeps. If it passed requests or answers on, whoever waits for the processor goes first.
///
/// Where processors are short, backends then go on with what they were sent, and this thread finds their answers together;
/// to go to sleep and be woken for each costs more, and makes some wait. Where they are not, it is a call of the kernel.
/// Messages of WebSockets come one by one, and would only wait.
pub fn end() {
    if PASSED_ON.take() {
        thread::yield_now();
    }
}
