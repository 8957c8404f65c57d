//! The adder on `may_minihttp`: one worker, a service a connection, which owns the sum.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpListener,
};

use may_minihttp::{HttpService, HttpServiceFactory, Request, Response};

struct Adder {
    sum: i64,
}

impl HttpService for Adder {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        if request.path() != "/adder" {
            response.status_code(404, "Not Found");
            return Ok(());
        }
        let adds = match request.method() {
            "GET" => return write!(Text(response), "{}", self.sum),
            "POST" => true,
            "PUT" => false,
            _ => {
                response.status_code(405, "Method Not Allowed");
                return Ok(());
            }
        };
        let mut bytes = [0; 32];
        let mut length = 0;
        let mut body = request.body();
        while length < bytes.len() {
            match body.read(&mut bytes[length..])? {
                0 => break,
                count => length += count,
            }
        }
        let Some(number) = str::from_utf8(&bytes[..length]).ok().and_then(|text| text.parse::<i64>().ok()) else {
            response.status_code(400, "Bad Request");
            return Ok(());
        };
        self.sum = if adds { self.sum.wrapping_add(number) } else { number };
        write!(Text(response), "{}", self.sum)
    }
}

/// A response's body, to be written to.
struct Text<'a, 'b>(&'a mut Response<'b>);

impl io::Write for Text<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.body_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Adders;

impl HttpServiceFactory for Adders {
    type Service = Adder;

    fn new_service(&self, _: usize) -> Adder {
        Adder { sum: 0 }
    }
}

fn main() -> io::Result<()> {
    may::config().set_workers(1);
    // It does not tell which port it has got, so that one is chosen that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let server = Adders.start(address)?;
    println!("listening on {address}");
    io::stdout().flush()?;
    let _ = server.join();
    Ok(())
}
