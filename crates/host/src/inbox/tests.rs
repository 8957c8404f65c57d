//! Marks and questions, in one thread.

use std::{future::Future, pin::pin, task::Context};

use super::*;

/// A handler that waits for a list may be one of the worker whose inbox is closed, or was closed before.
#[test]
fn a_question_that_nobody_answers_wakes_who_waits_even_at_the_same_inbox() {
    for closed_before in [false, true] {
        let inbox = Arc::new(Inbox::default());
        let (listing, questions) = Question::to(1);
        let mark = Mark::new(inbox.clone(), Marked::Lane(3));
        let waker = mark.clone().into();
        let mut listing = pin!(listing);
        assert!(listing.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        if closed_before {
            inbox.close();
        }
        questions.for_each(|question| inbox.command(Command::List(question)));
        assert_eq!(mark.is_set(), closed_before);
        inbox.close();
        assert!(mark.is_set());
        assert!(listing.poll(&mut Context::from_waker(&waker)).is_ready());
    }
}

#[test]
fn a_mark_stands_in_the_inbox_once_until_it_is_taken_back() {
    let inbox = Arc::new(Inbox::default());
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
