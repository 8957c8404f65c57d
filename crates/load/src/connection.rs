//! One connection: what it has asked, what it has been answered, and what is on the way.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

use crate::{
    failure::Why,
    protocol::{Protocol, Read},
    report::{Report, Wrong},
    script::Script,
};

pub(crate) struct Connection<P: Protocol> {
    pub(crate) stream: TcpStream,
    /// Requests asked so far, those of all runs; the last ones are perhaps still in `unsent`.
    pub(crate) asked: u64,
    /// Answers so far.
    pub(crate) answered: u64,
    /// Requests to ask until the run is over.
    pub(crate) last: u64,
    /// When the batch was sent that is to be answered.
    pub(crate) sent_at: Instant,
    /// Bytes that the socket has not taken yet.
    unsent: Vec<u8>,
    /// Bytes of an answer that is not here whole.
    received: Vec<u8>,
    /// What its protocol knows of it.
    state: P::State,
    /// Whether the peer has closed.
    pub(crate) closed: bool,
}

impl<P: Protocol> Connection<P> {
    /// A connection that has received these bytes already.
    pub(crate) fn new(stream: TcpStream, received: Vec<u8>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Connection {
            stream,
            asked: 0,
            answered: 0,
            last: 0,
            sent_at: Instant::now(),
            unsent: Vec::new(),
            received,
            state: P::State::default(),
            closed: false,
        })
    }

    /// Whether an answer is to come.
    pub(crate) fn waits(&self) -> bool {
        self.asked > self.answered
    }

    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Asks a batch of at most `pipeline` requests.
    #[inline]
    pub(crate) fn ask(&mut self, script: &impl Script, pipeline: u32, bytes: &mut Vec<u8>) -> Result<(), Why> {
        if self.closed {
            return Err(Why::Closed);
        }
        let count = (self.last - self.asked).min(pipeline.into()) as u32;
        bytes.clear();
        script.write(self.asked, count, bytes);
        self.asked += u64::from(count);
        self.sent_at = Instant::now();
        // What is still to be sent goes first.
        let sent = if self.unsent.is_empty() { send(&mut self.stream, bytes)? } else { 0 };
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Expects as many answers as if it had asked a batch.
    pub(crate) fn expect(&mut self, count: u32) {
        self.asked += u64::from(count);
        self.last = self.asked;
        self.sent_at = Instant::now();
    }

    /// Sends what the socket did not take before.
    pub(crate) fn flush(&mut self) -> Result<(), Why> {
        let sent = send(&mut self.stream, &self.unsent)?;
        self.unsent.drain(..sent);
        Ok(())
    }

    /// Receives once and checks every answer that is here whole. `number` is the connection's own.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        number: u32,
        script: &impl Script,
        protocol: &mut P,
        buffer: &mut [u8],
        report: &mut Report,
    ) -> Result<(), Why> {
        let count = match self.stream.read(buffer) {
            Ok(0) if self.waits() => return Err(Why::Closed),
            Ok(0) => {
                self.closed = true;
                return Ok(());
            }
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            Err(error) => return Err(Why::of(error)),
        };
        let now = Instant::now();
        let before = self.answered;
        let checked = if self.received.is_empty() {
            let bytes = self.check(number, &mut buffer[..count], script, protocol, report);
            bytes.map(|bytes| self.received.extend_from_slice(&buffer[bytes..count]))
        } else {
            self.received.extend_from_slice(&buffer[..count]);
            let mut received = std::mem::take(&mut self.received);
            let bytes = self.check(number, &mut received, script, protocol, report);
            self.received = received;
            bytes.map(|bytes| drop(self.received.drain(..bytes)))
        };
        let answers = self.answered - before;
        if answers > 0 {
            report.answers += answers;
            report.record(now - self.sent_at, answers);
        }
        checked
    }

    /// Checks the answers in `bytes`; returns how many bytes these are.
    #[inline]
    fn check(
        &mut self,
        number: u32,
        bytes: &mut [u8],
        script: &impl Script,
        protocol: &mut P,
        report: &mut Report,
    ) -> Result<usize, Why> {
        let mut at = 0;
        while at < bytes.len() {
            let (answered, bytes) = match protocol.read(&mut self.state, &mut bytes[at..])? {
                Read::Answer { number, bytes } => (number, bytes),
                Read::Partial => break,
                Read::Part { bytes } => {
                    at += bytes;
                    continue;
                }
                Read::Reply { bytes, reply } => {
                    // Behind what waits: a message must not be cut in two.
                    self.unsent.extend(reply);
                    at += bytes;
                    continue;
                }
            };
            if !self.waits() {
                return Err(Why::Foreign("it answers more than was asked".into()));
            }
            let wanted = script.answer(self.answered);
            if answered != wanted {
                report.record_wrong(Wrong { connection: number, index: self.answered, answered, wanted });
            }
            self.answered += 1;
            at += bytes;
        }
        Ok(at)
    }
}

/// Sends what the socket takes; returns how many bytes.
fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize, Why> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // What the server has said before it closed is read first: that tells why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            Err(error) => return Err(Why::of(error)),
        }
    }
    Ok(sent)
}
