//! The service of a device: settings and pins as JSON, a word of access, CORS, errors that are JSON, too, and a page. The application is in
//! `apps/device`, and runs on a board without a heap as well: `firmware/qemu/src/bin/device.rs`.
//!
//! `cargo run --example device`, then open <http://127.0.0.1:8080/>, or
//! - `curl http://127.0.0.1:8080/api/config`: 401;
//! - `curl --oauth2-bearer open http://127.0.0.1:8080/api/config`: the settings;
//! - `curl --oauth2-bearer open --json '{"name":"lamp","wifi":{"ssid":"home","port":70000},"interval_s":5}' -X PUT
//!   http://127.0.0.1:8080/api/config`: 400, which says that the port is above 65535, and at which byte;
//! - `curl --oauth2-bearer open -X POST 'http://127.0.0.1:8080/api/pins/4?on=true'`: the pin.

use tenure_device::{Device, app};
use tenure_linux::{Server, Settings};

fn main() -> Result<(), tenure_linux::Error> {
    let server = Server::bind(Settings::at(([127, 0, 0, 1], 8080).into()))?.stop_on_signals()?;
    println!("the device is at http://{}/", server.local_addr());
    server.run(&app(&Device::new()), &())
}
