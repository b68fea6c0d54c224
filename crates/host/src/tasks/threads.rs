//! The threads that tasks run on, and where a task is at home.
//!
//! Each thread has a runtime of its own, and a task stays on the thread it was started on. A message
//! changes hands often, and each time that is to another thread costs a system call to wake it: on one
//! thread it costs none, and from outside one call wakes a thread for all that has happened
//! meanwhile ([`Home::run`]).

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use super::{Task, thread};

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// What a thread that runs tasks knows.
#[derive(Clone, Default)]
struct Here {
    home: Arc<Letterbox>,
    others: Arc<[Handle]>,
    users: Arc<AtomicUsize>,
}

/// Runs `future` to its end on this thread, beside so many `others` that [`spread`] starts tasks on.
/// Returns when `future` does; what else runs is dropped, on the other threads as soon as they come
/// to it.
pub fn run<F: Future>(others: usize, future: F) -> io::Result<F::Output> {
    let (running, _) = watch::channel(());
    let mut handles = Vec::with_capacity(others);
    for number in 0..others {
        let runtime = runtime()?;
        handles.push(runtime.handle().clone());
        let mut ended = running.subscribe();
        thread(&format!("sessions-{number}"), move || {
            // Only the end of the sender is waited for: it never sends.
            in_runtime(runtime, Here::default(), async { ended.changed().await })
        })?;
    }
    let here = Here {
        others: handles.into(),
        ..Here::default()
    };
    // The future is a user of its thread.
    let _user = User::of(&here);
    Ok(in_runtime(runtime()?, here.clone(), future))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn in_runtime<F: Future>(runtime: Runtime, here: Here, future: F) -> F::Output {
    let home = Arc::clone(&here.home);
    let before = HERE.replace(Some(here));
    runtime.spawn(read(Reader(home)));
    let output = runtime.block_on(future);
    // Work that blocks (a resolver, a slow disk) must not hold up the end of the process.
    runtime.shutdown_background();
    HERE.set(before);
    output
}

/// Starts `future` on one of the other threads of [`run`], always the same for the same `number`;
/// on this one where there is no other.
///
/// # Panics
/// Outside of a runtime.
pub fn spread<F>(number: u64, future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let others = HERE.with_borrow(|here| here.as_ref().map(|here| Arc::clone(&here.others)));
    match others.as_deref() {
        Some(others) if !others.is_empty() => {
            // The remainder is below a `usize`.
            others[(number % others.len() as u64) as usize].spawn(future)
        }
        _ => tokio::spawn(future),
    }
}

/// One who uses a thread for long and must not be kept waiting by others on it, as a session; while it
/// lives.
#[derive(Debug)]
pub struct User(Arc<AtomicUsize>);

impl User {
    /// One more of the caller's thread. A thread that runs no tasks counts none.
    pub fn here() -> User {
        HERE.with_borrow(|here| here.as_ref().map(User::of))
            .unwrap_or_else(|| User(Arc::default()))
    }

    fn of(here: &Here) -> User {
        here.users.fetch_add(1, Ordering::Relaxed);
        User(Arc::clone(&here.users))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the caller's thread runs tasks and has but one [`User`]: who is that may do there at once what
/// blocks for a moment, where to wake another thread for it would take longer.
pub fn is_alone() -> bool {
    HERE.with_borrow(|here| {
        let users = here.as_ref().map(|here| &here.users);
        users.is_some_and(|users| users.load(Ordering::Relaxed) == 1)
    })
}

/// The thread that a task runs on, to be told something from another.
#[derive(Clone)]
pub struct Home(Option<Arc<Letterbox>>);

impl Home {
    /// That of the caller. A thread that runs no tasks is nobody's home.
    pub fn here() -> Home {
        let home = HERE.with_borrow(|here| here.as_ref().map(|here| Arc::clone(&here.home)));
        Home(home)
    }

    /// Whether it is the same thread.
    pub fn is(&self, other: &Home) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Has it do something soon, after what it was to do before: tasks that this wakes are woken where
    /// they run. It is done here and now where nobody is at home, in a simulation or when the
    /// thread has ended.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) {
        match &self.0 {
            Some(letterbox) => letterbox.put(Box::new(work)),
            None => work(),
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Home" } else { "nowhere" })
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// What a thread was told to do.
#[derive(Default)]
struct Letterbox(Mutex<Letters>);

#[derive(Default)]
struct Letters {
    waiting: Vec<Work>,
    /// Who reads them, while there is none.
    reader: Option<Waker>,
    /// Nobody reads them any more.
    closed: bool,
}

impl Letterbox {
    fn put(&self, work: Work) {
        let mut letters = self.lock();
        if letters.closed {
            drop(letters);
            return work();
        }
        letters.waiting.push(work);
        // Taken by the first: it is woken once, for all that waits when it looks.
        let reader = letters.reader.take();
        drop(letters);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// What is to be done, once there is something.
    async fn take(&self) -> Vec<Work> {
        poll_fn(|context| {
            let mut letters = self.lock();
            if letters.waiting.is_empty() {
                letters.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(std::mem::take(&mut letters.waiting))
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        // Nothing that holds it panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what a thread is told to do; what is left when it goes is done then.
struct Reader(Arc<Letterbox>);

async fn read(reader: Reader) {
    loop {
        reader.0.take().await.into_iter().for_each(|work| work());
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let left = {
            let mut letters = self.0.lock();
            letters.closed = true;
            std::mem::take(&mut letters.waiting)
        };
        left.into_iter().for_each(|work| work());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::ThreadId;
    use tokio::sync::oneshot;

    fn here() -> ThreadId {
        std::thread::current().id()
    }

    async fn thread_of(number: u64) -> ThreadId {
        spread(number, async { here() }).await.expect("it has run")
    }

    #[test]
    fn tasks_are_spread_over_the_other_threads_and_stay_there() -> io::Result<()> {
        run(2, async {
            let (zero, one) = (thread_of(0).await, thread_of(1).await);
            assert!(zero != one && zero != here() && one != here());
            assert_eq!((thread_of(2).await, thread_of(3).await), (zero, one));
        })?;
        run(0, async { assert_eq!(thread_of(7).await, here()) })
    }

    #[test]
    fn a_thread_is_told_things_and_does_them_in_their_order() -> io::Result<()> {
        run(1, async {
            let at_home = here();
            let home = Home::here();
            let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
            thread("teller", move || {
                assert!(Home::here().is(&Home(None)));
                for number in 0..1000 {
                    let tell = tell.clone();
                    home.run(move || _ = tell.send((number, here())));
                }
            })
            .expect("a thread");
            for number in 0..1000 {
                assert_eq!(told.recv().await, Some((number, at_home)));
            }
        })
    }

    #[test]
    fn a_user_is_alone_on_a_thread_without_another() -> io::Result<()> {
        let user = async || {
            let user = spread(0, async { (User::here(), is_alone()) });
            user.await.expect("it has run")
        };
        run(1, async {
            let (one, was_alone) = user().await;
            assert!(was_alone);
            let (two, was_alone) = user().await;
            assert!(!was_alone);
            drop((one, two));
            assert!(user().await.1);
            assert!(is_alone(), "this thread has its first future");
            let _user = User::here();
            assert!(!is_alone());
        })?;
        let _user = User::here();
        assert!(!is_alone(), "no tasks run here");
        Ok(())
    }

    #[test]
    fn what_a_thread_has_not_done_when_it_ends_is_done_all_the_same() -> io::Result<()> {
        let (tell, told) = oneshot::channel();
        let home = run(0, async {
            let home = Home::here();
            home.run(move || _ = tell.send(()));
            home
        })?;
        assert_eq!(told.blocking_recv(), Ok(()));
        let (tell, told) = oneshot::channel();
        home.run(move || _ = tell.send(here()));
        assert_eq!(told.blocking_recv(), Ok(here()));
        Ok(())
    }
}
