//! What an idle session costs: memory from 1,000 to 10,000 connections, each having done one POST in two segments.

use crate::{
    Failure,
    client::{BODY, Client, HEAD},
    server::{Server, raise_descriptors},
};

const FEW: u32 = 1_000;
const MANY: u32 = 10_000;
/// What a session may take beside the application's value.
const BYTES_MAX: f64 = 64.0;

pub(crate) fn run() -> Result<(), Failure> {
    raise_descriptors(u64::from(MANY) + 200)?;
    let server = Server::tenure(&["--sessions", "10100"])?;
    // Its answer tells that the server has seen what was sent before it.
    let mut other = Client::connect(server.address)?;
    other.add()?;
    let mut clients = Vec::new();
    let mut measured = Vec::new();
    for count in [FEW, MANY] {
        while clients.len() < count as usize {
            let mut client = Client::connect(server.address)?;
            client.send(HEAD)?;
            other.add()?;
            client.send(BODY)?;
            client.expect(200)?;
            clients.push(client);
        }
        let (resident, dirty) = (server.memory("Rss")?, server.memory("Private_Dirty")?);
        println!("{count:>6} connections: {resident:>9} bytes resident, {dirty:>9} of them private and dirty");
        measured.push((resident, dirty));
    }
    let [few, many] = measured[..] else { return Err("two measurements were made".into()) };
    let slope = |few: u64, many: u64| -> Result<f64, Failure> {
        Ok(f64::from(u32::try_from(many.saturating_sub(few))?) / f64::from(MANY - FEW))
    };
    let session = u32::try_from(size_of::<tenure_adder::Adder>())?;
    let most = BYTES_MAX + f64::from(session);
    let bytes = slope(few.0, many.0)?;
    println!("bytes an idle session: {bytes:.1} resident, {:.1} private and dirty", slope(few.1, many.1)?);
    println!("of these the application's: {session}; allowed: {most} = {BYTES_MAX} + {session}");
    if bytes > most {
        return Err("an idle session takes too much".into());
    }
    Ok(())
}
