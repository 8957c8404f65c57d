//! What is asked, and what must be answered.

use tenure_proto::websocket::{Mask, Opcode, client};

/// What a connection asks, request by request, and the numbers that must be answered.
///
/// Requests of a connection are counted from 0. Each connection asks the same.
pub trait Script {
    /// Appends the bytes of `count` requests, of which the first has the number `index`.
    fn write(&self, index: u64, count: u32, bytes: &mut Vec<u8>);

    /// The number that must be the answer to request `index`.
    fn answer(&self, index: u64) -> i64;
}

/// What the answers to requests that are all the same must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// 1, 2, 3, and so on: each request adds 1.
    Grow,
    /// Always this number.
    Are(i64),
}

/// The same request, over and over.
#[derive(Clone, Debug)]
pub struct Repeat {
    request: Vec<u8>,
    sums: Sums,
}

impl Repeat {
    /// Repeats `request`, the bytes of one whole request.
    pub fn new(request: impl Into<Vec<u8>>, sums: Sums) -> Self {
        Repeat { request: request.into(), sums }
    }
}

impl Script for Repeat {
    fn write(&self, _: u64, count: u32, bytes: &mut Vec<u8>) {
        for _ in 0..count {
            bytes.extend_from_slice(&self.request);
        }
    }

    fn answer(&self, index: u64) -> i64 {
        match self.sums {
            Sums::Grow => index.cast_signed() + 1,
            Sums::Are(number) => number,
        }
    }
}

/// Binary messages of that many bytes over a WebSocket, masked as a client's must be: each must be answered with a message of as many
/// bytes.
#[derive(Clone, Debug)]
pub struct Echo {
    frame: Vec<u8>,
    bytes: u32,
}

impl Echo {
    /// Messages of that many bytes.
    pub fn new(bytes: u32) -> Self {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let mut payload: Vec<u8> = (0..bytes).map(|index| index as u8).collect();
        Mask::new(key).apply(&mut payload);
        let mut frame = client::head(Opcode::Binary, true, bytes.into(), key).as_bytes().to_vec();
        frame.append(&mut payload);
        Echo { frame, bytes }
    }
}

impl Script for Echo {
    fn write(&self, _: u64, count: u32, bytes: &mut Vec<u8>) {
        for _ in 0..count {
            bytes.extend_from_slice(&self.frame);
        }
    }

    fn answer(&self, _: u64) -> i64 {
        self.bytes.into()
    }
}

/// The numbers 1 to `n`, added to 0: a PUT of 0, a POST of each number, a GET. These are `n` + 2 requests.
#[derive(Clone, Debug)]
pub struct Numbers {
    authority: String,
    n: u32,
}

impl Numbers {
    /// Adds 1 to `n`; `authority` is the Host field ([`authority`] makes one).
    pub fn new(authority: impl Into<String>, n: u32) -> Self {
        Numbers { authority: authority.into(), n }
    }

    /// How many requests these are.
    pub fn requests(&self) -> u64 {
        u64::from(self.n) + 2
    }
}

impl Script for Numbers {
    fn write(&self, index: u64, count: u32, bytes: &mut Vec<u8>) {
        for index in index..index + u64::from(count) {
            let method: &[u8] = match index {
                0 => b"PUT",
                index if index <= u64::from(self.n) => b"POST",
                _ => b"GET",
            };
            bytes.extend_from_slice(method);
            bytes.extend_from_slice(b" /adder HTTP/1.1\r\nHost: ");
            bytes.extend_from_slice(self.authority.as_bytes());
            if index > u64::from(self.n) {
                bytes.extend_from_slice(b"\r\n\r\n");
                continue;
            }
            // 32 bits have ten digits at the most.
            let digits = index.checked_ilog10().unwrap_or(0) + 1;
            bytes.extend_from_slice(b"\r\nContent-Length: ");
            write_number(u64::from(digits), bytes);
            bytes.extend_from_slice(b"\r\n\r\n");
            write_number(index, bytes);
        }
    }

    fn answer(&self, index: u64) -> i64 {
        let k = index.min(u64::from(self.n)).cast_signed();
        // One of the two is even, so that nothing is lost and the product fits.
        if k % 2 == 0 { k / 2 * (k + 1) } else { (k + 1) / 2 * k }
    }
}

fn write_number(number: u64, bytes: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut from, mut rest) = (digits.len(), number);
    loop {
        from -= 1;
        digits[from] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&digits[from..]);
}

/// The Host field for a host and a port. A zone is of this machine only and not sent (RFC 6874 section 4).
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{}]:{port}", host.split('%').next().unwrap_or_default())
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_asked_as_one_connection_asks_them() {
        let mut bytes = Vec::new();
        Numbers::new("a:80", 10).write(0, 12, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let mut wanted = "PUT /adder HTTP/1.1\r\nHost: a:80\r\nContent-Length: 1\r\n\r\n0".to_owned();
        for k in 1..=10 {
            let length = k.to_string().len();
            let post = format!("POST /adder HTTP/1.1\r\nHost: a:80\r\nContent-Length: {length}\r\n\r\n{k}");
            wanted.push_str(&post);
        }
        wanted += "GET /adder HTTP/1.1\r\nHost: a:80\r\n\r\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_last_number_has_all_its_digits() {
        let mut bytes = Vec::new();
        Numbers::new("a", u32::MAX).write(u32::MAX.into(), 2, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("POST ") && text.contains("Content-Length: 10\r\n\r\n4294967295GET "), "{text}");
    }

    #[test]
    fn sums_fit_for_every_n() {
        for (n, sum) in [
            (0, 0),
            (1, 1),
            (2, 3),
            (10, 55),
            (u32::MAX - 1, 9_223_372_030_412_324_865),
            (u32::MAX, 9_223_372_034_707_292_160),
        ] {
            let numbers = Numbers::new("a", n);
            assert_eq!([n.into(), u64::from(n) + 1].map(|index| numbers.answer(index)), [sum; 2], "{n}");
        }
        assert_eq!([0, 1, 2, 9].map(|index| Numbers::new("a", 9).answer(index)), [0, 1, 3, 45]);
        assert_eq!([0, 1, 7].map(|index| Repeat::new("", Sums::Grow).answer(index)), [1, 2, 8]);
        assert_eq!(Repeat::new("", Sums::Are(-3)).answer(5), -3);
    }

    #[test]
    fn messages_are_masked_frames() {
        let mut bytes = Vec::new();
        let echo = Echo::new(3);
        echo.write(7, 2, &mut bytes);
        let frame = [0x82, 0x83, 0x37, 0xfa, 0x21, 0x3d, 0x37, 0xfb, 0x23];
        assert_eq!((bytes, echo.answer(7)), ([frame, frame].concat(), 3));
    }

    #[test]
    fn authorities() {
        for (host, wanted) in [("adder.local", "adder.local:80"), ("::1", "[::1]:80"), ("fe80::1%eth0", "[fe80::1]:80")]
        {
            assert_eq!(authority(host, 80), wanted);
        }
    }
}
