//! A connection in memory: what a session holds, and what the test at the other end holds.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::{Bytes, BytesMut};

/// How a read ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// Bytes came.
    Bytes,
    /// The other end is closed.
    Eof,
    /// The test says that time is over.
    TimedOut,
}

#[derive(Default)]
struct State {
    to_session: BytesMut,
    to_test: BytesMut,
    is_eof: bool,
    ticks: usize,
    window: Option<usize>,
    is_closed: bool,
    is_tls: bool,
    slept_ms: u64,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl State {
    fn wake(waker: &mut Option<Waker>) {
        if let Some(waker) = waker.take() {
            waker.wake();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The session's end.
pub struct Pipe(Arc<Mutex<State>>);

/// The test's end.
#[derive(Clone)]
pub struct Peer(Arc<Mutex<State>>);

/// A connection.
pub fn pipe() -> (Pipe, Peer) {
    let state = Arc::new(Mutex::new(State::default()));
    (Pipe(state.clone()), Peer(state))
}

impl Pipe {
    /// Waits for bytes, the end, or [`Peer::tick`]. Cancel-safe.
    pub async fn read(&mut self, into: &mut BytesMut) -> io::Result<Read> {
        poll_fn(|cx| {
            let mut state = lock(&self.0);
            if !state.to_session.is_empty() {
                let bytes = state.to_session.split();
                into.extend_from_slice(&bytes);
                return Poll::Ready(Ok(Read::Bytes));
            }
            if state.is_eof {
                return Poll::Ready(Ok(Read::Eof));
            }
            if state.ticks > 0 {
                state.ticks -= 1;
                return Poll::Ready(Ok(Read::TimedOut));
            }
            state.reader = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Writes all of `chain`, as the window allows.
    pub async fn write(&mut self, chain: Vec<Bytes>) -> io::Result<()> {
        for bytes in chain {
            poll_fn(|cx| {
                let mut state = lock(&self.0);
                if state.is_eof {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe)));
                }
                if state.window.is_some_and(|window| state.to_test.len() >= window) {
                    state.writer = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                state.to_test.extend_from_slice(&bytes);
                Poll::Ready(Ok(()))
            })
            .await?;
        }
        Ok(())
    }

    /// TLS is on from here on.
    pub fn set_tls(&mut self) {
        lock(&self.0).is_tls = true;
    }

    /// Whether TLS is on.
    pub fn is_tls(&self) -> bool {
        lock(&self.0).is_tls
    }

    /// The session waited so long.
    pub fn slept(&mut self, ms: u64) {
        lock(&self.0).slept_ms += ms;
    }

    /// The session ends the connection.
    pub fn close(&mut self) {
        lock(&self.0).is_closed = true;
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.close();
    }
}

impl Peer {
    /// Sends bytes.
    pub fn send(&self, bytes: &[u8]) {
        let mut state = lock(&self.0);
        state.to_session.extend_from_slice(bytes);
        State::wake(&mut state.reader);
    }

    /// Ends the connection from this end.
    pub fn close(&self) {
        let mut state = lock(&self.0);
        state.is_eof = true;
        State::wake(&mut state.reader);
        State::wake(&mut state.writer);
    }

    /// Makes the session's read time out.
    pub fn tick(&self) {
        let mut state = lock(&self.0);
        state.ticks += 1;
        State::wake(&mut state.reader);
    }

    /// From here on the session's writes wait while so many bytes have not been received.
    pub fn set_window(&self, bytes: usize) {
        lock(&self.0).window = Some(bytes);
    }

    /// Takes what the session sent.
    pub fn receive(&self) -> BytesMut {
        let mut state = lock(&self.0);
        let bytes = state.to_test.split();
        State::wake(&mut state.writer);
        bytes
    }

    /// Bytes the session sent that were not received.
    pub fn waiting(&self) -> usize {
        lock(&self.0).to_test.len()
    }

    /// Whether the session ended the connection.
    pub fn is_closed(&self) -> bool {
        lock(&self.0).is_closed
    }

    /// Whether TLS is on.
    pub fn is_tls(&self) -> bool {
        lock(&self.0).is_tls
    }

    /// How long the session waited on purpose, in milliseconds.
    pub fn slept_ms(&self) -> u64 {
        lock(&self.0).slept_ms
    }
}
