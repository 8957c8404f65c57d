//! Threads that wait for a disk, so that no worker does.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Poll, Waker},
    thread,
};

use crate::sync::{Condvar, Mutex, lock, wait_while};

type Job = Box<dyn FnOnce() + Send>;

/// A few threads, started when they are needed, and what waits for them: one job per request at the most, so that it is bounded by
/// the lanes of the servers.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    told: Condvar,
    /// Told where somebody waits for all jobs, and a thread has none.
    rested: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    threads_max: usize,
    /// Threads without a job.
    idle: usize,
    /// How many wait for all jobs.
    waiting: usize,
    /// The threads are to end.
    ended: bool,
}

/// What a job has brought, and who waits for it.
enum Outcome<T> {
    Awaited(Option<Waker>),
    Done(Option<T>),
}

/// Tells that a job is gone, if it has told nothing else.
struct Telling<T>(Arc<Mutex<Outcome<T>>>);

impl<T> Telling<T> {
    fn tell(&self, value: Option<T>) {
        let before = {
            let mut outcome = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if matches!(*outcome, Outcome::Done(_)) {
                return;
            }
            std::mem::replace(&mut *outcome, Outcome::Done(value))
        };
        if let Outcome::Awaited(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Drop for Telling<T> {
    fn drop(&mut self) {
        self.tell(None);
    }
}

impl Pool {
    pub(crate) fn new(threads_max: usize) -> Self {
        let pool = Pool { shared: Arc::default() };
        lock(&pool.shared.state).threads_max = threads_max;
        pool
    }

    /// Runs a job on one of the threads. `None`: none can be started, or the job has panicked. If the future is dropped, the job runs all
    /// the same.
    pub(crate) fn run<T, J>(&self, job: J) -> impl Future<Output = Option<T>> + use<T, J>
    where
        T: Send + 'static,
        J: FnOnce() -> T + Send + 'static,
    {
        let outcome = Arc::new(Mutex::new(Outcome::Awaited(None)));
        let telling = Telling(outcome.clone());
        self.push(Box::new(move || telling.tell(Some(job()))));
        poll_fn(move |context| {
            let mut outcome = outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match &mut *outcome {
                Outcome::Done(value) => Poll::Ready(value.take()),
                Outcome::Awaited(waker) => {
                    waker.get_or_insert_with(|| context.waker().clone()).clone_from(context.waker());
                    Poll::Pending
                }
            }
        })
    }

    /// Waits until all jobs have been done.
    pub(crate) fn rest(&self) {
        let mut state = lock(&self.shared.state);
        state.waiting += 1;
        state = wait_while(&self.shared.rested, state, |state| !state.jobs.is_empty() || state.idle < state.threads);
        state.waiting -= 1;
    }

    fn push(&self, job: Job) {
        let mut state = lock(&self.shared.state);
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.threads == state.threads_max {
            self.shared.told.notify_one();
            return;
        }
        let shared = self.shared.clone();
        match thread::Builder::new().name("tenure files".into()).spawn(move || shared.work()) {
            Ok(_) => state.threads += 1,
            // The threads that there are go on; without any, the jobs are dropped, which those who wait are told.
            Err(error) if state.threads == 0 => {
                log::error!("no thread can be started to read files: {error}");
                let jobs = std::mem::take(&mut state.jobs);
                drop(state);
                drop(jobs);
            }
            Err(_) => self.shared.told.notify_one(),
        }
    }
}

impl Shared {
    fn work(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // The job is dropped in there, too: that tells who waits.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = lock(&self.state);
            } else if state.ended {
                return;
            } else {
                state.idle += 1;
                if state.waiting > 0 {
                    self.rested.notify_all();
                }
                state = self.told.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        lock(&self.shared.state).ended = true;
        self.shared.told.notify_all();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.shared.state);
        write!(f, "Pool({} of {} threads)", state.threads, state.threads_max)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{
            Barrier,
            atomic::{AtomicU32, Ordering},
            mpsc::channel,
        },
        task::{Context, Wake},
    };

    use super::*;

    struct Unparked(thread::Thread);

    impl Wake for Unparked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let waker = Waker::from(Arc::new(Unparked(thread::current())));
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return value;
            }
            thread::park();
        }
    }

    #[test]
    fn jobs_run_elsewhere() {
        let pool = Pool::new(1);
        let here = thread::current().id();
        for number in 0..100 {
            let (value, there) = block_on(pool.run(move || (number, thread::current().id()))).unwrap();
            assert!(value == number && there != here);
        }
        assert_eq!(format!("{pool:?}"), "Pool(1 of 1 threads)");
    }

    /// As many jobs as there are threads run at once, no more; idle threads are used before others are started.
    #[test]
    fn threads_are_started_as_they_are_needed() {
        let pool = Pool::new(3);
        assert_eq!(format!("{pool:?}"), "Pool(0 of 3 threads)");
        let all = Arc::new(Barrier::new(3));
        let jobs: Vec<_> = (0..6)
            .map(|_| {
                let all = all.clone();
                pool.run(move || all.wait().is_leader())
            })
            .collect();
        let leaders = jobs.into_iter().filter_map(block_on).filter(|leader| *leader).count();
        assert_eq!(leaders, 2);
        assert_eq!(format!("{pool:?}"), "Pool(3 of 3 threads)");
    }

    #[test]
    fn a_panic_ends_its_job_alone() {
        let pool = Pool::new(1);
        let panics = pool.run(|| -> u8 { panic!("on purpose") });
        assert_eq!(block_on(panics), None);
        assert_eq!(block_on(pool.run(|| 1)), Some(1));
    }

    /// Jobs of jobs, too.
    #[test]
    fn all_jobs_may_be_awaited() {
        let pool = Arc::new(Pool::new(2));
        pool.rest();
        let done = Arc::new(AtomicU32::new(0));
        let (go, gone) = channel();
        let (inner, told) = (pool.clone(), done.clone());
        drop(pool.run(move || {
            gone.recv().unwrap();
            let count = told.clone();
            drop(inner.run(move || count.fetch_add(1, Ordering::Relaxed)));
            // Who did not wait would be ahead of it by then.
            (0..1_000).for_each(|_| thread::yield_now());
            told.fetch_add(1, Ordering::Relaxed);
        }));
        go.send(()).unwrap();
        pool.rest();
        assert_eq!(done.load(Ordering::Relaxed), 2);
        pool.rest();
    }

    #[test]
    fn what_nobody_waits_for_runs_all_the_same() {
        let (tell, told) = channel();
        let pool = Pool::new(1);
        drop(pool.run(move || tell.send(()).unwrap()));
        told.recv().unwrap();
        // Threads end with their pool, behind the last job.
        let (tell, told) = channel();
        drop(pool.run(move || tell.send(()).unwrap()));
        let shared = Arc::downgrade(&pool.shared);
        drop(pool);
        told.recv().unwrap();
        while shared.upgrade().is_some() {
            thread::yield_now();
        }
    }
}
