//! The guide: how to build an application on tenure, chapter by chapter.
#![doc = include_str!("guide/index.md")]
// Without the features there is no kit, no JSON and no digest to link to.
#![cfg_attr(not(all(feature = "kit", feature = "json", feature = "digest")), allow(rustdoc::broken_intra_doc_links))]
#![allow(clippy::doc_markdown, reason = "products have capitals in their names")]

#[doc = include_str!("guide/first_steps.md")]
pub mod first_steps {}

#[doc = include_str!("guide/sessions.md")]
pub mod sessions {}

#[doc = include_str!("guide/requests.md")]
pub mod requests {}

#[doc = include_str!("guide/values.md")]
pub mod values {}

#[doc = include_str!("guide/answers.md")]
pub mod answers {}

#[doc(alias("middleware", "CorsLayer"))]
#[doc = include_str!("guide/layers.md")]
pub mod layers {}

#[doc(alias("authentication", "authorization", "csrf", "cookie"))]
#[doc = include_str!("guide/logins.md")]
pub mod logins {}

#[doc(alias("httpd_resp_send_file", "ServeDir", "Directory"))]
#[doc = include_str!("guide/files.md")]
pub mod files {}

#[doc(alias("Multipart", "form-data", "multer"))]
#[doc = include_str!("guide/uploads.md")]
pub mod uploads {}

#[doc = include_str!("guide/bounds.md")]
pub mod bounds {}

#[doc(alias("httpd_ws_frame_t", "EventStream", "Sse", "WebSocketUpgrade"))]
#[doc = include_str!("guide/open.md")]
pub mod open {}

#[doc(alias("httpd_queue_work", "httpd_work_fn_t"))]
#[doc = include_str!("guide/waiting.md")]
pub mod waiting {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/running.md")]
pub mod running {}

#[doc = include_str!("guide/boards.md")]
pub mod boards {}

#[doc = include_str!("guide/from_esp_http_server.md")]
pub mod from_esp_http_server {}

#[doc = include_str!("guide/from_axum.md")]
pub mod from_axum {}

#[doc = include_str!("guide/from_picoserve.md")]
pub mod from_picoserve {}

#[doc = include_str!("guide/how_it_works.md")]
pub mod how_it_works {}
