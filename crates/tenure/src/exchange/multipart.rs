//! A form in parts: RFC 7578. None of it is kept but the head of the part at hand.

use core::fmt;

use tenure_proto::{
    bytes::WORDS,
    framing::Framing,
    multipart::{BoundaryError, Bounds, Fault, FormReader, Found, Refused, boundary},
    status::StatusCode,
};

use crate::{
    Body, Error, FromText,
    exchange::body::Reader,
    sink::{Sink, Source, save},
};

/// Bytes of the head of a form's part at the most.
pub const PART_HEAD_BYTES_MAX: usize = if WORDS { 1_024 } else { 512 };
/// Parts of a form at the most, unless [`Multipart::parts_max`] says otherwise.
pub const PARTS_MAX: u32 = 32;
/// Bytes of a part's name, and of its filename, at the most.
pub const PART_NAME_BYTES_MAX: usize = 255;
/// Bytes of a part that is parsed, white space around it counted.
const PARSED_BYTES_MAX: usize = 64;

impl<'a, 'r> Body<'a, 'r> {
    /// Reads the body as a form (`multipart/form-data`, RFC 7578), part by part, as it comes: [`Multipart`]. The whole form is bounded
    /// like any body: call [`limit`](Body::limit) first where files are to come.
    ///
    /// # Errors
    /// 415 (Unsupported Media Type): it is sent as something else, or without a Content-Type. 400: that has no boundary, or a bad one.
    pub fn multipart(self) -> Result<Multipart<'a, 'r>, Error> {
        let boundary = boundary(self.field("content-type").unwrap_or_default()).map_err(|error| match error {
            BoundaryError::NotForm => Error::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send a form, as multipart/form-data: the Content-Type says another",
            ),
            BoundaryError::BadBoundary => {
                Error::bad_request("the Content-Type of this form has no boundary, or a bad one")
            }
        })?;
        let bounds = Bounds { parts_max: PARTS_MAX, name_bytes_max: PART_NAME_BYTES_MAX, part_bytes_max: u64::MAX };
        let form =
            Form { reader: FormReader::new(boundary, bounds), used: None, part_bytes_max: u64::MAX, is_within: false };
        Ok(Multipart { body: self.reader, form })
    }
}

/// A form that is being received: [`Body::multipart`]. Its parts come in the order in which they are sent, each once; browsers send them in
/// the order of the page.
///
/// # Bounds
/// The form is bounded by [`Body::limit`], the parts by [`parts_max`](Multipart::parts_max) and
/// [`part_bytes_max`](Multipart::part_bytes_max), a part's head by [`PART_HEAD_BYTES_MAX`], its names by [`PART_NAME_BYTES_MAX`]. What is
/// above is 413, which says how much is allowed.
///
/// # What a form takes
/// Its head, boundary and state: about 1.3 KB of the handler's future on hosts, 0.7 KB on boards.
///
/// # Examples
/// ```
/// use tenure::{Error, Request, Router, kit::Server, post};
///
/// async fn take(request: &mut Request<'_, ()>) -> Result<String, Error> {
///     let mut form = request.body().limit(1_000_000).multipart()?;
///     let mut told = String::new();
///     while let Some(mut part) = form.next().await? {
///         if part.filename().is_some() {
///             let mut bytes = 0;
///             while let Some(piece) = part.read().await? {
///                 bytes += piece.len();
///             }
///             told += &format!("{}: {bytes} bytes\n", part.name());
///         } else {
///             let buffer = &mut [0; 100];
///             let text = part.text_into(buffer).await?;
///             told += &format!("{}: {text}\n", part.name());
///         }
///     }
///     Ok(told)
/// }
///
/// let mut server = Server::new(Router::new().route("/", post(take)));
/// let client = server.connect();
/// client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 140\r\n\r\n");
/// client.send("--b\r\nContent-Disposition: form-data; name=\"who\"\r\n\r\nAnn\r\n");
/// client.send("--b\r\nContent-Disposition: form-data; name=\"what\"; filename=\"a.txt\"\r\n\r\n12345\r\n--b--\r\n");
/// server.run();
/// assert!(client.received_text().ends_with("\r\n\r\nwho: Ann\nwhat: 5 bytes\n"));
/// ```
pub struct Multipart<'a, 'r> {
    body: &'a mut Reader<'r>,
    form: Form<'r>,
}

/// Where the reading of a form stands.
struct Form<'r> {
    reader: FormReader<'r, PART_HEAD_BYTES_MAX>,
    /// Bytes that have been read of the body's piece at hand, if there is one.
    used: Option<usize>,
    /// Of each part that has no bound of its own.
    part_bytes_max: u64,
    /// The part at hand has not been read to its end.
    is_within: bool,
}

/// What comes next of a form.
enum Next<'r> {
    Part,
    /// These bytes of the body's piece.
    Content(usize, usize),
    Earlier(&'r [u8]),
    PartEnd,
    End,
}

impl<'r> Form<'r> {
    async fn next(&mut self, body: &mut Reader<'r>) -> Result<Next<'r>, Error> {
        loop {
            let Some(used) = self.used else {
                if body.read(usize::MAX).await?.is_none() {
                    self.reader.finish().map_err(|refused| self.error(refused))?;
                    return Ok(Next::End);
                }
                self.used = Some(0);
                continue;
            };
            let rest = body.piece().and_then(|piece| piece.get(used..)).unwrap_or_default();
            let read = self.reader.read(rest).map_err(|refused| self.error(refused))?;
            self.used = Some(used + read.used);
            match read.found {
                Found::Partial => self.used = None,
                Found::Part => {
                    self.is_within = true;
                    return Ok(Next::Part);
                }
                Found::Content { skip, length } => return Ok(Next::Content(used + skip, used + skip + length)),
                Found::Earlier(bytes) => return Ok(Next::Earlier(bytes)),
                Found::PartEnd => {
                    self.is_within = false;
                    return Ok(Next::PartEnd);
                }
            }
        }
    }

    /// What is answered to a form that is not taken: with the byte, or with the bound.
    #[cold]
    fn error(&self, Refused { fault, byte }: Refused) -> Error {
        let error = Error::new(fault.status(), fault.reason());
        let bounds = self.reader.bounds();
        match fault {
            Fault::TooManyParts => error.because(format_args!("{}: {} are allowed", fault.reason(), bounds.parts_max)),
            Fault::PartTooLarge => {
                let name = self.reader.part().name();
                error.because(format_args!("the form's part {name:?} is too large")).at_most(bounds.part_bytes_max)
            }
            Fault::NameTooLong => error.at_most(bounds.name_bytes_max as u64),
            Fault::HeadTooLong => error.at_most(PART_HEAD_BYTES_MAX as u64),
            _ => u32::try_from(byte).map_or(error, |byte| error.at_byte(byte)),
        }
    }
}

impl<'r> Multipart<'_, 'r> {
    /// Bounds how many parts the form may have: [`PARTS_MAX`] otherwise.
    #[must_use]
    pub fn parts_max(mut self, parts: u32) -> Self {
        self.form.reader.bounds_mut().parts_max = parts;
        self
    }

    /// Bounds the bytes of each part that sets no bound of its own; otherwise that of the whole form bounds it.
    #[must_use]
    pub fn part_bytes_max(mut self, bytes: u64) -> Self {
        self.form.part_bytes_max = bytes;
        self
    }

    /// The next part, `None` behind the last one: then all of the body has come. What has not been read of the part before is dropped.
    ///
    /// # Errors
    /// 400, with the byte: this is no form, or it ends too soon. 413: a bound. Otherwise as [`Body::read`]. An error is final: all later
    /// calls return it.
    ///
    /// # Cancellation safety
    /// Safe: the next call goes on where this one was.
    pub async fn next(&mut self) -> Result<Option<Part<'_, 'r>>, Error> {
        if !self.form.is_within {
            self.form.reader.bounds_mut().part_bytes_max = self.form.part_bytes_max;
        }
        loop {
            match self.form.next(self.body).await? {
                Next::Part => return Ok(Some(Part { body: self.body, form: &mut self.form })),
                Next::End => return Ok(None),
                Next::PartEnd => self.form.reader.bounds_mut().part_bytes_max = self.form.part_bytes_max,
                Next::Content(..) | Next::Earlier(_) => {}
            }
        }
    }
}

impl fmt::Debug for Multipart<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Multipart(at {:?})", self.form.reader.part().name())
    }
}

/// A part of a form: [`Multipart::next`]. It is a field, or a file where it has a [`filename`](Part::filename).
pub struct Part<'f, 'r> {
    body: &'f mut Reader<'r>,
    form: &'f mut Form<'r>,
}

impl Part<'_, '_> {
    /// The name of the form's field. Others may have the same, as those of a list.
    pub fn name(&self) -> &str {
        self.form.reader.part().name()
    }

    /// The name that a file has at the client; `None` where this is no file, empty where none was chosen. It is the client's word: not a
    /// path of yours, nor fit for one before [`files::file_name`](crate::files::file_name) has looked at it. A `filename*` counts for
    /// nothing (RFC 7578 section 4.2).
    pub fn filename(&self) -> Option<&str> {
        self.form.reader.part().filename()
    }

    /// The type of its content, as the client has it; `None` where it says none, as for text.
    pub fn content_type(&self) -> Option<&str> {
        self.form.reader.part().content_type()
    }

    /// Bounds this part: more than that many bytes are 413. Instead of [`Multipart::part_bytes_max`].
    #[must_use]
    pub fn limit(self, bytes_max: u64) -> Self {
        self.form.reader.bounds_mut().part_bytes_max = bytes_max;
        self
    }

    /// The next bytes, waiting for some if none are here; `None` at the part's end.
    ///
    /// # Errors
    /// As [`Multipart::next`].
    ///
    /// # Cancellation safety
    /// Safe: bytes are either returned or still unread.
    pub async fn read(&mut self) -> Result<Option<&[u8]>, Error> {
        if !self.form.is_within {
            return Ok(None);
        }
        match self.form.next(self.body).await? {
            Next::Content(from, to) => Ok(self.body.piece().and_then(|piece| piece.get(from..to))),
            Next::Earlier(bytes) => Ok(Some(bytes)),
            // The reader tells a part's end in front of all that follows.
            Next::PartEnd | Next::Part | Next::End => Ok(None),
        }
    }

    /// The rest of the part, copied into `buffer`; returns the part of it that is filled.
    ///
    /// # Errors
    /// As [`Multipart::next`]; more than `buffer` holds is 413.
    ///
    /// # Cancellation safety
    /// Not safe: what was copied before is lost to the next read, for which the bound stays.
    pub async fn copy_into<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], Error> {
        let (mut filled, bytes_max) = (0, buffer.len() as u64);
        self.bound(bytes_max);
        while let Some(bytes) = self.read().await? {
            // It is bounded, so it fits.
            if let Some(room) = buffer.get_mut(filled..filled + bytes.len()) {
                room.copy_from_slice(bytes);
                filled += bytes.len();
            }
        }
        Ok(buffer.get_mut(..filled).unwrap_or_default())
    }

    /// The rest of the part as text, copied into `buffer`: UTF-8.
    ///
    /// # Errors
    /// As [`copy_into`](Part::copy_into), and 400 where it is not UTF-8.
    ///
    /// # Cancellation safety
    /// Not safe: what was copied before is lost to the next read, for which the bound stays.
    pub async fn text_into<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b str, Error> {
        let bytes = self.copy_into(buffer).await?;
        str::from_utf8(bytes).map_err(|_| self.not_text())
    }

    /// The part as a value; white space around it is ignored.
    ///
    /// # Errors
    /// As [`Multipart::next`], and 400 where the text is not such a value. More than 64 bytes are 413.
    ///
    /// # Cancellation safety
    /// Not safe: what was read before is lost to the next read, for which the bound stays.
    pub async fn parse<T: FromText>(&mut self) -> Result<T, Error> {
        let mut buffer = [0; PARSED_BYTES_MAX];
        let read = T::from_text(self.copy_into(&mut buffer).await?);
        read.map_err(|error| error.because(format_args!("the form's part {:?}: {}", self.name(), error.reason())))
    }

    /// The rest of the part, on the heap: `bytes_max` bytes at the most.
    ///
    /// # Errors
    /// As [`Multipart::next`], and 503 where there is no memory for it.
    ///
    /// # Cancellation safety
    /// Not safe: what was read before is lost to the next read, for which the bound stays.
    #[cfg(feature = "alloc")]
    pub async fn to_vec(&mut self, bytes_max: usize) -> Result<alloc::vec::Vec<u8>, Error> {
        self.bound(bytes_max as u64);
        let mut bytes = alloc::vec::Vec::new();
        while let Some(piece) = self.read().await? {
            bytes.write(piece).await?;
        }
        Ok(bytes)
    }

    /// The rest of the part as text, on the heap: `bytes_max` bytes of UTF-8 at the most.
    ///
    /// # Errors
    /// As [`to_vec`](Part::to_vec), and 400 where it is not UTF-8.
    ///
    /// # Cancellation safety
    /// Not safe: what was read before is lost to the next read, for which the bound stays.
    #[cfg(feature = "alloc")]
    pub async fn text(&mut self, bytes_max: usize) -> Result<alloc::string::String, Error> {
        let bytes = self.to_vec(bytes_max).await?;
        alloc::string::String::from_utf8(bytes).map_err(|_| self.not_text())
    }

    /// Writes the rest of the part to a sink, in the pieces in which it comes, and finishes it. Returns how many bytes it had.
    ///
    /// # Errors
    /// As [`Multipart::next`], and what the sink says. The sink has been [aborted](Sink::abort) then.
    ///
    /// # Cancellation safety
    /// Not safe: what was written is lost to the next read. The sink is as it was left, not finished.
    pub async fn save_to(&mut self, sink: &mut impl Sink) -> Result<u64, Error> {
        save(self, sink).await
    }

    /// Bounds what is left of the part, unless it is bounded closer.
    fn bound(&mut self, bytes_max: u64) {
        let bytes_max = self.form.reader.part_bytes().saturating_add(bytes_max);
        let bounds = self.form.reader.bounds_mut();
        bounds.part_bytes_max = bounds.part_bytes_max.min(bytes_max);
    }

    #[cold]
    fn not_text(&self) -> Error {
        Error::bad_request("a field of the form is not UTF-8")
            .because(format_args!("the form's part {:?} is not UTF-8", self.name()))
    }
}

impl Source for Part<'_, '_> {
    fn announced(&self) -> Option<u64> {
        let piece = self.form.used.and_then(|used| self.body.piece()?.get(used..));
        let received = piece.map_or(0, |piece| piece.len() as u64) + self.body.held();
        match self.body.shared.request.get().unread {
            Framing::Empty => Some(received),
            Framing::Length(unread) => Some(unread + received),
            Framing::Chunked => None,
        }
    }

    async fn read(&mut self) -> Result<Option<&[u8]>, Error> {
        Part::read(self).await
    }
}

impl fmt::Debug for Part<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.form.reader.part())
    }
}
