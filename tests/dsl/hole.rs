//! A network that drops every packet: a link of its own into a network namespace where nobody has the address.
//!
//! The neighbour's hardware address is fixed and wrong, so that our side sends, and the other side's kernel drops
//! what is not for it. No packet filter is needed, nor does anything answer: neither a SYN nor a byte.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use super::ports::Port;

/// The link, until it is dropped. It takes root.
pub(crate) struct Hole {
    // Its number tells this link from all others, also of other processes.
    port: Port,
}

impl Hole {
    pub(crate) fn dig() -> Result<Self, String> {
        let hole = Self { port: Port::reserve() };
        // A run that was killed may have left one of the same number.
        hole.fill();
        let (name, far) = (hole.name(), hole.host(2));
        let near = format!("{}/30", hole.host(1));
        for arguments in [
            format!("netns add {name}"),
            format!("link add {name} type veth peer name far netns {name}"),
            format!("address add {near} dev {name}"),
            format!("link set {name} up"),
            format!("-n {name} link set far up"),
            format!("neighbour replace {far} lladdr 02:00:00:00:00:01 nud permanent dev {name}"),
        ] {
            ip(&arguments)?;
        }
        Ok(hole)
    }

    /// Where nobody ever answers.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((self.host(2), 80))
    }

    fn name(&self) -> String {
        format!("mmhole{}", self.port.number())
    }

    /// An address of the link: its four are a slice of the range that is kept for tests of networks (RFC 2544).
    fn host(&self, n: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + u32::from(self.port.number()) * 4 + n)
    }

    fn fill(&self) {
        // Either end takes the other with it.
        let _ = ip(&format!("link delete {}", self.name()));
        let _ = ip(&format!("netns delete {}", self.name()));
    }
}

impl Drop for Hole {
    fn drop(&mut self) {
        self.fill();
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let run = Command::new("ip").args(arguments.split(' ')).output();
    let output = run.map_err(|e| format!("ip: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {said}")) }
}
