//! The registers of QEMU's board "virt", and what memory the network device may reach.
#![allow(unsafe_code, reason = "registers are memory that the compiler does not know; with the network's all is here")]

use core::ptr::NonNull;

use virtio_drivers::{
    BufferDirection, Hal, PAGE_SIZE, PhysAddr,
    transport::mmio::{MmioTransport, VirtIOHeader},
};

const UART: usize = 0x1000_0000;
const UART_STATUS: usize = UART + 5;
const UART_EMPTY: u8 = 0x20;
const TEST: usize = 0x10_0000;
const TIME: usize = 0x0200_bff8;
const TIME_COMPARE: usize = 0x0200_4000;
const PLIC: usize = 0x0c00_0000;
const PLIC_ENABLE: usize = PLIC + 0x2000;
const PLIC_THRESHOLD: usize = PLIC + 0x20_0000;
const PLIC_CLAIM: usize = PLIC + 0x20_0004;
const VIRTIO: usize = 0x1000_1000;
const VIRTIO_STRIDE: usize = 0x1000;
const VIRTIO_INTERRUPT_STATUS: usize = 0x60;
const VIRTIO_INTERRUPT_ACKNOWLEDGE: usize = 0x64;
/// Behind the six bytes of the hardware address in the device's own configuration.
const VIRTIO_NET_STATUS: usize = 0x106;

/// How many virtio devices the board has room for.
pub(crate) const SLOTS: usize = 8;

fn read(register: usize) -> u32 {
    // SAFETY: every register here is one of the board's, aligned, and reading it has no effect on memory.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: every register here is one of the board's, aligned, and none lets a device reach memory.
    unsafe { (register as *mut u32).write_volatile(value) }
}

/// Writes one byte once there is room for it.
pub(crate) fn print(byte: u8) {
    // SAFETY: the UART's registers have one byte each.
    unsafe {
        while (UART_STATUS as *const u8).read_volatile() & UART_EMPTY == 0 {}
        (UART as *mut u8).write_volatile(byte);
    }
}

/// Ends QEMU with that exit code.
pub(crate) fn exit(code: u16) -> ! {
    write(TEST, if code == 0 { 0x5555 } else { u32::from(code) << 16 | 0x3333 });
    loop {
        riscv::asm::wfi();
    }
}

/// Ticks of 100 ns since the start.
pub(crate) fn time() -> u64 {
    loop {
        let (high, low) = (read(TIME + 4), read(TIME));
        if read(TIME + 4) == high {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// What the part of the stack that was never used is full of.
const PAINT: u32 = 0xa5a5_a5a5;

/// Fills the stack below this call, so that QEMU's monitor can see how far it has been used. To be called at the start.
#[inline(never)]
pub(crate) fn paint_stack() {
    unsafe extern "C" {
        static mut __sheap: u32;
    }
    // Room for this call itself.
    const OWN_BYTES: usize = 256;
    let here = 0_u32;
    let mut at = &raw mut __sheap;
    let end = (&raw const here as usize) - OWN_BYTES;
    while (at as usize) < end {
        // SAFETY: between the last static and the stack's end there is nothing else, and it is aligned to words.
        unsafe {
            at.write_volatile(PAINT);
            at = at.add(1);
        }
    }
}

/// Lets the timer interrupt come at that time; a past one comes at once.
pub(crate) fn alarm(at: u64) {
    // Never early in between.
    write(TIME_COMPARE + 4, u32::MAX);
    write(TIME_COMPARE, at as u32);
    write(TIME_COMPARE + 4, (at >> 32) as u32);
}

/// Lets interrupts of the timer come once interrupts are enabled.
pub(crate) fn enable_timer() {
    // SAFETY: the handler is in `time.rs`.
    unsafe { riscv::register::mie::set_mtimer() };
}

pub(crate) fn enable_interrupts() {
    // SAFETY: every interrupt that is enabled has its handler, and no critical section is open at the start.
    unsafe { riscv::interrupt::enable() };
}

/// Lets interrupts of the virtio device in that slot come.
pub(crate) fn enable_device(slot: usize) {
    let number = slot + 1;
    write(PLIC + 4 * number, 1);
    write(PLIC_ENABLE, 1 << number);
    write(PLIC_THRESHOLD, 0);
    // SAFETY: the handler is in `nic.rs`.
    unsafe { riscv::register::mie::set_mext() };
}

/// Acknowledges the interrupt that has come, both the board's and the device's. Returns whether the device's configuration
/// has changed, its link that is.
pub(crate) fn acknowledge_device() -> bool {
    const CONFIGURATION: u32 = 2;
    let number = read(PLIC_CLAIM);
    let mut status = 0;
    if (1..=SLOTS).contains(&(number as usize)) {
        let device = VIRTIO + (number as usize - 1) * VIRTIO_STRIDE;
        status = read(device + VIRTIO_INTERRUPT_STATUS);
        write(device + VIRTIO_INTERRUPT_ACKNOWLEDGE, status);
    }
    if number != 0 {
        write(PLIC_CLAIM, number);
    }
    status & CONFIGURATION != 0
}

/// The device in that slot, where there is one.
pub(crate) fn device(slot: usize) -> Option<MmioTransport<'static>> {
    let header = NonNull::new((VIRTIO + slot * VIRTIO_STRIDE) as *mut VirtIOHeader)?;
    // SAFETY: the board has the registers of a virtio device there, also where none is plugged in, for ever. The one that
    // is found is used by one driver only: `nic::find` is called once.
    unsafe { MmioTransport::new(header, VIRTIO_STRIDE) }.ok()
}

/// Whether the network device in that slot has its link.
pub(crate) fn has_link(slot: usize) -> bool {
    // SAFETY: the device is there (it has been found), and its status has two bytes.
    let status = unsafe { ((VIRTIO + slot * VIRTIO_STRIDE + VIRTIO_NET_STATUS) as *const u16).read_volatile() };
    status & 1 != 0
}

/// Pages that the queues of the network device take.
const QUEUE_PAGES: usize = 6;

#[repr(align(4096))]
struct Pages {
    _bytes: [u8; PAGE_SIZE * QUEUE_PAGES],
}

/// Memory that devices reach: all of it, at the addresses that the program sees.
pub(crate) struct Memory;

// SAFETY: addresses are the same on both sides; pages are handed out once each, zeroed by the start-up code, aligned, and
// never taken back.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        static mut PAGES: Pages = Pages { _bytes: [0; PAGE_SIZE * QUEUE_PAGES] };
        static USED: portable_atomic::AtomicUsize = portable_atomic::AtomicUsize::new(0);
        let from = USED.fetch_add(pages, portable_atomic::Ordering::Relaxed);
        assert!(from + pages <= QUEUE_PAGES, "the network device wants more pages than it was given");
        // SAFETY: within the static, by the assertion; only its address is taken.
        let page = unsafe { (&raw mut PAGES).cast::<u8>().add(from * PAGE_SIZE) };
        (page as usize as PhysAddr, NonNull::new(page).expect("no static is at 0"))
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as usize as *mut u8).expect("no device is at 0")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr() as usize as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
