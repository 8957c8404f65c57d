//! A client that sends much to a target that refuses it at once must read the whole answer, each time.

use crate::{Failure, client::Client, server::Server};

const TIMES: u32 = 1_000;
const BYTES: usize = 1 << 20;

pub(crate) fn run() -> Result<(), Failure> {
    let mut server = Server::tenure(&[])?;
    let head = format!("POST /adder HTTP/1.1\r\nHost: test\r\nContent-Length: {BYTES}\r\n\r\n");
    let request = [head.as_bytes(), &vec![b'1'; BYTES]].concat();
    for time in 1..=TIMES {
        let once = || {
            let mut client = Client::connect(server.address)?;
            client.send(&request)?;
            client.expect(413)?;
            client.expect_end()
        };
        once().map_err(|error| format!("time {time} of {TIMES}: {error}"))?;
    }
    server.stop()?;
    println!("{TIMES} times {BYTES} bytes answered 413: the whole answer was read each time, then the end");
    Ok(())
}
