//! The session of these tests.
#![allow(unreachable_pub)]

use tenure::{EndReason, Session};
use tenure_login::{HasLogin, Login};

/// A session that has a login, and counts.
#[derive(Default)]
pub struct Visit {
    pub login: Login,
    pub seen: u32,
}

impl HasLogin for Visit {
    fn login(&self) -> &Login {
        &self.login
    }

    fn login_mut(&mut self) -> &mut Login {
        &mut self.login
    }
}

impl Session for Visit {
    fn end(self, _: EndReason) {}
}
