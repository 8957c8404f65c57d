//! User memory of an idle connection that has a session: the slope of resident memory over many connections.

use tenure_load::raise_descriptors;

use crate::{
    Failure,
    client::Client,
    contender::{Contender, Programs},
    requests::{POST, split},
    server::Server,
};

const FEW: usize = 1_000;
const MANY: usize = 10_000;
/// Connections whose heads are on the way at once when requests are split.
const GROUP: usize = 100;

/// Bytes of a connection that has asked once, in one segment or in two.
pub(crate) fn of_connection(contender: Contender, programs: &Programs, in_two: bool) -> Result<f64, Failure> {
    raise_descriptors(MANY as u64)?;
    let server = Server::start(contender, programs, None, &[])?;
    let mut other = Client::connect(server.address)?;
    let mut clients: Vec<Client> = Vec::new();
    let mut measured = [0, 0];
    for (resident, count) in measured.iter_mut().zip([FEW, MANY]) {
        while clients.len() < count {
            let from = clients.len();
            for _ in 0..GROUP {
                clients.push(Client::connect(server.address)?);
            }
            if in_two {
                let (head, body) = split(POST);
                for client in &mut clients[from..] {
                    client.send(head)?;
                }
                // Its answer tells that the server has seen what was sent before it.
                other.ask(POST)?;
                for client in &mut clients[from..] {
                    client.send(body)?;
                }
            } else {
                for client in &mut clients[from..] {
                    client.send(POST)?;
                }
            }
            for client in &mut clients[from..] {
                client.answer()?;
            }
        }
        *resident = server.resident()?;
    }
    Ok((measured[1] as f64 - measured[0] as f64) / (MANY - FEW) as f64)
}
