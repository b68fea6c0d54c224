//! How long the scheduler takes with a million messages in it (docs/benchmarks.md, The parts).

// A bench reads the clock.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use postroad_clock::Mono;
use postroad_queue::scheduler::{
    Action, Dispatch, Feedback, Limits, Offer, Resolved, Scheduler, SiteKey,
};
use postroad_queue::{RecipientIx, RouteKey};
use postroad_reply::QueueId;

const MESSAGES: u64 = 1_000_000;
/// Destinations and senders that the messages are spread over.
const ROUTES: u64 = 1000;
const SENDERS: u64 = 1000;
const NOW: Mono = Mono(1_000_000_000);

fn route(number: u64) -> RouteKey {
    RouteKey(format!("d{}.example", number % ROUTES).into())
}

fn offer(number: u64) -> Offer {
    Offer {
        message: QueueId(number),
        sender: format!("192.0.2.{}", number % SENDERS).as_str().into(),
        recipients: vec![(route(number), RecipientIx(0))],
    }
}

/// One that has room for all, and knows the way to every destination.
fn scheduler() -> Scheduler {
    Scheduler::new(Limits {
        most_messages: 2 * MESSAGES as usize,
        most_recipients: 2 * MESSAGES as usize,
        most_under_way: 500,
        ..Limits::default()
    })
}

/// Does what it says until there is a dispatch.
fn next_dispatch(scheduler: &mut Scheduler) -> Option<Dispatch> {
    loop {
        match scheduler.poll(NOW)? {
            Action::Resolve(route) => {
                let resolved = Resolved::Site {
                    site: SiteKey(Arc::clone(&route.0)),
                    lifetime: Duration::from_secs(3600),
                    largest_window: None,
                };
                scheduler.resolved(&route, resolved, NOW);
            }
            Action::Dispatch(dispatch) => return Some(dispatch),
            Action::PutBack(_) | Action::Done(_) => {}
        }
    }
}

fn filled() -> Scheduler {
    let mut scheduler = scheduler();
    for number in 0..MESSAGES {
        let taken = scheduler.offer(offer(number), NOW);
        assert!(taken.is_ok_and(|left| left.is_empty()), "message {number}");
    }
    scheduler
}

fn at_a_million(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduler");
    let mut full = filled();
    group.bench_function("dispatch and finish, a million waiting", |bencher| {
        bencher.iter_custom(|turns| {
            let mut spent = Duration::ZERO;
            for turn in 0..turns {
                let began = Instant::now();
                if let Some(dispatch) = next_dispatch(&mut full) {
                    full.finished(dispatch.id, Feedback::Worked, NOW);
                }
                spent += began.elapsed();
                // Another comes for each that goes, so that there always are a million.
                let _ = full.offer(offer(MESSAGES + turn), NOW);
            }
            spent
        });
    });
    group.sample_size(10);
    group.bench_function("offer a million", |bencher| {
        bencher.iter_batched(|| (), |()| filled(), BatchSize::PerIteration);
    });
}

criterion_group!(parts, at_a_million);
criterion_main!(parts);
