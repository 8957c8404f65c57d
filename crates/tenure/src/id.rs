//! Which connection is meant, for as long as it lives and never longer.

use core::{fmt, str::FromStr};

/// One connection. The next one in the same slot has another id, so that a late close, push or pin can never hit it
/// (`espressif/esp-idf#19103`).
///
/// Opaque and `Copy`; its text is `worker.index.generation`.
#[doc(alias = "sockfd")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    place: u32,
    generation: u32,
}

/// Bits of the index in a place; the others are the worker's.
const INDEX_BITS: u32 = 24;

impl ConnectionId {
    /// Connections of one worker at the most.
    pub const INDEX_COUNT_MAX: u32 = 1 << INDEX_BITS;
    /// Workers of one server at the most.
    pub const WORKER_COUNT_MAX: u32 = 1 << (32 - INDEX_BITS);

    /// Of no connection: no worker counts that far.
    pub(crate) const NONE: Self = ConnectionId { place: u32::MAX, generation: u32::MAX };

    /// The id of a slot's connection; what exceeds the two bounds above is cut off.
    pub const fn new(worker: u32, index: u32, generation: u32) -> Self {
        ConnectionId { place: worker << INDEX_BITS | index & (Self::INDEX_COUNT_MAX - 1), generation }
    }

    /// The worker that serves it.
    pub const fn worker(self) -> u32 {
        self.place >> INDEX_BITS
    }

    /// Its slot in the worker's table.
    pub const fn index(self) -> u32 {
        self.place & (Self::INDEX_COUNT_MAX - 1)
    }

    /// How many connections that slot has had before.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.worker(), self.index(), self.generation)
    }
}

/// The text is not that of a [`ConnectionId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a connection's id is three numbers with dots between, such as 0.5.1")
    }
}

impl core::error::Error for ParseIdError {}

/// Reads what `Display` writes. Whether there is such a connection is another matter.
impl FromStr for ConnectionId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut numbers = text.split('.');
        let mut number = |below: u64| {
            // As written, and nothing else: no sign, no leading zero.
            let text = numbers
                .next()
                .filter(|text| *text == "0" || text.starts_with(|digit: char| matches!(digit, '1'..='9')));
            let number = text.and_then(|text| text.parse::<u32>().ok()).filter(|&number| u64::from(number) < below);
            number.ok_or(ParseIdError)
        };
        let worker = number(u64::from(Self::WORKER_COUNT_MAX))?;
        let (index, generation) = (number(u64::from(Self::INDEX_COUNT_MAX))?, number(1 << 32)?);
        if numbers.next().is_some() { Err(ParseIdError) } else { Ok(ConnectionId::new(worker, index, generation)) }
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::ConnectionId;
    use std::string::ToString;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for id in
            [ConnectionId::new(0, 0, 0), ConnectionId::new(255, 0xff_ffff, u32::MAX), ConnectionId::new(1, 20, 300)]
        {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.",
            "+1.2.3",
            "01.2.3",
            "1.-2.3",
            "256.0.0",
            "0.16777216.0",
            "0.0.4294967296",
            "a.b.c",
        ] {
            assert!(text.parse::<ConnectionId>().is_err(), "{text:?}");
        }
    }
}
