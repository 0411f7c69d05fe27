//! A copy's body while it is collected, and what it costs.
//!
//! A frame is a slice of a read buffer of up to [`READ_BUFFER_MAX`]; holding it holds the whole buffer. Large
//! frames are shared and charged as a whole buffer; small ones are copied into buffers of the right size, so that
//! what is counted is never less than what is held.

use bytes::{Bytes, BytesMut};

use crate::limits::{READ_BUFFER_MAX, SHARED_FRAME_MIN};

/// Smallest buffer that small frames of a body of unknown length are gathered in.
const GATHER_MIN: usize = 2 << 10;

/// Body bytes in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct CopyBody {
    chunks: Vec<Bytes>,
    tail: BytesMut,
    len: u64,
}

/// What taking one more frame would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// It fits the buffer that is already paid for.
    Fits,
    /// Its read buffer is shared with the primary.
    Share,
    /// A new gathering buffer of this many bytes is needed.
    Gather(usize),
}

impl Plan {
    /// Bytes to reserve before [`CopyBody::push`].
    pub(super) fn cost(self) -> u64 {
        match self {
            Self::Fits => 0,
            Self::Share => READ_BUFFER_MAX as u64,
            Self::Gather(capacity) => capacity as u64,
        }
    }
}

impl CopyBody {
    /// Plans the next frame of `len` bytes. `announced` is the body's length if the request announced one.
    pub(super) fn plan(&self, len: usize, announced: Option<u64>) -> Plan {
        if len >= SHARED_FRAME_MIN {
            // A frame larger than a read buffer cannot occur; if it did, gathering counts it exactly.
            return if len <= READ_BUFFER_MAX { Plan::Share } else { Plan::Gather(len) };
        }
        if self.tail.capacity() - self.tail.len() >= len {
            return Plan::Fits;
        }
        let wanted = match announced {
            Some(total) => total.saturating_sub(self.len),
            None => self.len.max(GATHER_MIN as u64),
        };
        Plan::Gather((wanted.min(READ_BUFFER_MAX as u64) as usize).max(len))
    }

    /// Takes the frame as planned.
    pub(super) fn push(&mut self, frame: &Bytes, plan: Plan) {
        self.len += frame.len() as u64;
        match plan {
            Plan::Fits => {}
            Plan::Share => {
                self.seal_tail();
                self.chunks.push(frame.clone());
                return;
            }
            Plan::Gather(capacity) => {
                self.seal_tail();
                self.tail = BytesMut::with_capacity(capacity);
            }
        }
        self.tail.extend_from_slice(frame);
    }

    fn seal_tail(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        if !tail.is_empty() {
            self.chunks.push(tail.freeze());
        }
    }

    /// The whole body.
    pub(super) fn finish(mut self) -> Vec<Bytes> {
        self.seal_tail();
        self.chunks
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c3_the_cost_covers_what_is_held_and_the_bytes_are_the_same() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..500 {
            let frames: Vec<Bytes> = (0..random.usize(0..20))
                .map(|_| (0..random.usize(1..=READ_BUFFER_MAX)).map(|i| i as u8).collect())
                .collect();
            let whole = frames.concat();
            let announced = random.bool().then_some(whole.len() as u64);
            let mut body = CopyBody::default();
            let mut paid = 0;
            for frame in &frames {
                let plan = body.plan(frame.len(), announced);
                paid += plan.cost();
                body.push(frame, plan);
            }
            assert!(paid >= whole.len() as u64);
            assert_eq!(body.len(), whole.len() as u64);
            assert_eq!(body.finish().concat(), whole);
        }
    }

    #[test]
    fn a_small_announced_body_costs_its_size_and_one_buffer() {
        let mut body = CopyBody::default();
        let plan = body.plan(1000, Some(1000));
        assert_eq!(plan, Plan::Gather(1000));
        body.push(&Bytes::from(vec![1; 1000]), plan);
        assert_eq!(body.finish().len(), 1);
    }
}
