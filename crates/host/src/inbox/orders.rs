//! Marks, orders and questions, in every order in which threads may come: loom tries them all, and knows a wake that is lost by
//! threads that all wait.

use std::{future::poll_fn, task::Poll};

use loom::{
    future::block_on,
    model::Builder,
    sync::atomic::{AtomicBool as Flag, Ordering::Relaxed},
    thread::spawn,
};
use tenure::ConnectionId;

use super::*;

/// Threads are interrupted at the most so often in one order: few faults need more, and the orders stay countable.
const PREEMPTIONS_MAX: usize = 3;

fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.check(run);
}

/// How a worker looks into its inbox before it sleeps.
#[derive(Clone, Copy)]
enum Look {
    /// Until there is nothing, as tokio's does.
    Waits,
    /// Once whenever it is woken, as Linux's does.
    Once,
}

/// A worker that sleeps until `is_done` with what has come.
fn serve(inbox: &Inbox, look: Look, mut is_done: impl FnMut(&mut News) -> bool) {
    let mut news = News::default();
    block_on(poll_fn(|context| {
        loop {
            let some = match look {
                Look::Waits => inbox.take_or_wait(&mut news, context.waker()),
                Look::Once => {
                    inbox.take(&mut news, context.waker());
                    false
                }
            };
            if is_done(&mut news) {
                return Poll::Ready(());
            }
            if !some {
                return Poll::Pending;
            }
        }
    }));
}

const LOOKS: [Look; 2] = [Look::Waits, Look::Once];

fn pin(number: u32) -> Command {
    Command::Pin(ConnectionId::new(0, number, 0), true)
}

#[test]
fn a_command_comes_through_in_order_between_look_and_sleep() {
    for look in LOOKS {
        model(move || {
            let inbox = Arc::new(Inbox::new(1));
            let others = inbox.clone();
            let other = spawn(move || {
                others.command(pin(1)).unwrap();
                others.command(pin(2)).unwrap();
            });
            let mut commands = Vec::new();
            serve(&inbox, look, |news| {
                commands.extend(news.orders.drain(..).map(|order| match order {
                    Order::One(command) => command,
                    other => panic!("{other:?} was not asked for"),
                }));
                commands.len() == 2
            });
            assert_eq!(commands, [pin(1), pin(2)]);
            other.join().unwrap();
        });
    }
}

/// What was written before a wake is seen behind it, also where the mark was set already.
#[test]
fn a_mark_is_never_lost() {
    for look in LOOKS {
        model(move || {
            let inbox = Arc::new(Inbox::new(1));
            let mark = Mark::new(inbox.clone(), Marked::Lane(7));
            let written = [Arc::new(Flag::new(false)), Arc::new(Flag::new(false))];
            let others = written.clone().map(|flag| {
                let mark = mark.clone();
                spawn(move || {
                    flag.store(true, Relaxed);
                    mark.wake();
                })
            });
            serve(&inbox, look, |news| {
                for marked in news.marks.drain(..) {
                    assert_eq!(marked, Marked::Lane(7));
                    mark.take_back();
                    if written.iter().all(|flag| flag.load(Relaxed)) {
                        return true;
                    }
                }
                false
            });
            others.into_iter().for_each(|other| other.join().unwrap());
        });
    }
}

#[test]
fn a_stop_is_seen_once() {
    for look in LOOKS {
        model(move || {
            let inbox = Arc::new(Inbox::new(1));
            let others = [false, true].map(|now| {
                let inbox = inbox.clone();
                spawn(move || {
                    inbox.stop(false);
                    inbox.stop(now);
                })
            });
            let mut stops = [0, 0];
            let mut count = |news: &mut News| {
                for order in news.orders.drain(..) {
                    match order {
                        Order::Stop => stops[0] += 1,
                        Order::StopNow => stops[1] += 1,
                        other => panic!("{other:?} was not asked for"),
                    }
                }
                stops[0] > 0 && stops[1] > 0
            };
            serve(&inbox, look, &mut count);
            others.into_iter().for_each(|other| other.join().unwrap());
            let mut news = News::default();
            inbox.take(&mut news, Waker::noop());
            count(&mut news);
            assert_eq!(stops, [1, 1]);
        });
    }
}

/// A list that is asked for while its worker ends comes all the same, to each who waits for it.
#[test]
fn all_who_wait_for_a_list_are_woken() {
    model(|| {
        let inbox = Arc::new(Inbox::new(1));
        let (listing, questions) = Question::to(1);
        let (clone, worker) = (listing.clone(), inbox.clone());
        let awaits = spawn(move || assert!(block_on(clone).is_empty()));
        let ends = spawn(move || worker.close());
        questions.for_each(|question| inbox.list(question));
        assert!(listing.wait().is_empty());
        awaits.join().unwrap();
        ends.join().unwrap();
    });
}

/// Whoever answers last wakes all clones that await the list.
#[test]
fn workers_answer_side_by_side() {
    model(|| {
        let (listing, mut questions) = Question::to(2);
        let (one, other) = (questions.next().unwrap(), questions.next().unwrap());
        let clone = listing.clone();
        let awaits = spawn(move || assert!(block_on(clone).is_empty()));
        let answers = spawn(move || drop(one));
        drop(other);
        assert!(block_on(listing).is_empty());
        awaits.join().unwrap();
        answers.join().unwrap();
    });
}

/// A command is refused, or it has been put where a worker that ends drops it: none waits for ever.
#[test]
fn a_command_to_a_worker_that_ends() {
    model(|| {
        let inbox = Arc::new(Inbox::new(1));
        let worker = inbox.clone();
        let ends = spawn(move || worker.close());
        let taken = inbox.command(pin(1));
        ends.join().unwrap();
        assert!(matches!(taken, Ok(()) | Err(CommandError::Stopped(_))));
        assert_eq!(inbox.command(pin(2)), Err(CommandError::Stopped(pin(2))));
        assert!(inbox.next_order().is_none());
    });
}

/// What is asked of a worker that ends is answered, whether it was taken before, is dropped, or comes too late: to who awaits it, and
/// to who blocks.
#[test]
fn what_is_asked_of_a_worker_that_ends_is_answered() {
    for blocks in [false, true] {
        model(move || {
            let inbox = Arc::new(Inbox::new(1));
            let worker = inbox.clone();
            let ends = spawn(move || {
                let answered = match worker.next_order() {
                    Some(Order::Deliver { asked, .. }) => {
                        asked.answer(Pushed::Taken);
                        true
                    }
                    Some(other) => panic!("{other:?} was not asked for"),
                    None => false,
                };
                worker.close();
                answered
            });
            let (answer, asked) = Asked::new();
            let (id, bytes) = (ConnectionId::new(0, 0, 0), Arc::from(&b""[..]));
            let taken = inbox.order(Order::Deliver { id, bytes, asked });
            assert!(matches!(taken, Ok(()) | Err((NotTaken::Stopped, _))));
            drop(taken);
            let answer = if blocks { answer.wait() } else { block_on(poll_fn(|context| answer.poll(context))) };
            assert_eq!(answer.is_some(), ends.join().unwrap());
        });
    }
}
