//! Bytes to send, and the framing of the current response.

use tenure_proto::{
    bytes::WORDS,
    date::DATE_BYTES,
    response::{Delimiter, HeadState, HeadWriter, Persistence},
    status::StatusCode,
};

use crate::{Error, FieldWriter, Switch, engine::buffer::Buffer, exchange::fields::PutFields};

/// The type of text.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
/// The type of bytes.
pub(crate) const BYTES: &str = "application/octet-stream";
/// Bytes of the prebuilt beginning of a plain response.
const STAMP_BYTES: usize = 128;
/// The most bytes of a plain response's body: a length of two digits.
pub(crate) const PLAIN_BYTES_MAX: usize = 99;
/// Bytes that writing a plain response may touch.
const ROOM_BYTES: usize = STAMP_BYTES + 6 + PLAIN_BYTES_MAX;

/// Whether this program ever sets a date. Without a clock nothing switches this on; the compiler sees that, and leaves all code for
/// dates out.
static DATED: Switch = Switch::off();

/// Whether this program ever keeps fields for a response: if not, the same holds for all code for that.
static FIELDS: Switch = Switch::off();

/// As words are, like the output's front.
#[repr(align(8))]
struct Stamp([u8; STAMP_BYTES]);

/// Responses on their way out.
#[repr(C)]
pub(crate) struct Output {
    pub(crate) exchange: Exchange,
    pub(crate) buffer: Buffer,
    /// Bytes at the front that have been sent.
    pub(crate) sent: usize,
    /// One past the last byte written.
    pub(crate) end: usize,
    /// The type of responses that set none; `None`: it follows from the value.
    pub(crate) content_type: Option<&'static str>,
    /// The beginning of most responses: the head of a plain 200 of text, up to the value of Content-Length.
    stamp: Stamp,
    stamp_bytes: u8,
    dated: bool,
    /// The value of responses' Date field, if any.
    date: [u8; DATE_BYTES],
}

/// The current response.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is told apart from the others")]
pub(crate) struct Exchange {
    /// The request is a HEAD: no body is sent.
    pub(crate) head_only: bool,
    /// Something is unusual of its form.
    is_special: bool,
    /// The connection may go on after it.
    pub(crate) persistent: bool,
    /// The response head is in the output.
    pub(crate) begun: bool,
    /// The response is complete.
    pub(crate) done: bool,
    /// What is unusual of it.
    form: Form,
    pub(crate) status: StatusCode,
    /// Bytes of the body that the head has announced. Where fields are kept for the head: their bytes at the output's end, lines, an
    /// empty one behind those of each layer, the innermost layer first.
    pub(crate) announced: usize,
    /// Bytes of the body written so far.
    pub(crate) progress: usize,
    /// Bytes written so far, head and framing included.
    pub(crate) bytes: u64,
}

/// The request is of HTTP/1.0, or fields are kept for the response.
#[derive(Clone, Copy, Debug)]
struct Form(u8);

impl Form {
    const HTTP10: u8 = 1;
    const FIELDS: u8 = 2;
}

impl Exchange {
    pub(crate) const fn new(head_only: bool, http10: bool, persistent: bool) -> Self {
        Exchange {
            head_only,
            is_special: http10,
            persistent,
            begun: false,
            done: false,
            form: Form(if http10 { Form::HTTP10 } else { 0 }),
            status: StatusCode::OK,
            announced: 0,
            progress: 0,
            bytes: 0,
        }
    }

    /// Whether its head is the usual one.
    pub(crate) fn is_plain(&self) -> bool {
        // Adjacent fields, compared at once.
        [self.head_only, self.is_special, self.persistent, self.begun] == [false, false, true, false]
    }

    /// Whether the request is of HTTP/1.0.
    pub(crate) fn is_http10(&self) -> bool {
        self.form.0 & Form::HTTP10 != 0
    }

    /// Whether fields are kept for its head.
    pub(crate) fn has_fields(&self) -> bool {
        FIELDS.is_on() && self.form.0 & Form::FIELDS != 0
    }

    /// Keeps none any more.
    pub(crate) fn drop_fields(&mut self) {
        if self.has_fields() {
            self.form.0 &= !Form::FIELDS;
            self.is_special = self.is_http10();
            self.announced = 0;
        }
    }

    pub(crate) fn persistence(&self) -> Persistence {
        match (self.persistent, self.is_http10()) {
            (false, _) => Persistence::Closes,
            (true, true) => Persistence::KeepAlive,
            (true, false) => Persistence::Persists,
        }
    }
}

impl Output {
    pub(crate) fn new(buffer: Buffer, content_type: Option<&'static str>) -> Self {
        Output {
            buffer,
            sent: 0,
            end: 0,
            exchange: Exchange::new(false, false, true),
            stamp: Stamp([0; STAMP_BYTES]),
            stamp_bytes: 0,
            dated: false,
            date: [0; DATE_BYTES],
            content_type,
        }
    }

    /// Sets the Date field of responses from now on.
    pub(crate) fn stamp(&mut self, date: Option<&[u8; DATE_BYTES]>) {
        let date = date.filter(|_| DATED.is_on());
        self.dated = date.is_some();
        self.date = *date.unwrap_or(&[0; DATE_BYTES]);
        let mut state = HeadState::NEW;
        let mut head = HeadWriter::new(&mut self.stamp.0, &mut state);
        head.begin(StatusCode::OK, date);
        // The writer ends with `Content-Length: 1`, CR LF, CR LF: keep what stands before the digit.
        let bytes = head.end(Delimiter::Length(1), Persistence::Persists, self.content_type.unwrap_or(TEXT));
        // A beginning that leaves no room for a response is not used.
        let bytes = bytes.ok().flatten().filter(|&bytes| bytes - 5 < STAMP_BYTES);
        self.stamp_bytes = bytes.map_or(0, |bytes| (bytes - 5) as u8);
    }

    /// Responses may have a Date field from now on.
    pub(crate) fn tell_dates() {
        DATED.set(true);
    }

    pub(crate) fn clear(&mut self) {
        (self.sent, self.end) = (0, 0);
    }

    /// The bytes to send, if any.
    pub(crate) fn pending(&self) -> Option<&[u8]> {
        self.buffer.get(self.sent..self.end).filter(|pending| !pending.is_empty())
    }

    /// Whether bytes of a complete response are still to be sent.
    pub(crate) fn has_whole(&self) -> bool {
        let pending = (self.end - self.sent) as u64;
        pending > if self.exchange.done { 0 } else { self.exchange.bytes }
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        let sent = self.sent + bytes;
        if sent < self.end { self.sent = sent } else { self.clear() }
    }

    pub(crate) fn room(&self) -> usize {
        self.buffer.len() - self.end
    }

    /// The part that is not written yet.
    pub(crate) fn free(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Bytes at the buffer's end that are kept for the head of the response at hand.
    pub(crate) fn kept_bytes(&self) -> usize {
        if self.exchange.has_fields() { self.exchange.announced } else { 0 }
    }

    /// Keeps the fields of a layer for the head of the response at hand, whatever that will be. `false`: there is no room now.
    #[cold]
    #[inline(never)]
    pub(crate) fn keep_fields(&mut self, put: PutFields<'_>) -> Result<bool, Error> {
        let limit = self.buffer.len() - self.kept_bytes();
        let mut state = HeadState::NEW;
        let free = self.buffer.get_mut(self.end..limit).unwrap_or_default();
        let mut fields = FieldWriter::new(HeadWriter::new(free, &mut state));
        put(&mut fields)?;
        fields.next_layer();
        if let Some(error) = state.error() {
            return Err(error.into());
        }
        let Some(bytes) = state.length() else {
            // An empty output that cannot hold them never will.
            return if self.end == 0 {
                Err(Error::internal("the fields of a layer are larger than the output buffer"))
            } else {
                Ok(false)
            };
        };
        self.buffer.copy_within(self.end..self.end + bytes, limit - bytes);
        self.exchange.announced = self.kept_bytes() + bytes;
        FIELDS.set(true);
        self.exchange.form.0 |= Form::FIELDS;
        self.exchange.is_special = true;
        Ok(true)
    }

    /// Moves the kept fields behind those of a head of `bytes` that stands behind what is written. One whose name the response, or a
    /// layer further in, has set is left out, but for those that add up. Returns the bytes of the head.
    #[cold]
    #[inline(never)]
    pub(crate) fn add_fields(&mut self, bytes: usize) -> usize {
        let end = self.buffer.len();
        let mut at = end - self.kept_bytes();
        self.exchange.drop_fields();
        // In the place of the empty line. What is moved never passes what is still to be: an empty line less is behind it.
        let mut to = self.end + bytes - LINE_END.len();
        let mut known = to;
        while at < end {
            let line = self.buffer.get(at..end).unwrap_or_default();
            let length = line.iter().position(|&byte| byte == b'\n').map_or(line.len(), |at| at + 1);
            if length == LINE_END.len() {
                known = to;
            } else if !is_replaced(self.buffer.get(self.end..known).unwrap_or_default(), line) {
                self.buffer.copy_within(at..at + length, to);
                to += length;
            }
            at += length;
        }
        self.buffer[to..to + LINE_END.len()].copy_from_slice(LINE_END);
        to + LINE_END.len() - self.end
    }

    /// Puts an interim response. `false`: there is no room now.
    pub(crate) fn put_interim(&mut self, bytes: &[u8]) -> bool {
        if self.room() < bytes.len() + self.kept_bytes() {
            if self.end > 0 {
                return false;
            }
            // No response has room for these fields either.
            self.exchange.drop_fields();
        }
        self.put(bytes)
    }

    /// A response head in what is not written yet; begun where it is not, with status line and date.
    pub(crate) fn head<'o>(&'o mut self, state: &'o mut HeadState, status: StatusCode) -> HeadWriter<'o> {
        let is_begun = state.is_begun();
        let limit = self.buffer.len() - self.kept_bytes();
        let mut head = HeadWriter::new(self.buffer.get_mut(self.end..limit).unwrap_or_default(), state);
        if !is_begun {
            let dated = self.dated && DATED.is_on();
            head.begin(status, dated.then_some(&self.date));
        }
        head
    }

    /// Whether there is room for that many bytes, or nothing is pending. May move pending bytes to the front, but only if they are no
    /// more than the bytes sent since: so each byte moves at most once on average, however slowly the peer takes them.
    pub(crate) fn make_room(&mut self, bytes: usize) -> bool {
        if self.end == 0 || self.room() >= bytes {
            return true;
        }
        let pending = self.end - self.sent;
        if pending > self.sent || self.buffer.len() - pending < bytes {
            return false;
        }
        self.buffer.copy_within(self.sent..self.end, 0);
        (self.sent, self.end) = (0, pending);
        true
    }

    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) -> bool {
        let Some(room) = self.buffer.get_mut(self.end..).and_then(|room| room.get_mut(..bytes.len())) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.end += bytes.len();
        self.exchange.bytes += bytes.len() as u64;
        true
    }

    /// A whole response of status 200 with the type of text, whose body of `length` bytes `write` puts at the front of
    /// what it is given. `false`: there is no room, or the body is not of 1 to 99 bytes.
    #[inline]
    pub(crate) fn put_plain(&mut self, length: usize, write: impl FnOnce(&mut [u8; PLAIN_BYTES_MAX])) -> bool {
        // The mask says to the compiler what is true anyway: everything below lies in the room.
        let stamp = usize::from(self.stamp_bytes) & (STAMP_BYTES - 1);
        let room = self.buffer.get_mut(self.end..).and_then(|room| room.first_chunk_mut::<ROOM_BYTES>());
        let Some(room) = room else { return false };
        if stamp == 0 || length == 0 || length > PLAIN_BYTES_MAX {
            return false;
        }
        // The stamp is copied whole where registers are wide, at a size that the compiler knows; what is behind its end is
        // written over.
        let copied = if WORDS { STAMP_BYTES } else { stamp };
        room[..copied].copy_from_slice(&self.stamp.0[..copied]);
        let (mut at, mut digit) = (stamp, length as u8);
        if length >= 10 {
            room[at] = b'0' + digit / 10;
            (at, digit) = (at + 1, digit % 10);
        }
        room[at..at + 5].copy_from_slice(&[b'0' + digit, b'\r', b'\n', b'\r', b'\n']);
        at += 5;
        if let Some(room) = room[at..].first_chunk_mut() {
            write(room);
        }
        at += length;
        self.end += at;
        self.exchange.bytes = at as u64;
        (self.exchange.begun, self.exchange.done) = (true, true);
        true
    }
}

const LINE_END: &[u8] = b"\r\n";

/// Whether a head has what takes the place of a layer's field: one of that name, of a cookie one of that cookie's (RFC 6265 section 4.1.1).
/// Lists are not replaced: those of several layers add up.
fn is_replaced(head: &[u8], line: &[u8]) -> bool {
    let (name, cookie) = key(line);
    let is_list = [&b"vary"[..], b"link"].iter().any(|list| name.eq_ignore_ascii_case(list));
    let mut lines = head.split(|&byte| byte == b'\n').map(key);
    !is_list && lines.any(|(found, of)| found.eq_ignore_ascii_case(name) && of == cookie)
}

/// The name of a line's field, and that of the cookie that it sets, if it sets one.
fn key(line: &[u8]) -> (&[u8], &[u8]) {
    let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
    let cookie = line.get(name.len() + 1..).filter(|_| name.eq_ignore_ascii_case(b"set-cookie")).unwrap_or_default();
    (name, cookie.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::{vec, vec::Vec};

    const BUFFER_BYTES: usize = 4_096;

    fn output() -> Output {
        Output::new(Buffer::from(vec![0; BUFFER_BYTES].leak()), None)
    }

    /// A writer that asks for `wanted` bytes of room and fills it, and a peer that takes `taken` bytes at a time. Returns bytes
    /// sent and bytes moved.
    fn moved(wanted: usize, taken: usize) -> (usize, usize) {
        let (mut output, mut written, mut received, mut moved) = (output(), 0, Vec::new(), 0);
        while received.len() < 10 * BUFFER_BYTES {
            let before = output.sent;
            if output.make_room(wanted) {
                let piece: Vec<u8> = (written..written + output.room()).map(|at| at as u8).collect();
                moved += if output.sent < before { output.end } else { 0 };
                written += piece.len();
                assert!(output.put(&piece));
            }
            assert!(output.sent == before || output.sent == 0);
            let bytes = output.pending().map_or(0, |pending| pending.len().min(taken));
            received.extend_from_slice(&output.pending().unwrap_or_default()[..bytes]);
            output.sent(bytes);
        }
        assert!(received.iter().enumerate().all(|(at, &byte)| byte == at as u8), "{wanted} {taken}");
        (received.len(), moved)
    }

    #[test]
    fn a_slow_peer_costs_a_move_a_byte_at_the_most() {
        for wanted in [1, 2, 64, 2_048, 2_049, 4_095, BUFFER_BYTES, usize::MAX] {
            for taken in [1, 7, 63, 64, 65, 2_047, 2_048, 2_049, BUFFER_BYTES] {
                let (sent, moved) = moved(wanted, taken);
                assert!(moved <= sent, "{moved} moved of {sent}, {wanted} wanted and {taken} taken");
                // A wait for the whole output moves nothing.
                assert!(wanted < BUFFER_BYTES || moved == 0, "{moved} moved, {wanted} wanted and {taken} taken");
            }
        }
    }

    #[test]
    fn room_is_made_once_half_is_sent() {
        for (sent, wanted, has) in [
            (0, 1, false),
            (2_047, 64, false),
            (2_048, 64, true),
            (2_048, 2_048, true),
            (2_048, 2_049, false),
            (2_049, 2_049, true),
            (4_095, 4_095, true),
            (4_095, 4_096, false),
        ] {
            let mut output = output();
            output.put(&vec![b'x'; BUFFER_BYTES]);
            output.sent(sent);
            assert_eq!(output.make_room(wanted), has, "{sent} sent, {wanted} wanted");
            assert_eq!(output.pending().map(<[u8]>::len), Some(BUFFER_BYTES - sent));
        }
        assert!(output().make_room(usize::MAX));
    }
}
