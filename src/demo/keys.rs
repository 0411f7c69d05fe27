//! The keys: single characters on stdin, without waiting for the end of a line if it is a terminal.

use std::io::Read as _;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::sync::mpsc;

/// Reads characters until stdin ends; its end does not end the demo. Puts the terminal back when dropped.
pub(super) struct Keys {
    characters: Option<mpsc::Receiver<char>>,
    before: Option<Termios>,
}

impl Keys {
    /// Starts to read. Never fails: a demo without keys is still a demo.
    pub(super) fn start() -> Self {
        let stdin = std::io::stdin();
        let terminal = isatty(&stdin);
        // In the background, touching the terminal would stop the whole process.
        if terminal && tcgetpgrp(&stdin).ok() != Some(getpgrp()) {
            return Self { characters: None, before: None };
        }
        let before = if terminal { characters_at_once() } else { None };
        let (found, characters) = mpsc::channel(16);
        let reader = std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            for byte in std::io::stdin().lock().bytes() {
                let Ok(byte) = byte else { return };
                if found.blocking_send(char::from(byte)).is_err() {
                    return;
                }
            }
        });
        Self { characters: reader.is_ok().then_some(characters), before }
    }

    /// The next character; never, once stdin has ended.
    pub(super) async fn next(&mut self) -> char {
        if let Some(characters) = &mut self.characters {
            if let Some(character) = characters.recv().await {
                return character;
            }
            self.characters = None;
        }
        std::future::pending().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Takes each character at once and unseen. Signals (Ctrl-C) and line ends on output stay as they are.
fn characters_at_once() -> Option<Termios> {
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).ok()?;
    let mut now = before.clone();
    now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Now, &now).ok()?;
    // A panic may abort the process before anything is dropped.
    let (restore, report) = (before.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &restore);
        report(panic);
    }));
    Some(before)
}
