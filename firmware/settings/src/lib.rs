//! What the board's image decides before and beside its hardware: what the texts of its settings mean, which pins a chip has
//! to give, when it reconnects, and what it says of its addresses.
//!
//! The image's build script refuses wrong settings with the errors of this crate, so that no board starts with one. Nothing
//! here needs a board, so all of it is tested on a host.
#![no_std]
#![forbid(unsafe_code)]

mod address;
mod limits;
mod name;
mod news;
mod pause;
mod pins;
mod station;

pub use address::{AddressError, InEspIdf, Ipv4, link_local};
pub use limits::{TargetBeyondHead, limits};
pub use name::{NameError, host_name, wifi_name, wifi_password};
pub use news::News;
pub use pause::Pause;
pub use pins::{Chip, PinError, pins, rmii_pins};
pub use station::{Ended, Station, Step};
