//! What a server's workers share, and the handle that reaches them from anywhere.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU32},
};

use tenure::{
    Command, CommandError, ConnectionId, Frame, PushError, Topic,
    port::{Audience, Keeping, Key, Kind, TopicKey, content_bytes, framed},
};

use crate::{
    answer::Asked,
    delivery::{Delivery, DeliveryError},
    inbox::{Inbox, Order, Push, To},
    listing::{Listing, Question},
    sync::{Mutex, lock},
    visit::{Refused, Visit, visit},
};

/// What a server's workers share. Answering a request touches none of it.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Open connections.
    pub(crate) open: AtomicU32,
    pub(crate) connections_max: u32,
    /// Which topics anybody may have joined.
    pub(crate) audience: Audience,
    pub(crate) inboxes: Vec<Arc<Inbox>>,
    /// Topics whose last events are kept, by several workers. Whoever has it locked may tell all of them of something, which they hear
    /// in one order then: they keep the same, and whoever has heard of an event by one finds it kept by any other.
    pub(crate) kept: Mutex<BTreeMap<TopicKey, Keeping>>,
}

impl Shared {
    /// Whether there are several workers that must agree on an order.
    pub(crate) fn agrees(&self) -> bool {
        self.inboxes.len() > 1
    }

    /// Lets a stream of events join a topic that keeps so many.
    pub(crate) fn resume(&self, worker: &Inbox, key: Key, topic: TopicKey, (events, resume): (u16, &[u8])) {
        let mut kept = lock(&self.kept);
        let is_new = !kept.contains_key(&topic);
        let of_topic = kept.entry(topic).or_default();
        if is_new {
            self.audience.come(topic);
        }
        if of_topic.join(events) {
            self.tell_all(topic, events);
        }
        // One that has ended has no streams any more.
        let _ = worker.order(Order::Resume(key, topic, resume.into()));
    }

    /// Tells all workers how many events of a topic are kept.
    fn tell_all(&self, topic: TopicKey, events: u16) {
        for inbox in &self.inboxes {
            let _ = inbox.order(Order::Keep(topic, events));
        }
    }

    /// Publishes to a topic whose events are kept. `None`: they are not; `false`: they are not any more. `own`: the inbox of the worker that publishes.
    pub(crate) fn publish_kept(
        &self,
        topic: TopicKey,
        bytes: impl FnOnce() -> Arc<[u8]>,
        own: Option<&Arc<Inbox>>,
    ) -> Option<Result<bool, PushError>> {
        if topic.kind() != Kind::Events || !self.agrees() {
            return None;
        }
        let mut kept = lock(&self.kept);
        let of_topic = kept.get_mut(&topic)?;
        if !of_topic.publish(self.audience.hears_beside_kept(topic)) {
            kept.remove(&topic);
            self.audience.gone(topic);
            self.tell_all(topic, 0);
            return Some(Ok(false));
        }
        let (bytes, mut result) = (bytes(), Ok(()));
        for inbox in &self.inboxes {
            let is_own = own.is_some_and(|own| Arc::ptr_eq(own, inbox));
            result = result.and(inbox.push(Push { to: To::Topic(topic), bytes: bytes.clone(), is_own }));
        }
        Some(result.map(|()| true))
    }

    /// Asks all workers but one to decide again whether they accept.
    pub(crate) fn reconsider(&self, but: usize) {
        for (_, inbox) in self.inboxes.iter().enumerate().filter(|(number, _)| *number != but) {
            inbox.reconsider();
        }
    }
}

/// Reaches a running server from any thread. Cheap to clone. It may outlive the server, and then does nothing. The
/// repository's example `handle` shows how handlers get one.
#[doc(alias = "httpd_handle_t")]
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) addresses: Arc<[SocketAddr]>,
}

impl Handle {
    /// Where the server listens; the real port where 0 was asked for. The first of [`local_addresses`](Handle::local_addresses).
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Everywhere the server listens, in the order of the settings.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Closes a connection: at once if it is idle, otherwise after the response in progress, or by a reset if that takes
    /// longer than [`Deadlines::flush_ms`](tenure::Deadlines::flush_ms). Does nothing if the connection is gone.
    ///
    /// # Errors
    /// As [`command`](Handle::command).
    #[doc(alias = "httpd_sess_trigger_close")]
    pub fn close(&self, id: ConnectionId) -> Result<(), CommandError> {
        self.command(Command::Close(id))
    }

    /// Ends a connection at once, by a reset if a request is being answered. Does nothing if the connection is gone.
    ///
    /// # Errors
    /// As [`command`](Handle::command).
    pub fn close_now(&self, id: ConnectionId) -> Result<(), CommandError> {
        self.command(Command::CloseNow(id))
    }

    /// Protects a connection from eviction, or no longer does. Does nothing if the connection is gone.
    ///
    /// # Errors
    /// As [`command`](Handle::command).
    #[doc(alias = "httpd_sess_update_lru_counter")]
    pub fn pin(&self, id: ConnectionId, pinned: bool) -> Result<(), CommandError> {
        self.command(Command::Pin(id, pinned))
    }

    /// Gives a connection's worker a command, which it obeys in its next turn, behind those before it.
    ///
    /// # Errors
    /// [`Full`](CommandError::Full): as many commands wait for the worker as the server may have connections (at least 64);
    /// [`Stopped`](CommandError::Stopped): the worker has ended. Either gives the command back. Lists and stops are always accepted.
    pub fn command(&self, command: Command) -> Result<(), CommandError> {
        let (Command::Close(id) | Command::CloseNow(id) | Command::Pin(id, _)) = command;
        let inbox = self.shared.inboxes.get(id.worker() as usize);
        inbox.map_or(Ok(()), |inbox| inbox.command(command))
    }

    /// Sends a message to a WebSocket. From one sender to one connection messages arrive in order. Where the connection is gone, or
    /// is no WebSocket, nothing happens.
    ///
    /// # Errors
    /// A [`PushError`]: the connection's worker was not told.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(handle: &tenure_host::Handle, id: tenure::ConnectionId) -> Result<(), tenure::PushError> {
    /// handle.send(id, tenure::Frame::text("you"))
    /// # }
    /// ```
    pub fn send(&self, id: ConnectionId, frame: Frame<'_>) -> Result<(), PushError> {
        let inbox = self.shared.inboxes.get(id.worker() as usize);
        inbox.map_or(Ok(()), |inbox| inbox.push(Push { to: To::One(id), bytes: framed(&frame)?, is_own: false }))
    }

    /// Sends a message to a WebSocket, as [`send`](Handle::send) does, and tells what became of it: await that, or
    /// [`Delivery::wait`] outside of handlers. Each costs its worker an answer, so do not await what need not be known.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(handle: &tenure_host::Handle, id: tenure::ConnectionId) {
    /// use tenure::Frame;
    /// use tenure_host::DeliveryError;
    ///
    /// match handle.deliver(id, Frame::text("you")).await {
    ///     Ok(()) => {} // on its way
    ///     Err(DeliveryError::Gone) => {} // forget this connection
    ///     Err(DeliveryError::Behind) => {} // it reads too slowly: send less
    ///     Err(DeliveryError::Push(_)) => {} // the server has too much to do, or has stopped
    /// }
    /// # }
    /// ```
    #[doc(alias("httpd_ws_send_data_async", "transfer_complete_cb"))]
    pub fn deliver(&self, id: ConnectionId, frame: Frame<'_>) -> Delivery {
        let (answer, asked) = Asked::new();
        let given = match (self.shared.inboxes.get(id.worker() as usize), framed(&frame)) {
            (_, Err(error)) => Err(DeliveryError::Push(error.into())),
            (None, _) => Err(DeliveryError::Gone),
            (Some(inbox), Ok(bytes)) => {
                inbox.order(Order::Deliver { id, bytes, asked }).map_err(|(why, _)| DeliveryError::Push(why.into()))
            }
        };
        match given {
            Ok(()) => Delivery::awaited(answer),
            Err(error) => Delivery::told(Err(error)),
        }
    }

    /// Sends a message, or an event, to all who have joined a topic. It is framed once, and shared by all workers.
    ///
    /// # Errors
    /// A [`PushError`]. Of [`Full`](PushError::Full) and [`Stopped`](PushError::Stopped) each speaks for one worker at least: others
    /// may have been told.
    ///
    /// # Examples
    /// In the repository's example `push` a sensor's thread publishes its readings.
    pub fn publish<T: Topic>(&self, topic: T, content: T::Content<'_>) -> Result<(), PushError> {
        if !self.is_heard(topic) {
            // It fails where it would fail otherwise.
            content_bytes(&content)?;
            let has_stopped = self.shared.inboxes.iter().any(|inbox| inbox.is_closed());
            return if has_stopped { Err(PushError::Stopped) } else { Ok(()) };
        }
        let (bytes, mut result) = (framed(&content)?, Ok(()));
        if let Some(result) = self.shared.publish_kept(topic.key(), || bytes.clone(), None) {
            return result.map(|_| ());
        }
        for inbox in &self.shared.inboxes {
            result = result.and(inbox.push(Push { to: To::Topic(topic.key()), bytes: bytes.clone(), is_own: false }));
        }
        result
    }

    /// Runs a closure on a connection's session, on the connection's own worker, between two requests, and gives what it returns: await
    /// that, or [`Visit::wait`] outside of handlers. Sessions need not be `Send`, because they stay where they are; the closure and
    /// what it returns must be.
    ///
    /// A handler has its session to itself. So where a request or a message is being answered, the closure waits until the connection
    /// has nothing more to answer; a handler that awaits one on its own session waits for itself. It is no use of the connection: its idle deadline stays. It keeps its worker from everything else,
    /// as a handler that blocks does, so it must be short. It is for sessions whose [`as_any`](tenure::Session::as_any) says so.
    ///
    /// # Errors
    /// A [`SessionError`](crate::SessionError): it has not run, and gives the closure back; or it panicked. As many may wait for their worker, and as many for
    /// sessions that are lent, as there may be [commands](Handle::command).
    ///
    /// # Examples
    /// ```no_run
    /// use core::any::Any;
    /// use tenure::{ConnectionId, EndReason, Session};
    /// use tenure_host::Handle;
    ///
    /// struct Guest {
    ///     lines: u32,
    /// }
    ///
    /// impl Session for Guest {
    ///     fn end(self, _: EndReason) {}
    ///
    ///     fn as_any(&mut self) -> Option<&mut dyn Any> {
    ///         Some(self)
    ///     }
    /// }
    ///
    /// /// How much a guest has said so far; `None`: there is no such guest any more.
    /// async fn lines(handle: &Handle, id: ConnectionId) -> Option<u32> {
    ///     handle.with_session(id, |guest: &mut Guest| guest.lines).await.ok()
    /// }
    /// ```
    #[doc(alias("httpd_sess_get_ctx", "httpd_queue_work", "httpd_work_fn_t"))]
    pub fn with_session<S, R, F>(&self, id: ConnectionId, closure: F) -> Visit<R, F>
    where
        S: 'static,
        F: FnOnce(&mut S) -> R + Send + 'static,
        R: Send + 'static,
    {
        let (result, mut visitor) = visit(id, closure);
        match self.shared.inboxes.get(id.worker() as usize) {
            None => visitor.refuse(Refused::Gone),
            Some(inbox) => {
                if let Err((why, Order::Visit(mut visitor))) = inbox.order(Order::Visit(visitor)) {
                    visitor.refuse(why.into());
                }
            }
        }
        result
    }

    /// Whether anybody may get what is published to a topic: where nobody has joined it, [`publish`](Handle::publish) does nothing, and
    /// what would be published need not be made.
    pub fn is_heard(&self, topic: impl Topic) -> bool {
        self.shared.audience.hears(topic.key())
    }

    /// Lists the open connections: await it in a handler, or [`Listing::wait`] elsewhere.
    #[doc(alias = "httpd_get_client_list")]
    pub fn list(&self) -> Listing {
        let (listing, questions) = Question::to(self.shared.inboxes.len());
        self.shared.inboxes.iter().zip(questions).for_each(|(inbox, question)| inbox.list(question));
        listing
    }

    /// Stops the server: nothing new is accepted, idle connections end, requests that have arrived are answered, within
    /// [`Deadlines::flush_ms`](tenure::Deadlines::flush_ms).
    #[doc(alias = "httpd_stop")]
    pub fn stop(&self) {
        self.shared.inboxes.iter().for_each(|inbox| inbox.stop(false));
    }

    /// Stops the server at once: every connection is ended.
    pub fn stop_now(&self) {
        self.shared.inboxes.iter().for_each(|inbox| inbox.stop(true));
    }

    /// Obeys signals: the first stops the server, the second ends it at once.
    pub(crate) fn obey_signals(self) -> impl FnMut() + Send + 'static {
        let mut is_first = true;
        move || {
            if std::mem::replace(&mut is_first, false) {
                log::info!(
                    "stopping after a signal: requests that have arrived are answered; a second signal ends them"
                );
                self.stop();
            } else {
                log::warn!("ending at once after a second signal");
                self.stop_now();
            }
        }
    }
}
