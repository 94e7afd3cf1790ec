//! Runs futures on one thread, in an order that tests decide.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// A future that can be spawned.
pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Slot<'a> {
    task: Option<Task<'a>>,
    woken: Arc<Flag>,
}

/// Several futures, polled when they were woken and never in parallel.
#[derive(Default)]
pub struct Executor<'a> {
    slots: Vec<Slot<'a>>,
}

impl<'a> Executor<'a> {
    /// An executor without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task, which runs with the next [`Executor::run`]. The answer names it.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'a) -> usize {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        self.slots.push(Slot { task: Some(Box::pin(task)), woken });
        self.slots.len() - 1
    }

    /// Whether a task has ended.
    pub fn is_done(&self, task: usize) -> bool {
        self.slots.get(task).is_none_or(|slot| slot.task.is_none())
    }

    /// Polls one of the woken tasks: the `choice`-th, counted around. False if none is woken.
    pub fn step(&mut self, choice: usize) -> bool {
        let ready: Vec<usize> = (0..self.slots.len())
            .filter(|&at| {
                let slot = &self.slots[at];
                slot.task.is_some() && slot.woken.0.load(Ordering::SeqCst)
            })
            .collect();
        let Some(&at) = ready.get(choice % ready.len().max(1)) else { return false };
        let slot = &mut self.slots[at];
        slot.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(slot.woken.clone());
        if let Some(task) = &mut slot.task
            && task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        {
            slot.task = None;
        }
        true
    }

    /// Runs until no task is woken.
    ///
    /// # Panics
    /// When tasks wake each other without end.
    pub fn run(&mut self) {
        const STEPS_MAX: usize = 1_000_000;
        for _ in 0..STEPS_MAX {
            if !self.step(0) {
                return;
            }
        }
        panic!("tasks wake each other without end");
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs one future to its end; for tests without an executor of their own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
