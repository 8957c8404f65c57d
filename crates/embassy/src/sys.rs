//! What needs unsafe code without a heap: a waker that is a reference, an array made in place, and the parts of a pinned array.
#![allow(unsafe_code, reason = "all of this crate's unsafe code is here")]

use core::{
    mem::MaybeUninit,
    pin::Pin,
    task::{RawWaker, RawWakerVTable, Waker},
};

use heapless::Vec;

use crate::handle::Mark;

/// Dropping such a waker does nothing: marks live for ever.
static VTABLE: RawWakerVTable = RawWakerVTable::new(|data| RawWaker::new(data, &VTABLE), wake, wake, |_| {});

/// A waker that sets the mark.
#[inline]
pub(crate) fn waker(mark: &'static Mark) -> Waker {
    let data = core::ptr::from_ref(mark).cast();
    // SAFETY: the functions of the table only share `data`, which points to a mark that lives for ever, from any thread,
    // which `Mark: Sync` allows (asserted below).
    unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) }
}

fn wake(data: *const ()) {
    // SAFETY: only `waker` makes wakers of this table, and its pointers are of `&'static Mark`.
    let mark = unsafe { &*data.cast::<Mark>() };
    mark.set();
}

const _: () = {
    const fn is_sync<T: Sync>() {}
    is_sync::<Mark>();
};

/// The pinned parts of a pinned array, the last one first.
pub(crate) fn parts<T, const COUNT: usize>(array: Pin<&mut [T; COUNT]>) -> Vec<Pin<&mut T>, COUNT> {
    // SAFETY: nothing is moved out of the array: its parts are only handed out pinned.
    let array = unsafe { array.get_unchecked_mut() };
    // SAFETY: each part is borrowed from the pinned array, which nobody moves or reaches for as long as the borrow lives.
    array.iter_mut().rev().map(|part| unsafe { Pin::new_unchecked(part) }).collect()
}

/// Makes the parts of an array where they stay.
pub(crate) fn fill<T, const COUNT: usize>(
    array: &mut [MaybeUninit<T>; COUNT],
    mut make: impl FnMut() -> T,
) -> &mut [T; COUNT] {
    for part in array.iter_mut() {
        part.write(make());
    }
    // SAFETY: an array of `MaybeUninit<T>` is laid out as one of `T`, and every part has just been written.
    unsafe { &mut *core::ptr::from_mut(array).cast() }
}
