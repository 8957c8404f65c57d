//! The connections of one worker: slots, and lists of them in the order of their last use.
//!
//! A slot is on one list, that of its stage. The lists whose deadline is the same for all (fresh, idle, pinned, head,
//! closing) are in the order of their deadlines, so that eviction and deadlines look at their heads only.

use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

/// No slot, no lane.
pub(crate) const NONE: u32 = u32::MAX;

/// What a slot is doing, and so which list it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// No connection.
    Free,
    /// Connected, no byte yet.
    Fresh,
    /// Between two requests.
    Idle,
    /// Between two requests, not to be evicted.
    Pinned,
    /// A head is incomplete; its bytes are put away.
    Head,
    /// Bytes are there and no lane is free.
    Waiting,
    /// On a lane.
    Busy,
    /// The last response is sent; what still comes is dropped.
    Closing,
}

const STAGE_COUNT: usize = 8;

/// One connection.
#[derive(Debug)]
pub struct Slot<S, K> {
    pub(crate) socket: Option<K>,
    pub(crate) generation: u32,
    pub(crate) lane: u32,
    /// Bytes dropped while closing.
    pub(crate) dropped: u32,
    /// Milliseconds of the port's clock: since when it has waited for a lane.
    pub(crate) waiting_ms: u32,
    older: u32,
    newer: u32,
    /// Milliseconds of the port's clock: last use, or since when the stage counts.
    pub(crate) since_ms: u32,
    pub(crate) stage: Stage,
    pub(crate) pinned: bool,
    /// What the port has been asked to report of the socket.
    pub(crate) interest: crate::engine::driver::Interest,
    pub(crate) session: Option<S>,
}

impl<S, K> Slot<S, K> {
    const fn new() -> Self {
        Slot {
            socket: None,
            generation: 0,
            lane: NONE,
            dropped: 0,
            waiting_ms: 0,
            older: NONE,
            newer: NONE,
            since_ms: 0,
            stage: Stage::Free,
            pinned: false,
            interest: crate::engine::driver::Interest::NONE,
            session: None,
        }
    }

    /// Whether it is the most recent one on the list of that stage.
    #[inline]
    pub(crate) fn is_newest(&self, stage: Stage) -> bool {
        self.stage == stage && self.newer == NONE
    }
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
    free: u32,
    count: u32,
    max: u32,
    lists: [Ends; STAGE_COUNT],
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
            free: NONE,
            lists: [Ends { oldest: NONE, newest: NONE }; STAGE_COUNT],
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
        if self.free == NONE {
            let index = self.slots.len() as u32;
            if self.slots.push(Slot::new()).is_err() {
                // The store is smaller than was asked for: that is the bound, then.
                self.max = index;
                return false;
            }
            self.free = index;
        }
        true
    }

    /// The slot that is taken next, where [`has_place`](Table::has_place) has said that there is one.
    pub(crate) fn next(&self) -> u32 {
        self.free
    }

    /// Whether there is such a slot, free or not.
    #[inline]
    pub(crate) fn is_slot(&self, index: u32) -> bool {
        (index as usize) < self.slots.len()
    }

    pub(crate) fn newest(&self, stage: Stage) -> u32 {
        self.lists[stage as usize].newest
    }

    pub(crate) fn oldest(&self, stage: Stage) -> u32 {
        self.lists[stage as usize].oldest
    }

    /// Takes a free slot onto the list of the fresh ones.
    pub(crate) fn take(&mut self, socket: K, now_ms: u32) -> Result<u32, K> {
        if !self.has_place() {
            return Err(socket);
        }
        let index = self.free;
        let slot = &mut self.slots[index as usize];
        self.free = slot.newer;
        slot.socket = Some(socket);
        slot.since_ms = now_ms;
        (slot.pinned, slot.dropped, slot.lane) = (false, 0, NONE);
        self.count += 1;
        self.link(index, Stage::Fresh);
        Ok(index)
    }

    /// Frees a slot whose socket and session have been taken out. Its next connection has another generation.
    pub(crate) fn free(&mut self, index: u32) {
        self.unlink(index);
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.stage = Stage::Free;
        slot.newer = self.free;
        self.free = index;
        self.count -= 1;
    }

    /// The slot of a connection that is there.
    #[inline]
    pub(crate) fn get(&mut self, index: u32, generation: u32) -> Option<&mut Slot<S, K>> {
        self.slots.get_mut(index as usize).filter(|slot| slot.generation == generation && slot.stage != Stage::Free)
    }

    #[inline]
    pub(crate) fn slot(&self, index: u32) -> &Slot<S, K> {
        &self.slots[index as usize]
    }

    #[inline]
    pub(crate) fn slot_mut(&mut self, index: u32) -> &mut Slot<S, K> {
        &mut self.slots[index as usize]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &Slot<S, K>)> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.stage != Stage::Free)
            .map(|(index, slot)| (index as u32, slot))
    }

    /// The slot behind this one on its list, used more recently.
    pub(crate) fn newer(&self, index: u32) -> u32 {
        self.slots[index as usize].newer
    }

    /// Moves a slot to the recent end of a stage's list.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn move_to(&mut self, index: u32, stage: Stage) {
        if self.slots[index as usize].is_newest(stage) {
            return;
        }
        self.unlink(index);
        self.link(index, stage);
    }

    /// Puts a slot where its time belongs on a stage's list: it counts from a time that may have passed long ago.
    pub(crate) fn insert(&mut self, index: u32, stage: Stage) {
        self.unlink(index);
        let since_ms = self.slots[index as usize].since_ms;
        let (mut newer, mut older) = (NONE, self.lists[stage as usize].newest);
        while let Some(slot) = self.slots.get(older as usize)
            && since_ms.wrapping_sub(slot.since_ms) >= 1 << 31
        {
            (newer, older) = (older, slot.older);
        }
        let slot = &mut self.slots[index as usize];
        (slot.older, slot.newer, slot.stage) = (older, newer, stage);
        match self.slots.get_mut(older as usize) {
            Some(before) => before.newer = index,
            None => self.lists[stage as usize].oldest = index,
        }
        match self.slots.get_mut(newer as usize) {
            Some(behind) => behind.older = index,
            None => self.lists[stage as usize].newest = index,
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn link(&mut self, index: u32, stage: Stage) {
        let newest = self.lists[stage as usize].newest;
        let slot = &mut self.slots[index as usize];
        (slot.older, slot.newer, slot.stage) = (newest, NONE, stage);
        match self.slots.get_mut(newest as usize) {
            Some(before) => before.newer = index,
            None => self.lists[stage as usize].oldest = index,
        }
        self.lists[stage as usize].newest = index;
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn unlink(&mut self, index: u32) {
        let Slot { older, newer, stage, .. } = self.slots[index as usize];
        let list = &mut self.lists[stage as usize];
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => list.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => list.newest = older,
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
            assert_eq!(table.slot(index).older, older);
            (older, index) = (index, table.newer(index));
        }
        assert_eq!(table.newest(stage), older);
        indices
    }

    /// Slots that are put back with an older time stand where it belongs, also where the clock wraps.
    #[test]
    fn insert_keeps_the_order() {
        for start_ms in [0u32, u32::MAX - 25] {
            let mut table: Table<(), u32, Slots> = Table::new(heapless::Vec::new(), 8);
            for socket in 0..5 {
                table.take(socket, start_ms).unwrap();
            }
            for (index, after_ms) in [(0, 20), (1, 40), (2, 10), (3, 30), (4, 20)] {
                table.slot_mut(index).since_ms = start_ms.wrapping_add(after_ms);
                table.insert(index, Stage::Head);
            }
            assert_eq!(list(&table, Stage::Head), [2, 0, 4, 3, 1], "the later of two equals behind");
            assert_eq!(list(&table, Stage::Fresh), []);
            // Out of the middle, and from both ends.
            for index in [4, 2, 1] {
                table.move_to(index, Stage::Idle);
            }
            assert_eq!(list(&table, Stage::Head), [0, 3]);
            assert_eq!(list(&table, Stage::Idle), [4, 2, 1]);
            table.free(2);
            assert_eq!((list(&table, Stage::Idle).as_slice(), table.count()), ([4, 1].as_slice(), 4));
            assert!(table.get(2, 0).is_none());
            assert_eq!(table.take(9, start_ms), Ok(2));
            assert!(table.get(2, 0).is_none() && table.get(2, 1).is_some(), "the slot has another generation");
        }
    }
}
