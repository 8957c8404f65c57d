//! Who is measured.

use std::{path::PathBuf, process::Command};

use tenure_load::Sums;

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    /// As it is said on the command line, and in the table.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The program `tenure`, with these options more.
    Tenure(&'static [&'static str]),
    /// A program of this workspace.
    Own(&'static str),
    /// The same, with the folder of files as its argument.
    Files(&'static str),
    Nginx,
    /// It serves that folder.
    NginxFiles,
}

/// What the others are measured against.
pub(crate) const LIMIT: Contender = Contender { name: "limit", kind: Kind::Own("bench-limit") };
pub(crate) const TENURE: Contender = Contender { name: "tenure", kind: Kind::Tenure(&[]) };
/// It looks for events so many microseconds before it sleeps: longer than any pause of the load.
pub(crate) const SPIN: Contender = Contender { name: "tenure-spin", kind: Kind::Tenure(&["--spin", "2000"]) };
pub(crate) const TOKIO: Contender = Contender { name: "tenure-tokio", kind: Kind::Own("bench-tokio") };
pub(crate) const MAY: Contender = Contender { name: "may_minihttp", kind: Kind::Own("bench-may") };
pub(crate) const HYPER: Contender = Contender { name: "hyper", kind: Kind::Own("bench-hyper") };

/// All but the limit.
pub(crate) const ALL: [Contender; 11] = [
    TENURE,
    SPIN,
    TOKIO,
    MAY,
    HYPER,
    Contender { name: "ntex", kind: Kind::Own("bench-ntex") },
    Contender { name: "axum", kind: Kind::Own("bench-axum") },
    Contender { name: "actix-web", kind: Kind::Own("bench-actix") },
    Contender { name: "picoserve", kind: Kind::Own("bench-picoserve") },
    Contender { name: "edge-http", kind: Kind::Own("bench-edge-http") },
    Contender { name: "nginx", kind: Kind::Nginx },
];

/// What other WebSocket servers are measured against.
pub(crate) const WEBSOCKET_LIMIT: Contender = Contender { name: "limit", kind: Kind::Own("bench-websocket-limit") };

/// All WebSocket servers but that.
pub(crate) const WEBSOCKETS: [Contender; 4] = [
    Contender { name: "tenure", kind: Kind::Own("bench-websocket-tenure") },
    Contender { name: "uWebSockets", kind: Kind::Own("bench-websocket-uws") },
    Contender { name: "fastwebsockets", kind: Kind::Own("bench-websocket-fast") },
    Contender { name: "tokio-tungstenite", kind: Kind::Own("bench-websocket-tungstenite") },
];

/// Servers of JSON.
pub(crate) const JSON: [Contender; 3] = [
    Contender { name: "tenure", kind: Kind::Own("bench-json-tenure") },
    Contender { name: "axum", kind: Kind::Own("bench-json-axum") },
    Contender { name: "actix-web", kind: Kind::Own("bench-json-actix") },
];

/// Servers of files, and what they are measured against.
pub(crate) const FILES: [Contender; 1] = [Contender { name: "tenure", kind: Kind::Files("bench-files-tenure") }];
pub(crate) const FILES_NGINX: Contender = Contender { name: "nginx", kind: Kind::NginxFiles };

/// Where the programs are.
pub(crate) struct Programs {
    pub(crate) tenure: PathBuf,
    /// The directory of this workspace's own.
    pub(crate) own: PathBuf,
}

impl Contender {
    /// Whether it adds up; the others always answer the same.
    pub(crate) fn adds(self) -> bool {
        self != LIMIT && self.kind != Kind::Nginx
    }

    /// What it answers to small POSTs.
    pub(crate) fn sums(self) -> Sums {
        if self.adds() { Sums::Grow } else { Sums::Are(1) }
    }

    /// Whether it can be started here.
    pub(crate) fn is_there(self, programs: &Programs) -> bool {
        match self.kind {
            Kind::Nginx | Kind::NginxFiles => Command::new("nginx").arg("-v").output().is_ok(),
            Kind::Own(program) | Kind::Files(program) => programs.own.join(program).exists(),
            Kind::Tenure([]) => true,
            Kind::Tenure(options) => {
                let help = Command::new(&programs.tenure).args(["serve", "--help"]).output();
                help.is_ok_and(|help| {
                    let help = String::from_utf8_lossy(&help.stdout).into_owned();
                    options.iter().filter(|option| option.starts_with("--")).all(|option| help.contains(option))
                })
            }
        }
    }
}
