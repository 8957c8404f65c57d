//! Whether a server does what is to be measured: a sum that is its connection's own.

use crate::{
    Failure,
    client::Client,
    contender::{Contender, Programs},
    requests::{BROWSER, GET, NEGATIVE, POST, PUT, split},
    server::Server,
};

/// Two connections, interleaved: POST, PUT, GET, a negative number, a browser's head, two segments, 16 in one.
pub(crate) fn verify(contender: Contender, programs: &Programs) -> Result<(), Failure> {
    let server = Server::start(contender, programs, None, &[])?;
    let mut clients = [Client::connect(server.address)?, Client::connect(server.address)?];
    if !contender.adds() {
        for client in &mut clients {
            expect(contender, &client.ask(POST)?, 1)?;
        }
        return Ok(());
    }
    let steps: [(usize, &[u8], i64); 11] = [
        (0, GET, 0),
        (0, POST, 1),
        (1, POST, 1),
        (0, POST, 2),
        (1, PUT, 100),
        (0, GET, 2),
        (1, NEGATIVE, 93),
        (0, NEGATIVE, -5),
        (1, GET, 93),
        (0, GET, -5),
        (1, BROWSER, 94),
    ];
    for (client, request, sum) in steps {
        expect(contender, &clients[client].ask(request)?, sum)?;
    }
    let (head, body) = split(POST);
    clients[0].send(head)?;
    expect(contender, &clients[1].ask(POST)?, 95)?;
    expect(contender, &clients[0].ask(body)?, -4)?;
    clients[0].send(&POST.repeat(16))?;
    (-3..=12).try_for_each(|sum| expect(contender, &clients[0].answer()?, sum))
}

fn expect(contender: Contender, answer: &str, wanted: i64) -> Result<(), Failure> {
    if answer.parse() == Ok(wanted) {
        return Ok(());
    }
    Err(format!("{} answers {answer:?}, not {wanted}", contender.name).into())
}
