//! The bytes that are sent, as they stand in `bench/requests`.

/// A small POST that adds 1.
pub(crate) const POST: &[u8] = include_bytes!("../../requests/post.http");
/// The same with a browser's head.
pub(crate) const BROWSER: &[u8] = include_bytes!("../../requests/browser.http");
/// A GET of the sum.
pub(crate) const GET: &[u8] = include_bytes!("../../requests/get.http");
/// A PUT of 100.
pub(crate) const PUT: &[u8] = include_bytes!("../../requests/put.http");
/// A POST of -7.
pub(crate) const NEGATIVE: &[u8] = include_bytes!("../../requests/negative.http");

/// A POST of a JSON object with three fields.
pub(crate) const JSON: &[u8] = include_bytes!("../../requests/json.http");

/// A request's head and body, apart.
pub(crate) fn split(request: &[u8]) -> (&[u8], &[u8]) {
    let end = request.windows(4).position(|end| end == b"\r\n\r\n").expect("a head has an end");
    request.split_at(end + 4)
}
