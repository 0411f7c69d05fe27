//! Tells systemd how it goes (`Type=notify`), if systemd wants to know: the socket named by `NOTIFY_SOCKET`.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// This process serves. One that took over from another is the service's main process from now on.
pub(super) fn ready(took_over: bool) {
    let main = if took_over { format!("MAINPID={}\n", std::process::id()) } else { String::new() };
    tell(&format!("{main}READY=1"));
}

/// The configuration is read again; [`ready`] follows, whatever comes of it.
pub(super) fn reloading() {
    // What `Type=notify-reload` asks for.
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
}

/// This process ends.
pub(super) fn stopping() {
    tell("STOPPING=1");
}

fn tell(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else { return };
    let told = (|| {
        let name = path.as_encoded_bytes();
        let address = match name.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&path)?,
        };
        UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)
    })();
    if let Err(error) = told {
        tracing::warn!(%error, state, "cannot tell systemd");
    }
}
