//! What holds of a table between two calls of the driver, for tests.

use alloc::vec::Vec;

use super::{CLOSED, NONE, Slot, Stage, Store, Table, WATCHED, is_due, list_of};
use tenure_proto::bytes::WORDS;

impl<S, K, V: Store<Slot<S, K>>> Table<S, K, V> {
    /// Each slot stands where its stage says, once, and the links agree with each other.
    ///
    /// # Panics
    /// When that does not hold.
    pub(crate) fn check(&self) {
        let mut seen = Vec::new();
        seen.resize(self.slots.len(), false);
        let mut see = |index: u32| {
            let before = core::mem::replace(&mut seen[index as usize], true);
            assert!(!before, "slot {index} stands in two places");
        };
        let mut vacant = self.vacant;
        while vacant != NONE {
            see(vacant);
            let slot = self.slot(vacant);
            assert_eq!(slot.stage, Stage::Vacant, "slot {vacant} is among the vacant ones");
            assert!(slot.socket.is_none() && slot.session.is_none(), "vacant slot {vacant} holds something");
            assert_eq!(slot.open.route, CLOSED, "vacant slot {vacant} is open");
            vacant = slot.links.behind;
        }
        for (number, list) in self.lists.iter().enumerate() {
            let (mut before, mut index) = (NONE, list.oldest);
            while index != NONE {
                see(index);
                let slot = self.slot(index);
                assert_eq!(list_of(slot.stage), number, "slot {index} is {:?}", slot.stage);
                assert_eq!(slot.links.before, before, "in front of slot {index}");
                if number == WATCHED && before != NONE {
                    assert!(is_due(self.slot(before).mark, slot.mark), "slots {before}, {index}: the later one first");
                }
                (before, index) = (index, slot.links.behind);
            }
            assert_eq!(list.newest, before, "the end of list {number}");
        }
        if WORDS && self.first != NONE {
            let links = self.slot(self.first).links;
            assert_eq!((links.before, links.behind), (NONE, NONE), "the heap's root {}", self.first);
            let mut rest = Vec::from([self.first]);
            while let Some(parent) = rest.pop() {
                see(parent);
                let slot = self.slot(parent);
                let is_watched = matches!(slot.stage, Stage::Pinned | Stage::Head | Stage::Behind | Stage::Busy);
                assert!(is_watched, "slot {parent} in the heap is {:?}", slot.stage);
                let (mut before, mut child) = (parent, slot.links.child);
                while child != NONE {
                    assert!(is_due(slot.mark, self.slot(child).mark), "{child} is due before its parent {parent}");
                    assert_eq!(self.slot(child).links.before, before, "in front of {child} in the heap");
                    rest.push(child);
                    (before, child) = (child, self.slot(child).links.behind);
                }
            }
        }
        let lost = seen.iter().position(|seen| !seen);
        assert_eq!(lost, None, "a slot that stands nowhere");
        assert_eq!(self.all().count(), self.count as usize, "connections");
        assert!(self.count <= self.max, "more connections than there may be");
        assert!(self.all().all(|(_, slot)| slot.socket.is_some()), "a connection without a socket");
    }
}
