//! A server beside an application's own tasks: what handlers await, what runs meanwhile, and a server that is dropped.

use std::{
    cell::{Cell, RefCell},
    future::{pending, poll_fn},
    net::SocketAddr,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use tenure::{EndReason, Error, NEVER, Request, Router, Session, StatusCode, get, post};
use tenure_tokio::{Server, Settings, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, oneshot},
    task::{LocalSet, spawn_local, yield_now},
    time::{Instant, sleep},
};

/// An hour may pass: the clock does not run while there is anything to do.
fn settings() -> Settings {
    let mut settings = Settings::default();
    (settings.deadlines.idle_ms, settings.deadlines.handler_ms) = (NEVER, NEVER);
    (settings.deadlines.first_byte_ms, settings.deadlines.head_ms) = (NEVER, NEVER);
    settings
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn request(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n").into_bytes()
}

/// The head of the next answer.
async fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("the server answers"));
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

/// The body of the next answer.
async fn answer(client: &mut TcpStream) -> String {
    let head = head(client).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let (_, length) = head.split_once("content-length: ").expect("a length");
    let mut body = vec![0; length.split_once('\r').unwrap().0.parse().unwrap()];
    client.read_exact(&mut body).await.unwrap();
    String::from_utf8(body).unwrap()
}

fn lost<E>(_: E) -> Error {
    Error::internal("the other side is gone")
}

/// Serves while something else is done, and ends with it.
macro_rules! beside {
    ($server:expr, $other:expr) => {
        tokio::select! {
            result = $server => panic!("the server has ended: {result:?}"),
            () = $other => {}
        }
    };
}

/// However many connections are busy, a task of the same thread has its turn after 64 of them, and tokio looks as often for what
/// other tasks wait for.
#[tokio::test]
async fn others_have_their_turns_between_many_connections() {
    const CLIENTS: usize = 400;
    let served = &*Box::leak(Box::new(Cell::new(0)));
    let app = Router::new().route(
        "/",
        get(async |_: &mut Request<'_, ()>| {
            served.set(served.get() + 1);
            "served"
        }),
    );
    let (listener, address) = listener().await;
    let (echo, echo_address) = self::listener().await;
    let (mut near, far) = tokio::join!(TcpStream::connect(echo_address), echo.accept());
    let (near, (mut far, _)) = (near.as_mut().unwrap(), far.unwrap());
    // At the most between two turns of a task that is always ready, and of one that waits for a socket.
    let (ready, waiting) = (Cell::new(0), Cell::new(0));
    let rounds = async {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        for round in 1..=3 {
            // All at once: nothing else runs meanwhile.
            let request = request("/");
            for client in &clients {
                assert_eq!(client.try_write(&request).unwrap(), request.len());
            }
            let yields = async {
                while served.get() < round * CLIENTS {
                    let before = served.get();
                    yield_now().await;
                    ready.set(ready.get().max(served.get() - before));
                }
            };
            let echoes = async {
                while served.get() < round * CLIENTS {
                    let before = served.get();
                    near.write_all(b"x").await.unwrap();
                    far.read_u8().await.unwrap();
                    waiting.set(waiting.get().max(served.get() - before));
                }
            };
            tokio::join!(yields, echoes);
        }
    };
    let tasks = LocalSet::new();
    tasks.spawn_local(serve(listener, app, settings()));
    tasks.run_until(rounds).await;
    assert!((1..=64).contains(&ready.get()) && (1..=128).contains(&waiting.get()), "{ready:?} {waiting:?}");
}

#[tokio::test(start_paused = true)]
async fn handlers_await_timers_channels_and_sockets() {
    let (orders, mut received) = mpsc::channel::<(u32, oneshot::Sender<u32>)>(1);
    let (echo, echo_address) = listener().await;
    let orders = &orders;
    let sleeps = get(async |_: &mut Request<'_, ()>| {
        let since = Instant::now();
        sleep(Duration::from_secs(3_600)).await;
        since.elapsed().as_secs()
    });
    let doubles = get(async move |_: &mut Request<'_, ()>| -> Result<u32, Error> {
        let (tell, told) = oneshot::channel();
        orders.send((21, tell)).await.map_err(lost)?;
        told.await.map_err(lost)
    });
    let echoes = get(async move |_: &mut Request<'_, ()>| -> Result<String, Error> {
        let mut stream = TcpStream::connect(echo_address).await.map_err(lost)?;
        stream.write_all(b"to and fro").await.map_err(lost)?;
        stream.shutdown().await.map_err(lost)?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.map_err(lost)?;
        Ok(text)
    });
    let app = Router::new().route("/sleeps", sleeps).route("/doubles", doubles).route("/echoes", echoes);
    let (listener, address) = listener().await;
    let double = async {
        while let Some((number, tell)) = received.recv().await {
            tell.send(number * 2).unwrap();
        }
    };
    let echo = async {
        loop {
            let (mut stream, _) = echo.accept().await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        }
    };
    let serving = async {
        tokio::select! {
            result = serve(listener, app, settings()) => result,
            () = double => unreachable!(),
            () = echo => unreachable!(),
        }
    };
    let asking = async {
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        // All at once: nobody's wait is in another's way.
        for (client, target) in clients.iter_mut().zip(["/sleeps", "/doubles", "/echoes"]) {
            client.write_all(&request(target)).await.unwrap();
        }
        assert_eq!(answer(&mut clients[2]).await, "to and fro");
        assert_eq!(answer(&mut clients[1]).await, "42");
        assert_eq!(answer(&mut clients[0]).await, "3600");
    };
    beside!(serving, asking);
}

#[tokio::test]
async fn serves_in_a_local_set_beside_other_tasks() {
    /// Neither it nor a handler's future can leave its thread.
    struct Visits(Rc<Cell<u32>>);

    impl Session for Visits {
        fn end(self, _: EndReason) {}
    }

    let local = LocalSet::new();
    let other = async {
        let all = Rc::new(Cell::new(0));
        let counted = all.clone();
        let visit = get(async move |request: &mut Request<'_, Visits>| {
            let visits = request.session_or_insert_with(|| Visits(counted.clone())).0.clone();
            spawn_local(async move { visits.set(visits.get() + 1) }).await.map_err(lost)
        });
        let turns = Rc::new(Cell::new(0_u32));
        let (turning, awaited) = (turns.clone(), turns.clone());
        // It leaves nothing to others by itself.
        let busy = get(async move |_: &mut Request<'_, Visits>| {
            let before = awaited.get();
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if awaited.get() == before { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
        });
        let app = Router::new().route("/", visit).route("/busy", busy);
        let (listener, address) = listener().await;
        let server = spawn_local(serve(listener, app, settings()));
        let turner = spawn_local(async move {
            loop {
                turning.set(turning.get() + 1);
                yield_now().await;
            }
        });
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        for round in 1..=100 {
            let before = turns.get();
            for client in &mut clients {
                client.write_all(&request("/")).await.unwrap();
            }
            for client in &mut clients {
                assert!(head(client).await.starts_with("http/1.1 200 "));
            }
            assert_eq!(all.get(), round * 4);
            assert_ne!(turns.get(), before, "the other task has had its turns");
        }
        clients[0].write_all(&request("/busy")).await.unwrap();
        assert!(head(&mut clients[0]).await.starts_with("http/1.1 200 "));
        turner.abort();
        server.abort();
        assert!(server.await.unwrap_err().is_cancelled());
    };
    local.run_until(other).await;
}

/// Tells of its end.
struct Told {
    name: &'static str,
    ends: Rc<RefCell<Vec<(&'static str, EndReason)>>>,
}

impl Session for Told {
    fn end(self, reason: EndReason) {
        self.ends.borrow_mut().push((self.name, reason));
    }
}

/// Counts how often it is dropped.
struct Dropped(Rc<Cell<u32>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[tokio::test]
async fn a_server_that_is_dropped_ends_every_session_once() {
    let ends = Rc::new(RefCell::new(Vec::new()));
    let dropped = Rc::new(Cell::new(0));
    let waits = Rc::new(Notify::new());
    let (told, guards, waiting) = (ends.clone(), dropped.clone(), waits.clone());
    let idle = get(async move |request: &mut Request<'_, Told>| {
        request.session_or_insert_with(|| Told { name: "idle", ends: told.clone() });
    });
    let told = ends.clone();
    let waits_for_ever = get(async move |request: &mut Request<'_, Told>| {
        let _guard = Dropped(guards.clone());
        request.session_or_insert_with(|| Told { name: "at work", ends: told.clone() });
        waiting.notify_one();
        pending::<()>().await;
    });
    let told = ends.clone();
    let body = post(async move |request: &mut Request<'_, Told>| -> Result<u32, Error> {
        request.session_or_insert_with(|| Told { name: "amid a body", ends: told.clone() });
        request.body().parse().await
    });
    let app = Router::new().route("/idle", idle).route("/waits", waits_for_ever).route("/body", body);
    let (listener, address) = listener().await;
    let mut clients = Vec::new();
    let asking = async {
        for _ in 0..5 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        clients[2].write_all(b"POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n1").await.unwrap();
        clients[3].write_all(b"GET /idle HT").await.unwrap();
        clients[1].write_all(&request("/waits")).await.unwrap();
        waits.notified().await;
        clients[0].write_all(&request("/idle")).await.unwrap();
        assert!(head(&mut clients[0]).await.starts_with("http/1.1 200 "));
    };
    beside!(serve(listener, app, settings()), asking);
    let mut ends = ends.take();
    ends.sort_unstable_by_key(|(name, _)| *name);
    let reason = EndReason::Shutdown;
    assert_eq!(ends, [("amid a body", reason), ("at work", reason), ("idle", reason)]);
    assert_eq!(dropped.get(), 1, "the handler at work is dropped once");
    for (number, mut client) in clients.into_iter().enumerate() {
        // A request that was at work is reset, so that its client does not take silence for an answer.
        let ended = client.read(&mut [0]).await.map_err(|error| error.kind());
        let wanted = if [1, 2].contains(&number) { Err(std::io::ErrorKind::ConnectionReset) } else { Ok(0) };
        assert_eq!(ended, wanted, "client {number}");
    }
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens there");
}

/// Serves one request that waits, lets `stop` be called while it does, and then lets it go on: it is answered.
async fn answers_what_is_at_work(address: SocketAddr, waits: &Notify, goes_on: &Notify, stop: impl FnOnce()) {
    let (mut busy, mut idle) = (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
    idle.write_all(&request("/")).await.unwrap();
    assert!(head(&mut idle).await.starts_with("http/1.1 204 "));
    busy.write_all(&request("/waits")).await.unwrap();
    waits.notified().await;
    stop();
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0, "what is idle ends");
    goes_on.notify_one();
    let told = head(&mut busy).await;
    assert!(told.starts_with("http/1.1 204 ") && told.contains("connection: close"), "{told}");
    assert_eq!(busy.read(&mut [0]).await.unwrap(), 0);
}

fn waiting<'a>(waits: &'a Notify, goes_on: &'a Notify) -> impl tenure::Handler<()> + Send + Sync + 'a {
    let wait = get(async move |_: &mut Request<'_, ()>| {
        waits.notify_one();
        goes_on.notified().await;
        StatusCode::NO_CONTENT
    });
    Router::new().route("/", get(async |_: &mut Request<'_, ()>| StatusCode::NO_CONTENT)).route("/waits", wait)
}

#[tokio::test]
async fn a_future_that_stops_the_server_lets_it_answer() {
    let (waits, goes_on, stop) = (Notify::new(), Notify::new(), Notify::new());
    let (listener, address) = listener().await;
    let server = serve(listener, waiting(&waits, &goes_on), settings()).stop_when(stop.notified());
    let asking = answers_what_is_at_work(address, &waits, &goes_on, || stop.notify_one());
    let (served, ()) = tokio::join!(server, asking);
    served.unwrap();
}

#[tokio::test]
async fn a_stop_before_the_first_turn_serves_who_has_asked() {
    let notify = Notify::new();
    let (listener, address) = listener().await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&request("/")).await.unwrap();
    serve(listener, waiting(&notify, &notify), settings()).stop_when(std::future::ready(())).await.unwrap();
    assert!(head(&mut client).await.starts_with("http/1.1 204 "));
}

#[tokio::test]
async fn what_cannot_be_served_is_told_when_it_is_awaited() {
    for (sockets, is_served) in [(0, false), (1, true)] {
        let notify = Notify::new();
        let (listener, _) = listener().await;
        let settings = Settings { connections_max: sockets, ..settings() };
        let served = serve(listener, waiting(&notify, &notify), settings).stop_when(std::future::ready(())).await;
        match served {
            Ok(()) => assert!(is_served),
            Err(error) => assert!(!is_served && error.to_string().contains("`connections_max` is 0"), "{error}"),
        }
    }
}

/// Its handlers await what belongs to the runtime that it was spawned from, and any task of that may await its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_is_spawned_beside_tasks_of_several_threads() {
    static WAITS: Notify = Notify::const_new();
    static GOES_ON: Notify = Notify::const_new();
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 0).into())).unwrap();
    let address = server.local_addr();
    let server = server.spawn(waiting(&WAITS, &GOES_ON), ()).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server.stop_when(stopped));
    let asking = answers_what_is_at_work(address, &WAITS, &GOES_ON, || stop.send(()).unwrap());
    tokio::spawn(asking).await.unwrap();
    server.await.unwrap().unwrap();
}

#[test]
fn a_task_never_goes_on_without_sleep() {
    let spin = |spin_us| Server::bind(Settings { spin_us, ..Settings::at(([127, 0, 0, 1], 0).into()) });
    assert!(spin(0).is_ok());
    match spin(1) {
        Err(tenure_tokio::Error::Settings(told)) => {
            assert!(told.contains("`spin_us` is for tenure-linux only"), "{told}");
        }
        other => panic!("{other:?}"),
    }
}
