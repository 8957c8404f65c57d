//! The steps of a lane's turn: attached, told the time, polled, its output sent, detached.

use tenure_proto::date::DATE_BYTES;

use super::{DriverSettings, Lane, Port, Transmitted};
use crate::{
    ConnectionId, EndReason, Eviction,
    engine::{
        state::{CLOSED, Change, ConnectionState, Crowd, Ending, Order, State, Turn},
        table::{NONE, Slot, Stage},
        wire::{Received, Shared},
    },
    open::opens,
};

/// The lanes that serve nobody: a list.
pub(super) struct IdleLanes {
    pub(super) first: u32,
    /// How many lanes serve somebody.
    pub(super) attached: u32,
    /// With that many at work, the last one is at work, too: it is the reserve. `u32::MAX` where there is none.
    pub(super) reserve: u32,
    /// From so many lanes at work on, a turn asks how crowded it is: [`MANY`], or 0 while all places are taken.
    pub(super) many: u32,
}

/// From so many lanes at work on it matters how many there are. A reserve needs as many.
pub(super) const MANY: u32 = 2;

/// How crowded a turn is, where lanes at work are [`MANY`] or all places are taken.
#[cold]
#[inline(never)]
pub(super) fn crowd<P: Port>(idle: &IdleLanes, slot: &Slot<P::Session, P::Socket>, port: &P) -> Crowd {
    let crowd = if idle.attached >= idle.reserve {
        Crowd::ALL_LANES
    } else if P::SHRINK && idle.attached >= MANY {
        Crowd::LANES
    } else {
        Crowd::NONE
    };
    if port.evicts() && idle.many == 0 && !slot.pinned && port.is_full() { crowd.and_places() } else { crowd }
}

/// Why a lane goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its socket is ready.
    Ready,
    /// A future of its own has woken it.
    Woken,
    /// The driver has something for it.
    Told,
}

/// Why a connection is to end behind what is at work.
pub(super) fn ending(port: &impl Port, shared: &Shared) -> Option<Ending> {
    shared.connection.get().ending.filter(|_| port.takes_orders())
}

/// Takes a lane from the top of the idle ones for a connection, whose session it gets, and tells it which one it serves, and
/// since when.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(super) fn attach<P: Port>(
    (index, number): (u32, u32),
    lane: &mut Lane<P>,
    slot: &mut Slot<P::Session, P::Socket>,
    idle: &mut IdleLanes,
    port: &P,
    settings: &DriverSettings,
    now_ms: u32,
) {
    idle.first = lane.slot;
    (lane.slot, slot.lane) = (index, number);
    idle.attached += 1;
    *lane.wire.session.borrow_mut() = slot.session.take();
    let shared = &lane.wire.shared;
    let id = ConnectionId::new(settings.worker, index, slot.generation);
    // A lane mostly serves the connection that it served before.
    if shared.id.get() != id
        && let Some(socket) = &slot.socket
    {
        shared.id.set(id);
        shared.peer.set(port.peer(socket));
    }
    shared.connection.set(ConnectionState::new(now_ms));
}

/// [`Driver::detach`] of what is at hand.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(super) fn detach<P: Port>(
    number: u32,
    lane: &mut Lane<P>,
    slot: &mut Slot<P::Session, P::Socket>,
    idle: &mut IdleLanes,
) {
    slot.session = lane.wire.session.borrow_mut().take();
    slot.lane = NONE;
    lane.slot = idle.first;
    idle.first = number;
    idle.attached -= 1;
}

/// Lets the port receive once where the lane wants bytes.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(super) fn receive<P: Port>(
    lane: &mut Lane<P>,
    slot: &mut Slot<P::Session, P::Socket>,
    port: &mut P,
) -> Option<Received> {
    let socket = slot.socket.as_mut()?;
    lane.wire.shared.receive(|space| port.receive(socket, space))
}

/// At a message boundary with nothing unread and nothing to send: takes the lane away from its connection. `false`: this
/// ends instead.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(super) fn leave<P: Port>(
    (number, lane): (u32, &mut Lane<P>),
    slot: &mut Slot<P::Session, P::Socket>,
    idle: &mut IdleLanes,
    port: &P,
    now_ms: u32,
) -> bool {
    let connection = lane.wire.shared.connection.get();
    if connection.ended || ending(port, &lane.wire.shared).is_some() {
        return false;
    }
    slot.since_ms = now_ms;
    detach(number, lane, slot, idle);
    true
}

/// Where a connection is kept that is idle and not pinned, or open.
#[inline]
pub(super) fn resting<S, K>(slot: &Slot<S, K>, evicts: bool, eviction: Eviction) -> Stage {
    if opens() && slot.open.route != CLOSED {
        Stage::Open
    } else if evicts && eviction.takes(slot.session.is_some()) {
        Stage::Spare
    } else {
        Stage::Idle
    }
}

/// Wakes who waits under another waker than the lane's, where something has happened. Where only the lane was woken they may not
/// be polled in this turn: returns whether what they want stays wanted.
#[inline]
pub(super) fn wake_waiters(shared: &Shared, cause: Cause) -> bool {
    if cause == Cause::Woken {
        return shared.waiters.any();
    }
    shared.waiters.wake();
    false
}

/// Tells a lane the time and the date, and counts what its request has waited.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(super) fn begin_turn<P: Port>(
    lane: &mut Lane<P>,
    now_ms: u32,
    crowd: Crowd,
    keeps_wants: bool,
    (dated, date): (u32, Option<&[u8; DATE_BYTES]>),
) {
    let shared = &lane.wire.shared;
    if lane.dated != dated {
        lane.dated = dated;
        shared.output.borrow_mut().stamp(date);
    }
    if shared.state.get() == State::Exchange {
        let waited_ms = now_ms.wrapping_sub(lane.polled_ms);
        let for_body = shared.turn.get().wants_body;
        shared.request.change(|request| {
            let sum_ms = if for_body { &mut request.body_waited_ms } else { &mut request.handler_waited_ms };
            *sum_ms = sum_ms.saturating_add(waited_ms);
        });
    }
    if keeps_wants {
        // Who waits under a waker of its own may not be polled in this turn: what it wants stays wanted.
        shared.turn.change(|turn| (turn.now_ms, turn.crowd) = (now_ms, crowd));
    } else {
        shared.turn.set(Turn::new(now_ms, crowd));
    }
    lane.polled_ms = now_ms;
}

/// Sets a lane whose future has panicked anew, to answer that; or to reset the connection, because what answers a panic may panic
/// too.
#[cold]
#[inline(never)]
pub(super) fn answer_panic<P: Port>(lane: &mut Lane<P>, port: &mut P) {
    port.restart(&lane.wire, lane.future.as_mut());
    let shared = &lane.wire.shared;
    let is_exchange = shared.state.get() == State::Exchange;
    let is_answered = is_exchange && !shared.request.get().panicked;
    if !is_exchange {
        // What the output has is whole.
        shared.output.borrow_mut().exchange.done = true;
    }
    shared.request.change(|request| request.panicked = true);
    shared.connection.change(|connection| {
        connection.hears = false;
        if is_answered {
            connection.order = Some(Order::Failed);
        } else {
            (connection.order, connection.reason) = (Some(Order::Reset), EndReason::Aborted);
        }
    });
}

/// What became of bytes that were to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    None,
    Some,
    Reset,
}

/// Sends once what a lane has written.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(super) fn send<P: Port>(lane: &mut Lane<P>, slot: &mut Slot<P::Session, P::Socket>, port: &mut P) -> Progress {
    let mut output = lane.wire.shared.output.borrow_mut();
    let mut progress = Progress::None;
    if let (Some(pending), Some(socket)) = (output.pending(), &mut slot.socket) {
        match port.send(socket, pending) {
            Transmitted::Bytes(bytes) => {
                output.sent(bytes);
                lane.taken = lane.taken.wrapping_add(bytes as u32);
                progress = Progress::Some;
            }
            Transmitted::Blocked => {}
            Transmitted::Reset => progress = Progress::Reset,
        }
    }
    lane.blocked = output.end > 0;
    progress
}
