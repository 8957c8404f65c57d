//! Where the parts of a form lie: RFC 7578 over RFC 2046 section 5.1, names as browsers write them (the HTML standard of the WHATWG,
//! section 4.10.21.8).

mod boundary;
mod fault;
mod head;

use core::ops::Range;

use crate::bytes::{find, is_blank, is_field_byte};

pub use boundary::{BOUNDARY_BYTES_MAX, BoundaryError, boundary};
pub use fault::{Fault, Refused};
pub use head::PartHead;

/// What stands in front of the boundary in a delimiter.
const MARK: [u8; 4] = *b"\r\n--";
/// Bytes that are looked at together for the first byte of a delimiter.
const BLOCK_BYTES: usize = 64;

/// How much a form may have. Each part's head is bounded by the reader's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Parts at the most.
    pub parts_max: u32,
    /// Bytes of a part's name, and of its filename, decoded, at the most.
    pub name_bytes_max: usize,
    /// Bytes of a part's content at the most.
    pub part_bytes_max: u64,
}

/// Reads a form of type `multipart/form-data`, in any pieces: heads are kept until they are whole, in `HEAD_BYTES` bytes at the most
/// (their empty lines counted), content is told where it lies.
///
/// Line ends are CR LF. What stands in front of the first boundary and behind the last one is dropped. A line that begins with the
/// boundary is a delimiter (RFC 2046 section 5.1.1), whatever follows; anything but blanks or `--` is refused there. A form without a part is
/// one: browsers send it. What clears a form of doubt is the caller's [`finish`](FormReader::finish) at the end of the body.
///
/// Of a part's head, Content-Disposition and Content-Type are read and others dropped, but a Content-Transfer-Encoding that encodes is
/// refused (RFC 7578 section 4.7). `filename*` is dropped, as it must not be used (section 4.2).
///
/// Plain data. No input makes it panic, and how the form is cut makes no difference to what is told.
///
/// # Examples
/// ```
/// use tenure_proto::multipart::{Bounds, Found, FormReader, boundary};
///
/// let boundary = boundary(b"multipart/form-data; boundary=b").unwrap();
/// let bounds = Bounds { parts_max: 8, name_bytes_max: 64, part_bytes_max: 1_000 };
/// let mut reader = FormReader::<256>::new(boundary, bounds);
/// let mut form = &b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"[..];
/// let mut next = || {
///     let read = reader.read(form).unwrap();
///     form = &form[read.used..];
///     read.found
/// };
/// assert_eq!(next(), Found::Part);
/// assert_eq!(next(), Found::Content { skip: 0, length: 1 });
/// assert_eq!(next(), Found::PartEnd);
/// assert_eq!(next(), Found::Partial);
/// assert_eq!(reader.finish(), Ok(()));
/// assert_eq!(reader.part().name(), "a");
/// ```
#[derive(Clone, Debug)]
pub struct FormReader<'b, const HEAD_BYTES: usize> {
    boundary: &'b [u8],
    bounds: Bounds,
    state: State,
    /// Bytes of a delimiter at the end of what has been read.
    matched: usize,
    /// The first of them that is content if it is no delimiter: the CR LF behind a head is not.
    from: usize,
    /// Bytes of a delimiter that was none, to be told as content.
    held: Range<usize>,
    /// Bytes of the form that have been read.
    read: u64,
    /// Where the head, or the content, of the part at hand begins.
    part_at: u64,
    parts: u32,
    /// Bytes of content of the part at hand that have been told.
    part_bytes: u64,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    said: head::Said,
    refused: Option<Refused>,
}

/// What was found, and how much of the input has been read for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read<'b> {
    /// Bytes of the input that have been read.
    pub used: usize,
    /// What was found.
    pub found: Found<'b>,
}

/// What a [`FormReader`] finds next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'b> {
    /// All of the input has been read, and more must come, if it does not end here.
    Partial,
    /// A part, whose head is whole: see [`part`](FormReader::part).
    Part,
    /// Its next bytes of content, at least one, in the input.
    Content {
        /// Bytes in front of them.
        skip: usize,
        /// How many they are.
        length: usize,
    },
    /// Its next bytes of content, which were at the end of earlier input: they looked like the front of a delimiter.
    Earlier(&'b [u8]),
    /// The end of the part.
    PartEnd,
}

/// Where the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In front of the first delimiter.
    Preamble,
    /// Behind a boundary.
    Boundary,
    /// In blanks behind a boundary.
    Padding,
    /// Behind the CR of a delimiter.
    Lf,
    /// In the head of a part.
    Head,
    /// In the content of a part.
    Content,
    /// Behind the delimiter that ends a part, which has not been told.
    Ended,
    /// Behind the first `-` of the last delimiter.
    Dash,
    /// Behind the last delimiter.
    Closed,
    /// Behind its CR.
    ClosedLf,
    /// Behind its line.
    Epilogue,
}

impl<'b, const HEAD_BYTES: usize> FormReader<'b, HEAD_BYTES> {
    /// A reader in front of a form with that [`boundary`].
    pub const fn new(boundary: &'b [u8], bounds: Bounds) -> Self {
        FormReader {
            boundary,
            bounds,
            state: State::Preamble,
            // The first delimiter may stand at the very front, without a line end before it.
            matched: 2,
            from: 2,
            held: 0..0,
            read: 0,
            part_at: 0,
            parts: 0,
            part_bytes: 0,
            head: [0; HEAD_BYTES],
            head_bytes: 0,
            said: head::Said::NOTHING,
            refused: None,
        }
    }

    /// The bounds, to change: they count from now on.
    pub const fn bounds_mut(&mut self) -> &mut Bounds {
        &mut self.bounds
    }

    /// The bounds.
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Bytes of content of the part at hand that have been told.
    pub const fn part_bytes(&self) -> u64 {
        self.part_bytes
    }

    /// What the head of the part at hand says. Nothing in front of the first one.
    pub fn part(&self) -> PartHead<'_> {
        PartHead::new(&self.head, &self.said)
    }

    /// Reads on at the front of `bytes`, which must start right behind what earlier calls have used.
    ///
    /// # Errors
    /// [`Refused`], which is final: further calls answer the same.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Read<'b>, Refused> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        let read = self.read_on(bytes);
        match &read {
            Ok(read) => self.read += read.used as u64,
            Err(refused) => self.refused = Some(*refused),
        }
        read
    }

    /// Whether the last delimiter has been read.
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Closed | State::ClosedLf | State::Epilogue)
    }

    /// The body has ended.
    ///
    /// # Errors
    /// The form has not.
    pub fn finish(&self) -> Result<(), Refused> {
        match (self.refused, self.state) {
            (Some(refused), _) => Err(refused),
            (None, State::Closed | State::Epilogue) => Ok(()),
            (None, State::Preamble) => Err(Refused { fault: Fault::NoBoundary, byte: self.read }),
            (None, _) => Err(Refused { fault: Fault::Cut, byte: self.read }),
        }
    }

    fn read_on(&mut self, bytes: &[u8]) -> Result<Read<'b>, Refused> {
        let mut used = 0;
        loop {
            if !self.held.is_empty() {
                let held = self.held_content();
                let length = self.content(held.len())?;
                self.held.start += length;
                return Ok(Read { used, found: Found::Earlier(held.get(..length).unwrap_or_default()) });
            }
            if self.state == State::Ended {
                self.state = State::Boundary;
                return Ok(Read { used, found: Found::PartEnd });
            }
            let rest = bytes.get(used..).unwrap_or_default();
            let Some(&byte) = rest.first() else { return Ok(Read { used, found: Found::Partial }) };
            match self.state {
                State::Preamble | State::Content => {
                    let is_content = self.state == State::Content;
                    let (before, passed) = self.next_delimiter(rest);
                    let skip = used;
                    used += passed;
                    if is_content && before > 0 {
                        let length = self.content(before)?;
                        return Ok(Read { used, found: Found::Content { skip, length } });
                    }
                }
                State::Epilogue => used = bytes.len(),
                state => {
                    let at = self.read + used as u64;
                    used += 1;
                    self.state = self.step(state, byte).map_err(|fault| Refused { fault, byte: at })?;
                    if state == State::Head && self.state == State::Content {
                        self.read_head()?;
                        self.part_at = at + 1;
                        return Ok(Read { used, found: Found::Part });
                    }
                    if self.state == State::Head && state == State::Lf {
                        self.part_at = at + 1;
                    }
                }
            }
        }
    }

    /// Takes a byte of what stands around content.
    fn step(&mut self, state: State, byte: u8) -> Result<State, Fault> {
        match (state, byte) {
            (State::Boundary, b'-') => Ok(State::Dash),
            (State::Boundary | State::Padding, byte) if is_blank(byte) => Ok(State::Padding),
            (State::Boundary | State::Padding, b'\r') => Ok(State::Lf),
            (State::Lf, b'\n') if self.parts >= self.bounds.parts_max => Err(Fault::TooManyParts),
            (State::Lf, b'\n') => {
                self.parts += 1;
                (self.head_bytes, self.part_bytes, self.said) = (0, 0, head::Said::NOTHING);
                Ok(State::Head)
            }
            (State::Dash, b'-') => Ok(State::Closed),
            (State::Closed, byte) if is_blank(byte) => Ok(State::Closed),
            (State::Closed, b'\r') => Ok(State::ClosedLf),
            (State::ClosedLf, b'\n') => Ok(State::Epilogue),
            (State::Head, byte) => self.step_in_head(byte),
            _ => Err(Fault::BadDelimiter),
        }
    }

    /// Takes a byte of a part's head.
    fn step_in_head(&mut self, byte: u8) -> Result<State, Fault> {
        let front = self.head.get(..self.head_bytes).unwrap_or_default();
        let is_behind_cr = front.last() == Some(&b'\r');
        if is_behind_cr != (byte == b'\n') || !is_field_byte(byte) && !matches!(byte, b'\r' | b'\n') {
            return Err(Fault::BadField);
        }
        let is_whole = byte == b'\n' && matches!(front, [.., b'\r', b'\n', b'\r'] | [b'\r']);
        *self.head.get_mut(self.head_bytes).ok_or(Fault::HeadTooLong)? = byte;
        self.head_bytes += 1;
        // The CR LF of the empty line may be that of a delimiter.
        (self.matched, self.from) = (2, 2);
        Ok(if is_whole { State::Content } else { State::Head })
    }

    fn read_head(&mut self) -> Result<(), Refused> {
        let head = self.head.get_mut(..self.head_bytes).unwrap_or_default();
        let said = head::read(head, self.bounds.name_bytes_max);
        self.said = said.map_err(|(fault, at)| Refused { fault, byte: self.part_at + at as u64 })?;
        Ok(())
    }

    /// Goes on to the next delimiter, and past it. Returns how many bytes stand in front of it, or of what may become one, and how many
    /// have been passed.
    fn next_delimiter(&mut self, rest: &[u8]) -> (usize, usize) {
        if self.matched > 0 {
            let passed = self.matches(rest, self.matched);
            if passed == rest.len() || self.matched + passed == self.delimiter_bytes() {
                self.matched += passed;
                self.close_part();
                return (0, passed);
            }
            // It was none: what has been passed earlier is content. What has come now is looked at anew, and begins none.
            self.held = if self.state == State::Content { self.from..self.matched } else { 0..0 };
            (self.matched, self.from) = (0, 0);
            if !self.held.is_empty() {
                return (0, 0);
            }
        }
        let mut at = 0;
        loop {
            at = find_cr(rest, at);
            let behind = rest.get(at..).unwrap_or_default();
            let matched = self.matches(behind, 0);
            if matched == behind.len() || matched == self.delimiter_bytes() {
                self.matched = matched;
                self.close_part();
                return (at, at + matched);
            }
            at += matched;
        }
    }

    /// Bytes at the front that are those of the delimiter from `from` on.
    fn matches(&self, bytes: &[u8], from: usize) -> usize {
        let delimiter = MARK.iter().chain(self.boundary).skip(from);
        bytes.iter().zip(delimiter).take_while(|(byte, wanted)| byte == wanted).count()
    }

    const fn delimiter_bytes(&self) -> usize {
        MARK.len() + self.boundary.len()
    }

    /// Where all of the delimiter has been read.
    fn close_part(&mut self) {
        if self.matched == self.delimiter_bytes() {
            self.state = if self.state == State::Content { State::Ended } else { State::Boundary };
            (self.matched, self.from) = (0, 0);
        }
    }

    /// What is held, as far as it stands in one piece.
    fn held_content(&self) -> &'b [u8] {
        const MARKED: &[u8] = &MARK;
        let Range { start, end } = self.held;
        let held = match start.checked_sub(MARK.len()) {
            None => MARKED.get(start..end.min(MARK.len())),
            Some(start) => self.boundary.get(start..end - MARK.len()),
        };
        held.unwrap_or_default()
    }

    /// Content of that many bytes is to be told. Returns how many of them are within the part's bound.
    fn content(&mut self, bytes: usize) -> Result<usize, Refused> {
        let room = self.bounds.part_bytes_max.saturating_sub(self.part_bytes);
        let told = usize::try_from(room).unwrap_or(usize::MAX).min(bytes);
        self.part_bytes += told as u64;
        let too_large = Refused { fault: Fault::PartTooLarge, byte: self.part_at + self.part_bytes };
        if told == 0 {
            return Err(too_large);
        }
        if told < bytes {
            self.refused = Some(too_large);
        }
        Ok(told)
    }
}

/// The offset of the first CR from `at` on, or the end.
fn find_cr(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at..at + BLOCK_BYTES).is_some_and(|block| !block.contains(&b'\r')) {
        at += BLOCK_BYTES;
    }
    find(bytes, at, [b'\r', b'\r'])
}
