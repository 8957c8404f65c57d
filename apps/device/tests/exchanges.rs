//! Every exchange on the kit, whole and byte by byte, and over a socket; `cargo xtask qemu` does the same on a board without a heap.

use tenure::kit::Server;
use tenure_device::{
    Device, app,
    exchanges::{ALL, Exchange},
};

/// Takes a response apart: head and body.
fn parts(response: &[u8]) -> (&str, &[u8]) {
    let end = response.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    (str::from_utf8(&response[..end]).expect("a head is text"), &response[end..])
}

fn check(exchange: &Exchange, response: &[u8]) {
    let (head, body) = parts(response);
    assert!(exchange.is_answered_by(head, body), "{exchange}\n---\n{head}{}", body.escape_ascii());
}

#[test]
fn each_exchange_is_as_it_is_told() {
    let mut server = Server::new(app(Box::leak(Box::new(Device::new()))));
    let client = server.connect();
    for exchange in [ALL, ALL].concat() {
        client.send(exchange.to_string());
        server.run();
        check(&exchange, &client.received());
    }
}

#[test]
fn byte_by_byte_it_is_the_same() {
    let mut server = Server::new(app(Box::leak(Box::new(Device::new()))));
    let client = server.connect();
    for exchange in ALL {
        for byte in exchange.to_string().bytes() {
            client.send([byte]);
            server.run();
        }
        check(exchange, &client.received());
    }
}

#[test]
fn what_differs_is_seen() {
    let exchange = &ALL[0];
    let secured = "X-Content-Type-Options: nosniff";
    let body = exchange.answer.unwrap().as_bytes();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{secured}\r\n\r\n");
    assert!(exchange.is_answered_by(&head, body));
    assert!(!exchange.is_answered_by(&head, &body[1..]));
    assert!(!exchange.is_answered_by(&head.replace("200", "201"), body));
    assert!(!exchange.is_answered_by(&head.replace("json", "xml"), body));
    assert!(!exchange.is_answered_by(&head.replace(secured, ""), body));
}

#[test]
#[cfg(target_os = "linux")]
fn over_a_socket_it_is_the_same() -> Result<(), Box<dyn std::error::Error>> {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };
    use tenure_linux::{Server, Settings};

    static DEVICE: Device = Device::new();

    let server = Server::bind(Settings::at(([127, 0, 0, 1], 0).into()))?;
    let address = server.local_addr();
    let running = server.spawn(app(&DEVICE), ())?;
    let mut client = TcpStream::connect(address)?;
    for exchange in ALL {
        client.write_all(exchange.to_string().as_bytes())?;
        let mut response = Vec::new();
        while !is_whole(&response) {
            let mut bytes = [0; 4_096];
            let count = client.read(&mut bytes)?;
            assert_ne!(count, 0, "{exchange}\nis not answered: {}", response.escape_ascii());
            response.extend(&bytes[..count]);
        }
        check(exchange, &response);
    }
    drop((client, running));
    Ok(())
}

/// Whether the response's body is there as its length says.
#[cfg(target_os = "linux")]
fn is_whole(response: &[u8]) -> bool {
    let Some(end) = response.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let head = str::from_utf8(&response[..end]).expect("a head is text");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    response.len() >= end + 4 + length.map_or(0, |length| length.parse().expect("a length"))
}
