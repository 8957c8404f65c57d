//! `tenure chat`: a WebSocket that takes lines of standard input, and prints what comes.

use std::{
    io::{self, BufRead, ErrorKind},
    net::TcpStream,
    sync::{
        Arc, OnceLock,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use tenure_proto::websocket::{Close, CloseCode};

use crate::{
    args::Chat,
    exit::Exit,
    listen,
    opening::broken_off,
    socket::{Outbox, Socket},
    tell,
};

/// Runs the command.
pub(crate) fn run(args: &Chat) -> Exit {
    let timeout = args.timeout.duration();
    let (ended, end) = mpsc::channel();
    // Why the input ended before its end.
    let fault: Arc<OnceLock<String>> = Arc::default();
    let heard = Socket::open(&args.url, &args.protocol, timeout).and_then(|socket| {
        let input = Input {
            outbox: socket.outbox(),
            stream: socket.stream().map_err(|error| broken_off(error.to_string()))?,
            timeout,
            end,
            fault: fault.clone(),
        };
        // It is not joined: where the server ends first, it may wait for a line for ever.
        thread::spawn(move || input.send(io::stdin().lock()));
        socket.hear(&mut io::stdout().lock())
    });
    drop(ended);
    let exit = listen::exit(heard);
    let Some(fault) = fault.get() else { return exit };
    tell(format_args!("tenure: {fault}"));
    Exit::Usage
}

/// What standard input becomes.
struct Input {
    outbox: Outbox,
    stream: TcpStream,
    timeout: Option<Duration>,
    /// Ends with the WebSocket.
    end: Receiver<()>,
    fault: Arc<OnceLock<String>>,
}

impl Input {
    /// Sends each line as a message, then closes and waits for the answer.
    fn send(&self, mut lines: impl BufRead) {
        if let Err(fault) = self.send_lines(&mut lines) {
            let _ = self.fault.set(fault);
        }
        self.outbox.close(&Close { code: Some(CloseCode::NORMAL), reason: "" });
        self.outbox.written();
        let Some(timeout) = self.timeout else { return };
        if self.end.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
            let within = humantime::format_duration(timeout);
            self.outbox.give_up(&self.stream, format!("no answer to the close frame within {within}"));
        }
    }

    fn send_lines(&self, lines: &mut impl BufRead) -> Result<(), String> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            match lines.read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("line {number} of the input cannot be read: {error}")),
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            let text = str::from_utf8(text)
                .map_err(|_| format!("line {number} of the input is not UTF-8, which a text message must be"))?;
            self.outbox.text(text);
        }
        Ok(())
    }
}
