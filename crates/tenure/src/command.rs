//! What a port's handle asks of one connection, and why it may be refused.

use core::fmt;

use crate::{ConnectionId, Error};

/// What a port's handle asks of one connection. Nothing happens where that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// To close: at once where it is idle, after the response that is at work, or by a reset where that goes on for longer than
    /// [`Deadlines::flush_ms`](crate::Deadlines::flush_ms).
    Close(ConnectionId),
    /// To end at once, by a reset where a request is being answered.
    CloseNow(ConnectionId),
    /// To be kept from being evicted, or no longer so.
    Pin(ConnectionId, bool),
}

/// Why a command was not taken. It is given back, for another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The connection's worker has as many commands before it as there is room for. It takes them in its next turn.
    Full(Command),
    /// Nobody serves that connection: the server does not run any more.
    Stopped(Command),
}

impl CommandError {
    /// What was asked for.
    pub fn command(self) -> Command {
        let (CommandError::Full(command) | CommandError::Stopped(command)) = self;
        command
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CommandError::Full(_) => "the worker has too many commands before it: try again later",
            CommandError::Stopped(_) => "the server does not run any more",
        })
    }
}

impl core::error::Error for CommandError {}

/// Why something was not pushed to connections that stay open. Whoever pushes has it still, for another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// A worker has as much before it as there is room for. It takes that in its next turn.
    Full,
    /// The server does not run any more.
    Stopped,
    /// It cannot be written: an event of which a part has a line end, for one.
    Content(Error),
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PushError::Full => f.write_str("the worker has too much before it: try again later"),
            PushError::Stopped => f.write_str("the server does not run any more"),
            PushError::Content(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for PushError {}

impl From<Error> for PushError {
    fn from(error: Error) -> Self {
        PushError::Content(error)
    }
}
