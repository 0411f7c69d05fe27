//! Which protocol a client speaks, told by its first bytes.

/// How HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much of it a client has sent. One that stops before its end is no client of HTTP/2 yet, and waited for no longer
/// than for any head.
#[derive(Debug)]
pub(super) enum Preface {
    Begun(usize),
    Decided,
}

impl Default for Preface {
    fn default() -> Self {
        Self::Begun(0)
    }
}

impl Preface {
    /// Whether these bytes decide that the client speaks HTTP/2, or that it does not.
    pub(super) fn decide(&mut self, bytes: &[u8]) -> Option<bool> {
        let Self::Begun(seen) = *self else { return None };
        let wanted = PREFACE.get(seen..).unwrap_or_default();
        let common = bytes.iter().zip(wanted).take_while(|(byte, wanted)| byte == wanted).count();
        let is_whole = common == wanted.len();
        if !is_whole && common == bytes.len() {
            *self = Self::Begun(seen + common);
            return None;
        }
        *self = Self::Decided;
        Some(is_whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_however_they_are_cut() {
        let decided = |bytes: &[u8], cut: usize| {
            let mut preface = Preface::default();
            let (a, b) = bytes.split_at(cut);
            preface.decide(a).or_else(|| preface.decide(b))
        };
        let h2 = [PREFACE, b"frames"].concat();
        for cut in 0..h2.len() {
            assert_eq!(decided(&h2, cut), Some(true), "{cut}");
            assert_eq!(decided(&PREFACE[..23], cut.min(23)), None, "{cut}");
        }
        for other in ["GET /x HTTP/1.1\r\n", "PRI /x HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nXX"] {
            for cut in 0..other.len() {
                assert_eq!(decided(other.as_bytes(), cut), Some(false), "{other} at {cut}");
            }
        }
    }

    #[test]
    fn it_is_decided_once() {
        let mut preface = Preface::default();
        assert_eq!((preface.decide(b"G"), preface.decide(PREFACE)), (Some(false), None));
    }
}
