//! The connections of one worker: their slots, and the order of their deadlines.
//!
//! Connections that are fresh, idle, waiting or closing are on one list per stage. Each joins it at its end and all of a list
//! have the same time, so the oldest is due first. All others (an incomplete head may have begun long ago, exchanges have
//! deadlines of different lengths) share one heap, or one more list where registers are narrow. So eviction and deadlines look
//! only at who comes first.

#[cfg(feature = "kit")]
mod check;

use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use tenure_proto::bytes::WORDS;

pub(crate) use crate::engine::heap::NONE;
use crate::engine::{
    heap::{self, Links, Nodes},
    interest::Interest,
    state::CLOSED,
};

/// What a slot is doing, which decides where it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Between two requests.
    Idle,
    /// Between two requests; it may give way to a newcomer.
    Spare,
    /// A WebSocket between two messages.
    Open,
    /// Connected, no byte yet.
    Fresh,
    /// Bytes are there and no lane is free.
    Waiting,
    /// The last response is sent; further bytes are discarded.
    Closing,
    /// A WebSocket whose peer was silent, and has been sent a ping.
    Pinged,
    /// A stream of events.
    Listening,
    /// Between two requests, not to be evicted.
    Pinned,
    /// A head, or a message, is incomplete; its bytes are put away.
    Head,
    /// Open; what was pushed waits for the peer.
    Behind,
    /// On a lane.
    Busy,
    /// No connection.
    Vacant,
}

/// The first stages have lists, the later ones the heap.
const LIST_COUNT: usize = Stage::Listening as usize + 1;
/// On 32 bits connections are few, so one more list, ordered by deadline, replaces the heap.
const WATCHED: usize = LIST_COUNT;

/// The list of a stage; a number beyond the lists means the heap.
fn list_of(stage: Stage) -> usize {
    if WORDS { stage as usize } else { (stage as usize).min(WATCHED) }
}

/// What a slot knows of a connection that is open, while that has no lane.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenSlot {
    /// Its route, or [`CLOSED`].
    pub(crate) route: u8,
    pub(crate) flags: OpenFlags,
    /// Messages that were left out since one was heard.
    pub(crate) missed: u16,
}

/// Two flags in one byte: more would make slots larger.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenFlags(u8);

impl OpenFlags {
    const CLOSES_BEHIND: u8 = 1;
    const IS_PARTIAL: u8 = 2;

    /// Whether it is closed where its peer is behind.
    pub(crate) fn closes_behind(self) -> bool {
        self.0 & Self::CLOSES_BEHIND != 0
    }

    pub(crate) fn set_closes_behind(&mut self, closes: bool) {
        self.0 = (self.0 & !Self::CLOSES_BEHIND) | (u8::from(closes) * Self::CLOSES_BEHIND);
    }

    /// Whether part of a message is put away.
    pub(crate) fn is_partial(self) -> bool {
        self.0 & Self::IS_PARTIAL != 0
    }

    pub(crate) fn set_partial(&mut self, partial: bool) {
        self.0 = (self.0 & !Self::IS_PARTIAL) | (u8::from(partial) * Self::IS_PARTIAL);
    }
}

/// One connection.
#[derive(Debug)]
pub struct Slot<S, K> {
    pub(crate) socket: Option<K>,
    pub(crate) generation: u32,
    pub(crate) lane: u32,
    /// While closing: bytes discarded. While waiting: since when it has waited for a lane. In the heap: no deadline is due before.
    /// The last two are in milliseconds of the port's clock.
    pub(crate) mark: u32,
    /// On a list: the older one, the newer one.
    links: Links,
    /// Milliseconds of the port's clock: last use, or since when the stage counts.
    pub(crate) since_ms: u32,
    pub(crate) stage: Stage,
    pub(crate) pinned: bool,
    pub(crate) open: OpenSlot,
    /// What the port has been asked to report of the socket.
    pub(crate) interest: Interest,
    pub(crate) session: Option<S>,
}

impl<S, K> Slot<S, K> {
    const fn new() -> Self {
        Slot {
            socket: None,
            generation: 0,
            lane: NONE,
            mark: 0,
            links: Links::ALONE,
            since_ms: 0,
            stage: Stage::Vacant,
            pinned: false,
            open: OpenSlot { route: CLOSED, flags: OpenFlags(0), missed: 0 },
            interest: Interest::NONE,
            session: None,
        }
    }

    /// Whether it is the most recent one on its list, and that is one of those that a lane leaves a connection on.
    pub(crate) fn is_newest_at_rest(&self) -> bool {
        self.stage as u8 <= Stage::Open as u8 && self.links.behind == NONE
    }

    /// Whether it is the most recent one on the list of that stage.
    pub(crate) fn is_newest(&self, stage: Stage) -> bool {
        self.stage == stage && self.links.behind == NONE
    }
}

impl<S, K> Nodes for [Slot<S, K>] {
    fn links(&mut self, node: u32) -> &mut Links {
        &mut self[node as usize].links
    }

    fn is_first(&self, node: u32, other: u32) -> bool {
        is_due(self[node as usize].mark, self[other as usize].mark)
    }
}

/// The value at that index, where one is. Where code is dear, all checks of indices share what never happens.
#[inline(always)]
pub(crate) fn at<T>(values: &[T], index: u32) -> &T {
    if WORDS { &values[index as usize] } else { values.get(index as usize).unwrap_or_else(|| absent()) }
}

/// The same, to change.
#[inline(always)]
pub(crate) fn at_mut<T>(values: &mut [T], index: u32) -> &mut T {
    if WORDS { &mut values[index as usize] } else { values.get_mut(index as usize).unwrap_or_else(|| absent()) }
}

#[cold]
#[inline(never)]
fn absent() -> ! {
    panic!("a connection in use has a slot, and its lane is there")
}

/// Whether `then` is not after `now`; times wrap.
pub(crate) fn is_due(then_ms: u32, now_ms: u32) -> bool {
    now_ms.wrapping_sub(then_ms) < 1 << 31
}

/// Memory for slots or lanes that grows up to a bound: a `Vec`, or a `heapless::Vec` on a board.
pub trait Store<T>: Deref<Target = [T]> + DerefMut {
    /// Adds an item; gives it back where there is no room.
    ///
    /// # Errors
    /// The item.
    fn push(&mut self, item: T) -> Result<(), T>;
}

#[cfg(feature = "alloc")]
impl<T> Store<T> for alloc::vec::Vec<T> {
    fn push(&mut self, item: T) -> Result<(), T> {
        alloc::vec::Vec::push(self, item);
        Ok(())
    }
}

impl<T, const N: usize, L: heapless::LenType> Store<T> for heapless::Vec<T, N, L> {
    fn push(&mut self, item: T) -> Result<(), T> {
        heapless::Vec::push(self, item)
    }
}

/// The two ends of a list.
#[derive(Clone, Copy, Debug)]
struct Ends {
    oldest: u32,
    newest: u32,
}

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Table<S, K, V> {
    vacant: u32,
    count: u32,
    max: u32,
    lists: [Ends; LIST_COUNT + !WORDS as usize],
    /// The first of the heap.
    first: u32,
    slots: V,
    items: PhantomData<fn() -> Slot<S, K>>,
}

impl<S, K, V: Store<Slot<S, K>>> Table<S, K, V> {
    /// A table of `max` connections at the most.
    pub(crate) fn new(slots: V, max: u32) -> Self {
        Table {
            slots,
            max,
            count: 0,
            vacant: NONE,
            lists: [Ends { oldest: NONE, newest: NONE }; LIST_COUNT + !WORDS as usize],
            first: NONE,
            items: PhantomData,
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count >= self.max
    }

    /// Whether another connection finds a slot; one is added where the store has room.
    pub(crate) fn has_place(&mut self) -> bool {
        if self.is_full() {
            return false;
        }
        if self.vacant == NONE {
            let index = self.slots.len() as u32;
            if self.slots.push(Slot::new()).is_err() {
                // The store is smaller than the settings: its size is the bound.
                self.max = index;
                return false;
            }
            self.vacant = index;
        }
        true
    }

    /// The next slot to be taken. Call only after [`has_place`](Table::has_place) returned `true`.
    pub(crate) fn next(&self) -> u32 {
        self.vacant
    }

    /// Whether the slot exists, vacant or not.
    pub(crate) fn is_slot(&self, index: u32) -> bool {
        (index as usize) < self.slots.len()
    }

    /// The first on a stage's list.
    pub(crate) fn oldest(&self, stage: Stage) -> u32 {
        self.lists[stage as usize].oldest
    }

    /// The first of the heap, and the time before which nothing is due.
    pub(crate) fn first_due(&self) -> Option<(u32, u32)> {
        let first = if WORDS { self.first } else { self.first_watched() };
        Some((first, self.slots.get(first as usize)?.mark))
    }

    /// Takes a vacant slot onto the list of the fresh ones.
    pub(crate) fn take(&mut self, socket: K, now_ms: u32) -> Result<u32, K> {
        if !self.has_place() {
            return Err(socket);
        }
        let index = self.vacant;
        let slot = at_mut(&mut self.slots, index);
        self.vacant = slot.links.behind;
        slot.socket = Some(socket);
        slot.since_ms = now_ms;
        (slot.pinned, slot.lane) = (false, NONE);
        self.count += 1;
        self.link(index, Stage::Fresh);
        Ok(index)
    }

    /// Vacates a slot whose socket and session have been taken out. Its next connection has another generation.
    pub(crate) fn vacate(&mut self, index: u32) {
        self.unlink(index);
        let vacant = self.vacant;
        let slot = self.slot_mut(index);
        slot.generation = slot.generation.wrapping_add(1);
        slot.stage = Stage::Vacant;
        slot.links.behind = vacant;
        self.vacant = index;
        self.count -= 1;
    }

    /// The slot of a connection that is there.
    pub(crate) fn get(&mut self, index: u32, generation: u32) -> Option<&mut Slot<S, K>> {
        self.slots.get_mut(index as usize).filter(|slot| slot.generation == generation && slot.stage != Stage::Vacant)
    }

    pub(crate) fn slot(&self, index: u32) -> &Slot<S, K> {
        at(&self.slots, index)
    }

    pub(crate) fn slot_mut(&mut self, index: u32) -> &mut Slot<S, K> {
        at_mut(&mut self.slots, index)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &Slot<S, K>)> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.stage != Stage::Vacant)
            .map(|(index, slot)| (index as u32, slot))
    }

    /// The slot behind this one on its list, used more recently.
    pub(crate) fn newer(&self, index: u32) -> u32 {
        self.slot(index).links.behind
    }

    /// Moves a slot to the recent end of a stage's list.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn move_to(&mut self, index: u32, stage: Stage) {
        if self.slot(index).is_newest(stage) {
            return;
        }
        self.unlink(index);
        self.link(index, stage);
    }

    /// Gives a slot that stage of the heap, with nothing due before `due_ms`. If it will be looked at earlier anyway, it stays in its
    /// place. Returns whether it has been moved.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn watch(&mut self, index: u32, stage: Stage, due_ms: u32) -> bool {
        let slot = self.slot_mut(index);
        let stays = matches!(slot.stage, Stage::Pinned | Stage::Head | Stage::Behind | Stage::Busy)
            && is_due(slot.mark, due_ms);
        if stays {
            slot.stage = stage;
        } else {
            self.put_off(index, stage, due_ms);
        }
        !stays
    }

    /// As [`watch`](Table::watch), but moves it even if it would have been looked at earlier.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn put_off(&mut self, index: u32, stage: Stage, due_ms: u32) {
        self.unlink(index);
        let slot = self.slot_mut(index);
        (slot.stage, slot.mark) = (stage, due_ms);
        if WORDS {
            self.first = heap::insert(&mut *self.slots, self.first, index);
        } else {
            self.link_by_mark(index, stage, due_ms);
        }
    }

    /// The first on the list of those that are watched.
    fn first_watched(&self) -> u32 {
        self.lists.get(WATCHED).map_or(NONE, |list| list.oldest)
    }

    /// Inserts a slot into the watched list, after those that are due no later.
    fn link_by_mark(&mut self, index: u32, stage: Stage, due_ms: u32) {
        let (mut before, mut behind) = (NONE, self.first_watched());
        while let Some(slot) = self.slots.get(behind as usize)
            && is_due(slot.mark, due_ms)
        {
            (before, behind) = (behind, slot.links.behind);
        }
        self.link_between(index, stage, before, behind);
    }

    fn link(&mut self, index: u32, stage: Stage) {
        self.link_between(index, stage, self.lists[stage as usize].newest, NONE);
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn link_between(&mut self, index: u32, stage: Stage, before: u32, behind: u32) {
        let slot = self.slot_mut(index);
        (slot.links.before, slot.links.behind, slot.stage) = (before, behind, stage);
        let list = &mut self.lists[list_of(stage)];
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.links.behind = index,
            None => list.oldest = index,
        }
        if behind == NONE {
            list.newest = index;
        } else {
            self.slot_mut(behind).links.before = index;
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn unlink(&mut self, index: u32) {
        let Slot { links: Links { before, behind, .. }, stage, .. } = *self.slot(index);
        let Some(list) = self.lists.get_mut(list_of(stage)) else {
            self.first = heap::remove(&mut *self.slots, self.first, index);
            return;
        };
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.links.behind = behind,
            None => list.oldest = behind,
        }
        match self.slots.get_mut(behind as usize) {
            Some(slot) => slot.links.before = before,
            None => list.newest = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Slots = heapless::Vec<Slot<(), u32>, 8>;

    /// The slots on a list from its oldest on; the way back must be the same.
    fn list(table: &Table<(), u32, Slots>, stage: Stage) -> heapless::Vec<u32, 8> {
        let mut indices = heapless::Vec::new();
        let mut older = NONE;
        let mut index = table.oldest(stage);
        while index != NONE {
            indices.push(index).unwrap();
            assert_eq!(table.slot(index).links.before, older);
            (older, index) = (index, table.newer(index));
        }
        assert_eq!(table.lists[stage as usize].newest, older);
        indices
    }

    /// Slots move between lists and the heap, also where the clock wraps.
    #[test]
    fn lists_and_heap() {
        for start_ms in [0u32, u32::MAX - 25] {
            let mut table: Table<(), u32, Slots> = Table::new(heapless::Vec::new(), 8);
            for socket in 0..5 {
                table.take(socket, start_ms).unwrap();
            }
            assert_eq!(list(&table, Stage::Fresh), [0, 1, 2, 3, 4]);
            for (index, after_ms) in [(0, 20), (1, 40), (2, 10), (3, 30), (4, 50)] {
                assert!(table.watch(index, Stage::Head, start_ms.wrapping_add(after_ms)));
            }
            assert!(list(&table, Stage::Fresh).is_empty());
            assert_eq!(table.first_due(), Some((2, start_ms.wrapping_add(10))));
            // From the middle of the heap and from its front.
            for index in [4, 2, 1] {
                table.move_to(index, Stage::Idle);
            }
            assert_eq!(list(&table, Stage::Idle), [4, 2, 1]);
            assert_eq!(table.first_due(), Some((0, start_ms.wrapping_add(20))));
            table.vacate(2);
            assert_eq!((list(&table, Stage::Idle).as_slice(), table.count()), ([4, 1].as_slice(), 4));
            assert!(table.get(2, 0).is_none());
            assert_eq!(table.take(9, start_ms), Ok(2));
            assert!(table.get(2, 0).is_none() && table.get(2, 1).is_some(), "the slot has another generation");
            table.vacate(0);
            assert_eq!(table.first_due(), Some((3, start_ms.wrapping_add(30))));
            table.vacate(3);
            assert_eq!(table.first_due(), None);
        }
    }

    /// A slot whose deadline moves back stays in place until it is looked at; one whose deadline moves forward is moved.
    #[test]
    fn only_what_is_due_earlier_is_moved() {
        let mut table: Table<(), u32, Slots> = Table::new(heapless::Vec::new(), 8);
        for socket in 0..2 {
            table.take(socket, 0).unwrap();
        }
        assert!(table.watch(0, Stage::Busy, 100));
        assert!(table.watch(1, Stage::Busy, 110));
        assert!(!table.watch(0, Stage::Pinned, 101));
        assert_eq!((table.first_due(), table.slot(0).stage), (Some((0, 100)), Stage::Pinned));
        assert!(!table.watch(0, Stage::Head, 100));
        assert!(table.watch(1, Stage::Head, 99));
        assert_eq!((table.first_due(), table.slot(1).stage), (Some((1, 99)), Stage::Head));
        table.put_off(1, Stage::Head, 102);
        assert_eq!(table.first_due(), Some((0, 100)));
    }
}
