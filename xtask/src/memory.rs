//! What an idle session costs: memory from 1,000 to 10,000 connections, each having done one POST in two segments. And what bodies
//! cost that have begun and do not come.

use std::{thread::sleep, time::Duration};

use crate::{
    Failure,
    client::{BODY, Client, HEAD},
    server::{Server, raise_descriptors},
};

const FEW: u32 = 1_000;
const MANY: u32 = 10_000;
/// What a session may take beside the application's value.
const BYTES_MAX: f64 = 64.0;

/// Bodies that stall.
const STALLED: u32 = 1_000;
/// What one may take; its socket's entry in the kernel is not counted.
const STALLED_BYTES_MAX: f64 = 4_096.0;
/// When the server has given its lanes back to the allocator, which may keep them for what comes next.
const BACK: Duration = Duration::from_secs(62);
/// What the same again may take beyond the first time: nothing but what an allocator cannot fill.
const AGAIN_BYTES_MAX: u64 = 512 * 1024;

/// Measures what bodies take whose first byte alone has come, and that the same a minute after their clients have gone takes no
/// further memory.
pub(crate) fn stalled() -> Result<(), Failure> {
    raise_descriptors(u64::from(STALLED) + 200)?;
    let server = Server::tenure(&["--sessions", "1100"])?;
    // Its answers tell that the server has seen what was sent before them.
    let mut other = Client::connect(server.address)?;
    let mut wave = || -> Result<(u64, u64), Failure> {
        let mut clients = Vec::new();
        for _ in 0..STALLED {
            let mut client = Client::connect(server.address)?;
            client.add()?;
            clients.push(client);
        }
        let idle = server.memory("Rss")?;
        for client in &mut clients {
            client.send(b"POST /adder HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")?;
        }
        other.add()?;
        Ok((idle, server.memory("Rss")?))
    };
    let (idle, stalled) = wave()?;
    let each = f64::from(u32::try_from(stalled.saturating_sub(idle))?) / f64::from(STALLED);
    println!("{STALLED} idle connections: {idle} bytes resident");
    println!(
        "{STALLED} stalled bodies: {stalled} bytes resident, {each:.0} more for each; allowed: {STALLED_BYTES_MAX}"
    );
    sleep(BACK);
    println!("a minute after their clients have gone: {} bytes resident", server.memory("Rss")?);
    let again = wave()?.1;
    println!("{STALLED} stalled bodies again: {again} bytes resident; allowed: {AGAIN_BYTES_MAX} more than before");
    if each > STALLED_BYTES_MAX || again > stalled + AGAIN_BYTES_MAX {
        return Err("stalled bodies take too much".into());
    }
    Ok(())
}

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
