//! What standard output is.

use std::io::IsTerminal as _;

/// Whether it is a terminal whose reader has not asked for no colours (<https://no-color.org>).
pub(crate) fn wants_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !refused
}
