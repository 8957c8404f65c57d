//! A folder of files on tenure, the one that is its argument: one worker, and the threads of the folder's own.

use std::{
    io::{self, Write as _},
    net::Ipv4Addr,
    num::NonZeroUsize,
};

use tenure::{Router, files};
use tenure_linux::{Folder, Server, Settings};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let folder = std::env::args_os().nth(1).ok_or("give a folder")?;
    let settings = Settings { threads: NonZeroUsize::new(1), ..Settings::at((Ipv4Addr::LOCALHOST, 0).into()) };
    let server = Server::bind(settings)?;
    println!("listening on {}", server.local_addr());
    io::stdout().flush()?;
    let app = Router::<()>::new().route("/{*rest}", files(Folder::new(folder)?).waits_long());
    Ok(server.run(&app, &())?)
}
