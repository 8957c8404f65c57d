//! How connections end: one at a time, at once or behind their last response, and all of them.

use tenure_proto::websocket::CloseCode;

use super::{Buffers, Cause, Driver, Interest, Key, Lanes, Port, fit, receive, rest};
use crate::{
    ConnectionId, EndReason, Observer,
    engine::table::Stage,
    engine::{
        state::{CLOSED, Change, Ending, State},
        wire::Received,
    },
    open::opens,
};

/// Times that a connection receives requests once the server is to stop: what a socket holds, not what a peer that never rests
/// goes on to send.
const RECEIVES_MAX: u8 = 64;

impl<P: Port> Driver<P> {
    /// Ends a session and tells of the end of its connection; the socket is still there.
    pub(super) fn end_session(&mut self, index: u32, reason: EndReason) {
        let number = self.table.slot(index).lane;
        if let Some(lane) = self.lanes.get_mut(number) {
            if lane.wire.shared.state.get() != State::Between {
                self.port.restart(&lane.wire, lane.future.as_mut());
            }
            lane.wire.shared.clear();
            lane.blocked = false;
            self.detach(index, number);
            if P::SHRINK {
                rest(self.lanes.lane_mut(number), &mut self.spares);
            }
        }
        let slot = self.table.slot_mut(index);
        if slot.stage == Stage::Head || slot.stage == Stage::Waiting {
            // What was put away is dropped.
            let _ = self.port.take_back(index, &mut []);
        }
        if opens() && slot.open.route != CLOSED {
            self.forget_open(index);
        }
        let slot = self.table.slot_mut(index);
        let id = ConnectionId::new(self.settings.worker, index, slot.generation);
        let session = slot.session.take();
        let had_session = session.is_some();
        if let Some(session) = session {
            self.port.end(session, reason);
        }
        let _ = self.port.tell(|observer| {
            log::debug!("connection {id} ended: {reason}");
            observer.disconnected(id, reason, had_session);
        });
    }

    /// Ends a connection at once; `abort`: with a reset.
    #[cold]
    #[inline(never)]
    pub(super) fn end_now(&mut self, index: u32, reason: EndReason, abort: bool) {
        self.end_session(index, reason);
        self.release(index, abort);
    }

    pub(super) fn release(&mut self, index: u32, abort: bool) {
        if let Some(socket) = self.table.slot_mut(index).socket.take() {
            self.port.release(socket, abort);
        }
        self.table.vacate(index);
        self.count_places();
    }

    /// Ends a connection whose last response has been sent: the peer must be able to read all of it, also while it is
    /// still sending (RFC 9112 section 9.6).
    #[cold]
    #[inline(never)]
    pub(super) fn close(&mut self, index: u32, number: u32) {
        let shared = &self.lanes.lane(number).wire.shared;
        let connection = shared.connection.get();
        self.end_session(index, connection.reason);
        if connection.ended { self.release(index, false) } else { self.linger(index) }
    }

    pub(super) fn linger(&mut self, index: u32) {
        if self.settings.deadlines.linger_ms == 0 {
            return self.release(index, false);
        }
        let slot = self.table.slot_mut(index);
        slot.since_ms = self.now_ms;
        if let Some(socket) = &mut slot.socket {
            self.port.shut(socket);
        }
        self.table.move_to(index, Stage::Closing);
        self.table.slot_mut(index).mark = 0;
        self.report(index, Interest::RECEIVE);
        self.due(self.now_ms, self.settings.deadlines.linger_ms);
        self.discard(index, false);
    }

    /// Drops what still comes, up to the bound.
    #[cold]
    pub(super) fn discard(&mut self, index: u32, gone: bool) {
        let slot = self.table.slot_mut(index);
        let Some(socket) = &mut slot.socket else { return };
        match self.port.discard(socket) {
            Received::Bytes(bytes) => {
                slot.mark = slot.mark.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
                if slot.mark > self.settings.limits.linger_bytes_max {
                    self.release(index, true);
                }
            }
            Received::Blocked if !gone => {}
            Received::Blocked | Received::Closed | Received::Reset => self.release(index, false),
        }
    }

    /// Closes a connection with [`EndReason::Closed`]: at once where it is idle, after the response that is at work, or by a
    /// reset once that has gone on for another [`flush_ms`](crate::Deadlines::flush_ms). Returns whether that connection is
    /// there.
    pub fn close_connection(&mut self, id: ConnectionId) -> bool {
        if opens() && id.worker() == self.settings.worker {
            self.hurry(Key { index: id.index(), generation: id.generation() });
        }
        let Some(slot) = self.own(id) else { return false };
        match slot.stage {
            Stage::Closing => {}
            Stage::Busy => {
                self.close_after(id.index(), Ending::Closed);
                // It may have held a lane for half a head.
                self.serve_waiting();
            }
            _ if opens() && slot.open.route != CLOSED => {
                self.close_open(id.index(), CloseCode::NORMAL, EndReason::Closed);
            }
            _ => {
                self.end_session(id.index(), EndReason::Closed);
                self.linger(id.index());
            }
        }
        true
    }

    /// Ends a connection at once with [`EndReason::Closed`], by a reset where a request is being answered. Returns whether that
    /// connection is there.
    pub fn close_connection_now(&mut self, id: ConnectionId) -> bool {
        let Some(slot) = self.own(id) else { return false };
        match slot.stage {
            Stage::Closing => self.release(id.index(), true),
            stage => {
                self.end_now(id.index(), EndReason::Closed, stage == Stage::Busy);
                self.serve_waiting();
            }
        }
        true
    }

    /// The network that a connection came by is gone: ends it at once with [`EndReason::LinkDown`].
    #[cold]
    pub fn link_down(&mut self, key: Key) {
        let Some(slot) = self.table.get(key.index, key.generation) else { return };
        if slot.stage == Stage::Closing {
            return self.release(key.index, true);
        }
        self.end_now(key.index, EndReason::LinkDown, true);
        self.serve_waiting();
    }

    /// Lets the exchange at work be the last of its connection.
    pub(super) fn close_after(&mut self, index: u32, ending: Ending) {
        let now_ms = self.now_ms;
        let number = self.table.slot(index).lane;
        let Some(lane) = self.lanes.get(number) else { return };
        let (shared, blocked) = (&lane.wire.shared, lane.blocked);
        let state = shared.state.get();
        // It ends already, for a reason of its own.
        if state == State::Abort {
            return;
        }
        shared.connection.change(|connection| connection.end_behind(ending, now_ms));
        match state {
            State::Exchange => {
                if ending == Ending::Closed {
                    let first = shared.connection.get().ending.unwrap_or(ending);
                    shared.cannot_go_on(first.into());
                } else {
                    self.settle_last(index, number);
                }
                // A handler may wait for just that.
                self.advance(index, number, Cause::Told);
            }
            State::Head if !blocked => self.put_away_or_hold(index, number),
            State::Silent => self.advance(index, number, Cause::Told),
            // The last response is still on its way: the connection ends behind it, in time.
            _ => self.watch(index, Stage::Busy),
        }
    }

    /// Looks whether more has come than what is at work when the server stops. If not, that is the connection's last.
    #[cold]
    #[inline(never)]
    pub(super) fn settle_last(&mut self, index: u32, number: u32) {
        let (shared, slot) = (&self.lanes.lane(number).wire.shared, self.table.slot_mut(index));
        let connection = shared.connection.get();
        let unread = connection.ending == Some(Ending::Shutdown)
            && !connection.ended
            && connection.receives < RECEIVES_MAX
            && slot.socket.as_mut().is_some_and(|socket| self.port.has_unread(socket));
        shared.connection.change(|connection| connection.unread = unread);
        if shared.state.get() == State::Exchange && !shared.request.get().last && !unread && !shared.has_behind() {
            shared.cannot_go_on(EndReason::Shutdown);
        }
    }

    /// Receives what had come before the server was to stop, and lets the lane go on.
    #[cold]
    #[inline(never)]
    pub(super) fn receive_last(&mut self, index: u32, number: u32) {
        let Driver { port, table, lanes, spares, .. } = self;
        let (lane, slot) = (lanes.lane_mut(number), table.slot_mut(index));
        if P::SHRINK && lane.buffers == Buffers::Few {
            fit(lane, spares);
        }
        if slot.interest.receives() {
            let received = receive(lane, slot, port);
            let is_request = lane.wire.shared.state.get() != State::Exchange;
            match received {
                Some(Received::Reset) => return self.end_now(index, EndReason::PeerReset, true),
                Some(Received::Bytes(_)) if is_request => {
                    lane.wire
                        .shared
                        .connection
                        .change(|connection| connection.receives = connection.receives.saturating_add(1));
                }
                _ => {}
            }
            self.settle_last(index, number);
            let shared = &self.lanes.lane(number).wire.shared;
            if received == Some(Received::Blocked) && is_request && shared.connection.get().unread {
                // The port cannot receive it yet.
                shared.state.set(State::Head);
                return self.hold(index, number);
            }
        }
        self.advance(index, number, Cause::Told);
    }

    /// Stops: idle connections end at once, requests that have arrived are answered until the deadline, those behind others
    /// included. Call [`expire`](Driver::expire) as ever until [`count`](Driver::count) is 0.
    pub fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        if opens() {
            self.deliver_all();
        }
        self.stopping = Some(self.now_ms);
        let mut next = 0;
        while let Some(index) = self.next_connection(&mut next) {
            let slot = self.table.slot_mut(index);
            match slot.stage {
                Stage::Busy => self.close_after(index, Ending::Shutdown),
                // What has come of a message.
                Stage::Head if opens() && slot.open.route != CLOSED => {
                    self.close_open(index, CloseCode::GOING_AWAY, EndReason::Shutdown);
                }
                Stage::Fresh | Stage::Idle | Stage::Spare | Stage::Pinned | Stage::Head => {
                    // A request that has arrived is answered.
                    if slot.socket.as_mut().is_some_and(|socket| self.port.has_unread(socket)) {
                        self.wait(index);
                    } else {
                        self.end_now(index, EndReason::Shutdown, false);
                    }
                }
                Stage::Open | Stage::Pinged | Stage::Listening | Stage::Behind if opens() => {
                    self.close_open(index, CloseCode::GOING_AWAY, EndReason::Shutdown);
                }
                _ => {}
            }
        }
        self.due(self.now_ms, self.settings.deadlines.flush_ms);
        // Requests that wait for a lane have arrived: they are answered too.
        self.serve_waiting();
    }

    /// Ends everything at once.
    pub fn end_all(&mut self) {
        let mut next = 0;
        while let Some(index) = self.next_connection(&mut next) {
            match self.table.slot(index).stage {
                Stage::Closing => self.release(index, true),
                stage => self.end_now(index, EndReason::Shutdown, stage == Stage::Busy),
            }
        }
    }

    /// The next connection from that slot on, whatever has become of those in front of it.
    fn next_connection(&self, next: &mut u32) -> Option<u32> {
        while self.table.is_slot(*next) {
            let index = *next;
            *next += 1;
            if self.table.slot(index).stage != Stage::Vacant {
                return Some(index);
            }
        }
        None
    }

    /// Hands an idle connection over: its socket and its session leave this server, the session unended. `None` where it
    /// is not there or not idle.
    pub fn hand_over(&mut self, id: ConnectionId) -> Option<(P::Socket, Option<P::Session>)> {
        let slot = self.own(id)?;
        if !matches!(slot.stage, Stage::Fresh | Stage::Idle | Stage::Spare | Stage::Pinned) {
            return None;
        }
        let has_session = slot.session.is_some();
        // As long as it is told, the connection is this server's: should that panic, its session is ended.
        let _ = self.port.tell(|observer| observer.disconnected(id, EndReason::HandedOver, has_session));
        let slot = self.table.slot_mut(id.index());
        let (session, socket) = (slot.session.take(), slot.socket.take()?);
        self.table.vacate(id.index());
        self.count_places();
        Some((socket, session))
    }
}

/// However a driver ends, every session is ended: a port's worker may be dropped, or unwind.
impl<P: Port> Drop for Driver<P> {
    fn drop(&mut self) {
        self.end_all();
    }
}
