//! Marks, orders and questions, in one thread.

use std::{future::Future, pin::pin, task::Context};

use tenure::ConnectionId;

use super::*;

/// A handler that waits for a list may be one of the worker whose inbox is closed, or was closed before.
#[test]
fn a_question_that_nobody_answers_wakes_who_waits_even_at_the_same_inbox() {
    for closed_before in [false, true] {
        let inbox = Arc::new(Inbox::new(1));
        let (listing, questions) = Question::to(1);
        let mark = Mark::new(inbox.clone(), Marked::Lane(3));
        let waker = mark.clone().into();
        let mut listing = pin!(listing);
        assert!(listing.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        if closed_before {
            inbox.close();
        }
        questions.for_each(|question| inbox.list(question));
        assert_eq!(mark.is_set(), closed_before);
        inbox.close();
        assert!(mark.is_set());
        assert!(listing.poll(&mut Context::from_waker(&waker)).is_ready());
    }
}

#[test]
fn a_mark_stands_in_the_inbox_once_until_it_is_taken_back() {
    let inbox = Arc::new(Inbox::new(1));
    let (mark, mut news) = (Mark::new(inbox.clone(), Marked::Socket(5)), News::default());
    mark.set();
    mark.set();
    assert!(inbox.take_or_wait(&mut news, Waker::noop()));
    assert_eq!(std::mem::take(&mut news.marks), [Marked::Socket(5)]);
    // Not taken back yet: it is still to be looked at.
    mark.set();
    assert!(!inbox.take_or_wait(&mut news, Waker::noop()));
    mark.take_back();
    mark.set();
    assert!(inbox.take_or_wait(&mut news, Waker::noop()));
    assert_eq!(news.marks, [Marked::Socket(5)]);
}

#[test]
fn commands_are_bounded_and_given_back_while_lists_and_stops_get_through() {
    for (connections_max, room) in [(1, 64), (64, 64), (65, 65)] {
        let (inbox, mut news) = (Inbox::new(connections_max), News::default());
        let command = Command::Close(ConnectionId::new(0, 0, 0));
        for round in 0..2 {
            for number in 0..room {
                assert_eq!(inbox.command(command), Ok(()), "{connections_max} {round} {number}");
            }
            assert_eq!(inbox.command(command), Err(CommandError::Full(command)), "{connections_max} {round}");
            Question::to(2).1.for_each(|question| inbox.list(question));
            for now in [false, true, false, true] {
                inbox.stop(now);
            }
            inbox.take(&mut news, Waker::noop());
            // Stops wait once, and are not forgotten.
            let stops = if round == 0 { 2 } else { 0 };
            assert_eq!(news.orders.len(), room + 2 + stops, "{connections_max} {round}");
            news.orders.clear();
        }
        inbox.close();
        assert_eq!(inbox.command(command), Err(CommandError::Stopped(command)));
    }
}

#[test]
fn every_waiter_of_a_listings_clones_is_woken_and_has_the_list() {
    let inbox = Arc::new(Inbox::new(1));
    let marks = [0, 1, 2].map(|lane| Mark::new(inbox.clone(), Marked::Lane(lane)));
    let (listing, questions) = Question::to(2);
    let mut listings = marks.each_ref().map(|_| listing.clone());
    for _ in 0..2 {
        for (mark, listing) in marks.iter().zip(&mut listings) {
            assert!(pin!(listing).poll(&mut Context::from_waker(&mark.clone().into())).is_pending());
        }
    }
    let listed = |number| {
        let id = ConnectionId::new(number, 0, 0);
        tenure::port::Listed { id, peer: None, idle_ms: 0, busy: false, pinned: false }
    };
    for (number, question) in questions.enumerate() {
        assert!(marks.iter().all(|mark| !mark.is_set()), "not all have answered");
        question.answer(std::iter::once(listed(number as u32)));
    }
    for (mark, listing) in marks.iter().zip(listings) {
        assert!(mark.is_set());
        let all = pin!(listing).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(all, std::task::Poll::Ready(vec![listed(0), listed(1)]));
    }
    assert_eq!(listing.wait().len(), 2);
}

/// What was asked is told to who awaits it, by the waker that came last, and what is dropped tells that none comes.
#[test]
fn an_answer_comes_once_or_not_at_all() {
    for answers in [true, false] {
        let inbox = Arc::new(Inbox::new(1));
        let marks = [0, 1].map(|lane| Mark::new(inbox.clone(), Marked::Lane(lane)));
        let (answer, asked) = Asked::new();
        for mark in &marks {
            assert!(answer.poll(&mut Context::from_waker(&mark.clone().into())).is_pending());
        }
        if answers {
            asked.answer(7);
        } else {
            drop(asked);
        }
        assert_eq!(marks.map(|mark| mark.is_set()), [false, true]);
        let wanted = std::task::Poll::Ready(answers.then_some(7));
        assert_eq!(answer.poll(&mut Context::from_waker(Waker::noop())), wanted);
    }
    let (answer, asked) = Asked::new();
    let worker = std::thread::spawn(move || asked.answer("told"));
    assert_eq!(answer.wait(), Some("told"));
    worker.join().unwrap();
    let (answer, asked) = Asked::<()>::new();
    let worker = std::thread::spawn(move || drop(asked));
    assert_eq!(answer.wait(), None);
    worker.join().unwrap();
}
