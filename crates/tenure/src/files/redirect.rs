//! Where a folder is asked for without the slash at its end.

use tenure_proto::status::StatusCode;

use crate::{
    Request,
    exchange::reply::{IntoResponse, Outcome, Reply},
};

/// A redirect to the same target with a slash behind its path, so that links of a folder's page are relative to the folder: 301.
///
/// The Location is relative to the target (RFC 3986 section 4.2), so it is right behind a proxy that has taken a prefix away, and can
/// never name another host.
#[derive(Clone, Copy, Debug)]
pub struct ToFolder<'r> {
    name: &'r str,
    query: Option<&'r str>,
}

impl<'r> ToFolder<'r> {
    /// Of a request's target.
    pub fn of<S>(request: &Request<'r, S>) -> Self {
        let name = request.path().rsplit('/').next().unwrap_or_default();
        ToFolder { name, query: request.query() }
    }
}

impl IntoResponse for ToFolder<'_> {
    fn respond(&mut self, reply: &mut Reply<'_>) -> Outcome {
        let (mark, query) = self.query.map_or(("", ""), |query| ("?", query));
        // The dot: a name with a colon would be read as a scheme.
        reply.field_of("Location", &["./", self.name, "/", mark, query]);
        reply.status(StatusCode::MOVED_PERMANENTLY).empty()
    }
}
