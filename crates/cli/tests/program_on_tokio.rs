//! The program on the port for systems without epoll.

#[path = "program.rs"]
mod program;
