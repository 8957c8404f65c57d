//! What a port needs: the driver of connections, and what it asks of a port.
//!
//! A port accepts sockets and tells the [`Driver`] of each; reports readiness, wake-ups and the time; and does what the
//! driver asks through [`Port`]. It keeps nothing of a connection itself but the socket. Applications need none of this.

#[cfg(feature = "std")]
pub use crate::engine::contain::contain;
#[cfg(feature = "alloc")]
pub use crate::open::{
    audience::Audience,
    history::Keeping,
    topic::{HeapTopics, content_bytes, framed},
};
pub use crate::{
    engine::buffer::Buffer,
    engine::driver::{
        AtRest, Driver, DriverSettings, Key, Lane, Lanes, Listed, Panicked, Partial, Port, Pushed, Transmitted,
    },
    engine::interest::Interest,
    engine::lane::lane,
    engine::table::{Slot, Store},
    engine::wire::{Received, Wire},
    open::{
        message::MessageInput,
        topic::{FixedTopics, Kind, TopicKey, Topics, frame_into},
    },
    peer::Peer,
    per_peer::number as peer_number,
};
pub use tenure_proto::{
    date::{DATE_BYTES, imf_fixdate},
    head::HeadParser,
};
