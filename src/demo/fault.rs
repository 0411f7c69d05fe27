//! What the keys do to the secondary, and scripts that press them at given seconds.

use std::str::FromStr;

/// A state of a cluster. The primary is always [`Fault::None`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Takes in and answers at once.
    None,
    /// Takes in and answers half a second late.
    Slow,
    /// Reads requests and leaves them; takes them in and answers once it is well again.
    Hang,
    /// Reads nothing from any connection.
    StopReading,
    /// Listens no longer and has reset its connections.
    Refuse,
    /// Reads requests and answers 503.
    Unavailable,
}

impl Fault {
    /// One word for the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "healthy",
            Self::Slow => "slow",
            Self::Hang => "hanging",
            Self::StopReading => "not-reading",
            Self::Refuse => "refusing",
            Self::Unavailable => "503",
        }
    }

    /// What happens, as the end of a sentence that begins with "the secondary".
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::None => "is well again",
            Self::Slow => "answers 500 ms late",
            Self::Hang => "reads requests and answers none",
            Self::StopReading => "reads nothing from its connections",
            Self::Refuse => "refuses connections and has reset those it had",
            Self::Unavailable => "answers 503 to everything",
        }
    }
}

impl Fault {
    /// What to look at now.
    pub(super) fn lesson(self) -> &'static str {
        match self {
            Self::None => "what waited is delivered, in order",
            Self::Slow | Self::Hang | Self::StopReading => "copies wait, the primary's answers do not",
            Self::Refuse | Self::Unavailable => {
                "the primary's answers stay the same; copies have one attempt each"
            }
        }
    }
}

/// A key that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Puts the secondary into a state.
    Secondary(Fault),
    /// Ends the demo.
    Quit,
}

impl Key {
    /// `None` for a key that means nothing.
    pub(super) fn new(letter: char) -> Option<Self> {
        Some(match letter {
            's' => Self::Secondary(Fault::Slow),
            'h' => Self::Secondary(Fault::Hang),
            'n' => Self::Secondary(Fault::StopReading),
            'r' => Self::Secondary(Fault::Refuse),
            '5' => Self::Secondary(Fault::Unavailable),
            'g' => Self::Secondary(Fault::None),
            'q' => Self::Quit,
            _ => return None,
        })
    }
}

/// Keys with the seconds at which they are pressed, e.g. `5:h,15:g`; in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script(Vec<(u64, Key)>);

impl Script {
    /// Takes the next key whose second has come.
    pub(super) fn due(&mut self, elapsed_seconds: u64) -> Option<Key> {
        let (second, key) = *self.0.first()?;
        (second <= elapsed_seconds).then(|| {
            self.0.remove(0);
            key
        })
    }
}

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        for step in text.split(',').map(str::trim).filter(|step| !step.is_empty()) {
            let wrong =
                || format!("{step:?} is not a step such as 5:h (second, colon, one of s h n r 5 g q)");
            let (second, letter) = step.split_once(':').ok_or_else(wrong)?;
            let mut letters = letter.chars();
            let (Some(letter), None) = (letters.next(), letters.next()) else { return Err(wrong()) };
            let second = second.parse().map_err(|_| wrong())?;
            steps.push((second, Key::new(letter).ok_or_else(wrong)?));
        }
        steps.sort_by_key(|&(second, _)| second);
        Ok(Self(steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_presses_its_keys_in_the_order_of_time() {
        let mut script: Script = "15:g, 5:h,15:q".parse().unwrap();
        assert_eq!(script.due(4), None);
        assert_eq!(script.due(5), Some(Key::Secondary(Fault::Hang)));
        assert_eq!(script.due(5), None);
        assert_eq!(script.due(99), Some(Key::Secondary(Fault::None)));
        assert_eq!(script.due(99), Some(Key::Quit));
        assert_eq!(script.due(99), None);
        assert_eq!("".parse(), Ok(Script::default()));
    }

    #[test]
    fn a_script_that_cannot_be_read_says_which_step() {
        for (text, step) in
            [("5h", "5h"), ("5:h,x:g", "x:g"), ("5:z", "5:z"), ("5:hh", "5:hh"), ("-1:h", "-1:h")]
        {
            let refusal = text.parse::<Script>().unwrap_err();
            assert!(refusal.contains(&format!("{step:?}")), "{refusal}");
        }
    }
}
