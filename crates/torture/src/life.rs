//! One server's life, among clients and other threads.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tenure::{Deadlines, Event, Eviction, Frame, Limits};
use tenure_host::{Handle, Platform, Server, Settings};

use crate::{
    app::{self, ROOM, TICK, TICKS, Tally},
    client,
    numbers::Numbers,
    patience::{awaited, joined},
};

/// Clients at once.
const CLIENTS: usize = 12;
/// Connections that each makes, one after the other.
const CONNECTIONS: usize = 12;
/// Deadlines that are missed now and then.
const SHORT: Deadlines = Deadlines {
    first_byte_ms: 100,
    idle_ms: 100,
    head_ms: 60,
    body_ms: 60,
    body_bytes_per_s: 100_000,
    handler_ms: 60,
    response_ms: 60,
    response_bytes_per_s: 1_000_000,
    ping_ms: 60,
    pong_ms: 60,
    linger_ms: 60,
    flush_ms: 100,
};

/// Binds, serves and stops. A fault leaves threads behind: the process is to end.
pub(crate) fn life<P: Platform + 'static>(tally: &Arc<Tally>, numbers: &mut Numbers) -> Result<(), String> {
    // Nobody disturbs a calm one, so everybody must be answered.
    let calm = numbers.once_in(3);
    // Some servers stop among their clients.
    let stops_after = (!calm && numbers.once_in(2)).then(|| Duration::from_millis(numbers.below(150) as u64));
    let stops_now = numbers.once_in(2);
    let server =
        Server::<P>::bind(settings(calm, &mut numbers.branch())).map_err(|error| format!("no server: {error}"))?;
    let (handle, address) = (server.handle(), server.local_addr());
    let is_over = Arc::new(AtomicBool::new(false));
    let meddling = thread::spawn({
        let (handle, tally, is_over, numbers) = (handle.clone(), tally.clone(), is_over.clone(), numbers.branch());
        move || meddle(&handle, &tally, calm, &is_over, numbers)
    });
    let serving = thread::spawn({
        let tally = tally.clone();
        move || server.run(&app::app(&tally), &*tally).map_err(|error| format!("the server: {error}"))
    });
    let start = |_| {
        let mut numbers = numbers.branch();
        thread::spawn(move || {
            (0..CONNECTIONS).try_for_each(|_| client::connection(address, calm, &mut numbers.branch()))
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(start).collect();
    let stop = || if stops_now { handle.stop_now() } else { handle.stop() };
    let leave =
        |clients: Vec<JoinHandle<_>>| clients.into_iter().try_for_each(|client| joined("a client's end", client)?);
    if let Some(after) = stops_after {
        thread::sleep(after);
        stop();
        leave(clients)?;
    } else {
        leave(clients)?;
        stop();
    }
    joined("the server's end", serving)??;
    is_over.store(true, Ordering::Relaxed);
    joined("the end of who meddles", meddling)?
}

fn settings(calm: bool, numbers: &mut Numbers) -> Settings {
    let input_bytes = [256, 1_024, 16_384][numbers.below(3)];
    Settings {
        threads: NonZeroUsize::new(1 + numbers.below(3)),
        connections_max: [9, 12, 20, 100][numbers.below(4)],
        open_max: [None, Some(4)][numbers.below(2)],
        eviction: if calm {
            Eviction::Never
        } else {
            [Eviction::Never, Eviction::WithoutSession, Eviction::LeastRecentlyUsed][numbers.below(3)]
        },
        // Some who wait are turned away where lanes are few.
        lanes_max: if calm { None } else { [None, Some(6), Some(9)][numbers.below(3)] },
        input_bytes,
        body_bytes: [64, 1_024, 16_384][numbers.below(3)],
        output_bytes: [256, 1_024, 16_384][numbers.below(3)],
        deadlines: if calm || numbers.once_in(2) { Deadlines::HOST } else { SHORT },
        limits: Limits {
            head_bytes_max: input_bytes as u32,
            target_bytes_max: 100,
            drain_bytes_max: [0, 100, 65_536][numbers.below(3)],
            ..Limits::HOST
        },
        ..Settings::at(([127, 0, 0, 1], 0).into())
    }
}

/// Wakes handlers that wait, pushes and publishes to who has opened something, and closes and pins any connections.
fn meddle(
    handle: &Handle,
    tally: &Tally,
    calm: bool,
    is_over: &AtomicBool,
    mut numbers: Numbers,
) -> Result<(), String> {
    while !is_over.load(Ordering::Relaxed) {
        tally.wake();
        // A worker that has much before it, or has ended: both are to be expected.
        let _ = handle.publish(TICKS, Event::data(TICK));
        let _ = handle.publish(ROOM, Frame::text(TICK));
        if !calm && numbers.once_in(4) {
            for connection in awaited("a list of connections", handle.list())? {
                let _ = handle.send(connection.id, Frame::text(TICK));
                // One that is gone, or a server that has stopped: both are to be expected.
                let _ = match numbers.below(8) {
                    0 => handle.close(connection.id),
                    1 => handle.close_now(connection.id),
                    2 => handle.pin(connection.id, true),
                    3 => handle.pin(connection.id, false),
                    _ => Ok(()),
                };
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
