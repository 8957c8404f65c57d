//! Logins for applications of the [`tenure`] HTTP server, on a microcontroller without a heap and on hosts.
//!
//! | you have | take |
//! |---|---|
//! | programs that keep their socket | [`log_in`], [`log_out`], [`require`]: the socket is the login |
//! | browsers | [`SignedCookie`], with [`same_origin`] |
//! | programs with a token, behind TLS | [`Bearer`] |
//! | people without a form, behind TLS | [`Basic`]: the browser asks |
//! | people or programs without TLS | [`Digest`]: the password does not travel |
//!
//! [`Tries`] bounds how often a peer may guess. [`Authorization`] is the parsed field of that name, for routes that take several schemes.
//! The chapter *Logins* of `tenure`'s guide has whole programs, and says what the library does against other sites' requests and what it
//! does not.
//!
//! A refusal keeps the session and the connection. Secrets are compared in a time that reveals nothing of them, and `Debug` shows none.
//! There is no unsafe code; hashes, HMAC, base64 and comparisons come from well-known crates (`sha2`, `hmac`, `base64ct`, `subtle`).
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod authorization;
mod cookie;
mod digest;
mod key;
mod login;
mod origin;
mod proof;
mod schemes;
mod tries;

pub use authorization::{Authorization, AuthorizationError, Credentials};
pub use cookie::{CookieError, CookieText, Signed, SignedCookie};
pub use digest::{Digest, PasswordHash};
pub use key::{Key, KeyError, is_same};
pub use login::{HasLogin, Login, USER_BYTES_MAX, UserName, VALID_S_MAX, log_in, log_out, require, user};
pub use origin::{CrossOrigin, same_origin};
pub use proof::Proof;
pub use schemes::{Basic, Bearer};
pub use tries::{TooManyTries, Tries};
