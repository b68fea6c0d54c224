//! Runs futures one step at a time, in an order that chance decides.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use postroad_host::chance::Chance;

/// Futures that run by turns on one thread.
pub(crate) struct Executor<'a> {
    tasks: Vec<Task<'a>>,
}

struct Task<'a> {
    future: Pin<Box<dyn Future<Output = ()> + 'a>>,
    woken: Arc<Woken>,
}

/// Whether a task asked to be polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a> Executor<'a> {
    pub(crate) fn new() -> Executor<'a> {
        Executor { tasks: Vec::new() }
    }

    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'a) {
        self.tasks.push(Task {
            future: Box::pin(future),
            woken: Arc::new(Woken(AtomicBool::new(true))),
        });
    }

    /// How many have not come to their end.
    pub(crate) fn running(&self) -> usize {
        self.tasks.len()
    }

    /// Polls one of the tasks that asked for it; says whether there was one.
    pub(crate) fn step(&mut self, chance: &Chance) -> bool {
        let woken =
            |(at, task): (usize, &Task<'_>)| task.woken.0.load(Ordering::SeqCst).then_some(at);
        let ready: Vec<usize> = self.tasks.iter().enumerate().filter_map(woken).collect();
        if ready.is_empty() {
            return false;
        }
        let at = ready[chance.index(ready.len())];
        let task = &mut self.tasks[at];
        task.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(task.woken.clone());
        if task
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            self.tasks.remove(at);
        }
        true
    }
}

/// Lets others have a turn.
pub(crate) async fn turn() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
