//! What a lane that waits for its peer gives back: buffers that it does not need meanwhile. Where memory is static nothing is.
//!
//! A lane is polled with all of its buffers. When it waits while others are at work, too, those without anything in them go to
//! the worker's spares, of which there is one of each kind, or back to the heap. A request whose body is still to come leaves
//! the input buffer as well: its head is moved into a buffer of its own before its handler begins, because from then on the
//! handler may point at it.

#[cfg(feature = "alloc")]
pub(crate) use with::{Apart, Spares};
#[cfg(not(feature = "alloc"))]
pub(crate) use without::Spares;

#[cfg(feature = "alloc")]
mod with {
    use core::{
        cell::Cell,
        mem::{replace, take},
    };

    use tenure_proto::{framing::Framing, head::Head};

    use crate::engine::{
        buffer::Buffer,
        input::{BodyInput, Input},
        state::Change,
        wire::Shared,
    };

    /// Bytes that a buffer for heads alone has at least. A lane keeps one of that size; larger ones are for one head.
    const HEAD_BYTES: usize = 1_024;

    /// What is apart from a wire's own buffers.
    pub(crate) struct Apart {
        /// Bytes of the buffers that are given back; 0 where they are not.
        body_bytes: usize,
        output_bytes: usize,
        /// The head at hand is in a buffer of its own, and `aside` is the input's.
        is_head: Cell<bool>,
        /// Bytes of its body that had come with it.
        begun: Cell<usize>,
        /// The buffer that the input does not use: for heads alone, or its own one.
        aside: Cell<Buffer>,
    }

    impl Apart {
        pub(crate) fn new(body_bytes: usize, output_bytes: usize) -> Self {
            Apart { body_bytes, output_bytes, is_head: Cell::new(false), begun: Cell::new(0), aside: Cell::default() }
        }
    }

    /// One buffer of each kind that no lane needs now.
    #[derive(Default)]
    pub(crate) struct Spares {
        /// When to look for what can be given back.
        pub(crate) look_ms: Option<u32>,
        /// No lane is missing below that number.
        pub(crate) vacant: u32,
        input: Buffer,
        body: Buffer,
        output: Buffer,
    }

    fn keep(spare: &mut Buffer, buffer: &mut Buffer) {
        let buffer = take(buffer);
        if spare.is_empty() {
            *spare = buffer;
        }
    }

    fn fill(buffer: &mut Buffer, spare: &mut Buffer, bytes: usize) {
        *buffer = if spare.is_empty() { Buffer::with_bytes(bytes) } else { take(spare) };
    }

    impl Spares {
        /// Gives a lane all of its buffers.
        #[cold]
        #[inline(never)]
        pub(crate) fn fit(&mut self, shared: &Shared) {
            let apart = &shared.apart;
            let mut output = shared.output.borrow_mut();
            if output.buffer.len() < apart.output_bytes {
                let kept = take(&mut output.buffer);
                fill(&mut output.buffer, &mut self.output, apart.output_bytes);
                let at = output.buffer.len() - kept.len();
                output.buffer[at..].copy_from_slice(&kept);
            }
            // What is lent has not been given back.
            if let Ok(mut body) = shared.body.try_borrow_mut()
                && body.buffer.len() < apart.body_bytes
            {
                let collected = take(&mut body.buffer);
                fill(&mut body.buffer, &mut self.body, apart.body_bytes);
                body.buffer[..collected.len()].copy_from_slice(&collected);
            }
            if apart.is_head.get() {
                let mut aside = apart.aside.take();
                if aside.is_empty() {
                    fill(&mut aside, &mut self.input, shared.input_bytes);
                }
                apart.aside.set(aside);
            } else if let Ok(mut input) = shared.input.try_borrow_mut()
                && input.buffer.is_empty()
            {
                fill(&mut input.buffer, &mut self.input, shared.input_bytes);
            }
        }

        /// Takes the buffers of a wire that serves nobody: nobody asks for what was left of a body.
        #[cold]
        pub(crate) fn strip_unused(&mut self, shared: &Shared) {
            if let Ok(mut body) = shared.body.try_borrow_mut() {
                body.forget();
            }
            self.strip(shared);
        }

        /// Takes the buffers that have nothing in them.
        #[cold]
        #[inline(never)]
        pub(crate) fn strip(&mut self, shared: &Shared) {
            let mut output = shared.output.borrow_mut();
            let kept_bytes = output.kept_bytes();
            if output.end == 0 && output.buffer.len() > kept_bytes {
                let mut kept = Buffer::default();
                if kept_bytes > 0 {
                    kept = Buffer::with_bytes(kept_bytes);
                    let at = output.buffer.len() - kept_bytes;
                    kept.copy_from_slice(&output.buffer[at..]);
                }
                keep(&mut self.output, &mut replace(&mut output.buffer, kept));
            }
            if let Ok(mut body) = shared.body.try_borrow_mut()
                && body.is_drained()
            {
                keep(&mut self.body, &mut body.buffer);
            }
            if shared.apart.is_head.get() {
                let mut aside = shared.apart.aside.take();
                keep(&mut self.input, &mut aside);
            } else if let Ok(mut input) = shared.input.try_borrow_mut()
                // What is put together of a message stands in front of what is unread.
                && input.message.kept == 0
                && input.is_used_up()
            {
                keep(&mut self.input, &mut input.buffer);
            }
        }

        /// Lets the buffer of a body that is being collected be no larger than what has come of it.
        #[cold]
        pub(crate) fn shrink_body(&mut self, shared: &Shared) {
            if let Ok(mut body) = shared.body.try_borrow_mut()
                && body.is_roomy()
            {
                let mut collected = Buffer::with_bytes(body.state.end);
                collected.copy_from_slice(&body.buffer[..body.state.end]);
                let mut whole = replace(&mut body.buffer, collected);
                keep(&mut self.body, &mut whole);
            }
        }

        /// Gives all of them back.
        pub(crate) fn free(&mut self) {
            (self.input, self.body, self.output) = Default::default();
        }
    }

    impl BodyInput {
        fn forget(&mut self) {
            self.fresh = false;
            (self.at, self.state.end, self.state.collected) = (0, 0, 0);
        }

        /// Whether nothing is in the buffer that anybody may still ask for; then its bytes begin at the front again.
        fn is_drained(&mut self) -> bool {
            if self.state.spilled && self.state.collected == 0 && self.at == self.state.end {
                (self.at, self.state.end) = (0, 0);
            }
            self.state.end == 0
        }

        /// Whether what has been collected fills less than half of the buffer.
        pub(crate) fn is_roomy(&self) -> bool {
            self.state.spilled && self.state.end > 0 && self.state.end < self.buffer.len() / 2
        }

        /// Whether what has been collected takes no more than a head: it may be moved each time that its rest is waited for.
        pub(crate) fn has_hardly_begun(&self) -> bool {
            self.state.end <= HEAD_BYTES
        }
    }

    impl Shared {
        /// Where the body of a request is still to come: moves its head into a buffer of its own, and what has come of the body
        /// into the body's. Returns what is unread of the input then.
        #[cold]
        #[inline(never)]
        pub(crate) fn keep_head<'i>(
            &self,
            head: &Head,
            input: &'i mut Buffer,
            start: &mut usize,
            end: &mut usize,
        ) -> &'i [u8] {
            let head_bytes = head.bytes as usize;
            let (bytes, begun) = input[*start..*end].split_at(head_bytes);
            let is_missing = match head.framing {
                Framing::Empty => false,
                Framing::Length(bytes) => bytes > begun.len() as u64,
                Framing::Chunked => true,
            };
            // What was in it is of the request before.
            let mut body = self.body.borrow_mut();
            // A head that fills half of the input's buffer or more is as well off there.
            let kept_bytes = head_bytes.max(HEAD_BYTES);
            let is_worth_it = self.apart.output_bytes > 0 && kept_bytes <= self.input_bytes / 2;
            if !is_missing || !is_worth_it || begun.len() > body.buffer.len() {
                return &input[*start..*end];
            }
            body.buffer[..begun.len()].copy_from_slice(begun);
            self.apart.begun.set(begun.len());
            let mut kept = self.apart.aside.take();
            if kept.len() < kept_bytes {
                kept = Buffer::with_bytes(kept_bytes);
            }
            kept[..head_bytes].copy_from_slice(bytes);
            (*start, *end) = (0, head_bytes);
            self.apart.aside.set(replace(input, kept));
            self.apart.is_head.set(true);
            &input[..head_bytes]
        }

        /// Begins an exchange whose head may have been moved: its body is in its own buffer from the first byte on.
        #[cold]
        #[inline(never)]
        pub(crate) fn open_apart(&self) {
            if self.apart.is_head.get() {
                let begun = self.apart.begun.get();
                let mut body = self.body.borrow_mut();
                (body.at, body.fresh) = (0, false);
                (body.state.spilled, body.state.end) = (true, begun);
                if begun > 0 {
                    // The client does not wait to be asked.
                    self.request.change(|request| request.expects_continue = false);
                }
            }
        }

        /// Gives the input its own buffer back where a head had one to itself.
        #[inline(always)]
        pub(crate) fn rejoin(&self, input: &mut Input) {
            if self.apart.is_head.get() {
                self.rejoin_apart(input);
            }
        }

        #[cold]
        #[inline(never)]
        fn rejoin_apart(&self, input: &mut Input) {
            let apart = &self.apart;
            apart.is_head.set(false);
            let kept = replace(&mut input.buffer, apart.aside.take());
            if kept.len() == HEAD_BYTES {
                apart.aside.set(kept);
            }
        }
    }
}

#[cfg(not(feature = "alloc"))]
mod without {
    use tenure_proto::head::Head;

    use crate::engine::{buffer::Buffer, input::Input, wire::Shared};

    /// There are none.
    #[derive(Default)]
    pub(crate) struct Spares;

    impl Shared {
        pub(crate) fn keep_head<'i>(
            &self,
            _: &Head,
            input: &'i mut Buffer,
            start: &mut usize,
            end: &mut usize,
        ) -> &'i [u8] {
            input.get(*start..*end).unwrap_or_default()
        }
        pub(crate) fn open_apart(&self) {}
        pub(crate) fn rejoin(&self, _: &mut Input) {}
    }
}
