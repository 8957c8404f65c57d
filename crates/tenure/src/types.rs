//! Types that stand in signatures: what routers are built of, and futures. A program names none of them. They are public so that
//! whoever reads a signature finds what each of them is.

pub use crate::exchange::body::{Parse, Whole};
pub use crate::open::events::EventRoute;
pub use crate::open::websocket::WebSocket;
pub use crate::route::cors::WithCors;
pub use crate::route::deadlines::WithDeadlines;
pub use crate::route::either::OneOf;
pub use crate::route::fields::{Made, Same, WithFields};
pub use crate::route::handler::{Function, Responding};
pub use crate::route::layers::{OnError, OnErrors, Wrapped};
pub use crate::route::list::{Append, End, Link};
pub use crate::route::methods::{First, On};
pub use crate::route::rate::WithRate;
pub use crate::route::router::{Fallback, Nested, Target};
