//! What a demo has shown, in one sentence and one bit.

use super::compare::Difference;
use super::fault::Fault;

/// How things stood at the end, with nothing under way any more.
pub(super) struct Verdict {
    /// Samples that the primary holds.
    pub(super) samples: u64,
    pub(super) difference: Difference,
    /// The secondary's state.
    pub(super) state: Fault,
}

impl Verdict {
    /// Both clusters hold the same, and that is more than nothing; the secondary is healthy.
    pub(super) fn is_good(&self) -> bool {
        self.samples > 0 && self.difference.is_none() && self.state == Fault::None
    }

    pub(super) fn sentence(&self) -> String {
        let Difference { lacks, extra, unequal, series } = self.difference;
        let mut sentence = if self.samples == 0 {
            "verdict: nothing was written".to_owned()
        } else if series == 0 {
            "verdict: both clusters hold the same series and samples".to_owned()
        } else {
            format!("verdict: NOT the same in {series} series: the secondary lacks {lacks} samples")
        };
        if extra > 0 {
            sentence.push_str(&format!(", holds {extra} that the primary does not"));
        }
        if unequal > 0 {
            sentence.push_str(&format!(", {unequal} series have as many samples but not the same ones"));
        }
        if self.state != Fault::None {
            sentence.push_str(&format!("; the secondary {}", self.state.sentence()));
        }
        sentence + "."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(samples: u64, difference: Difference, state: Fault) -> Verdict {
        Verdict { samples, difference, state }
    }

    #[test]
    fn only_the_same_and_healthy_and_not_nothing_is_good() {
        let lacks = Difference { lacks: 3, series: 2, ..Difference::default() };
        assert!(verdict(1, Difference::default(), Fault::None).is_good());
        assert!(!verdict(0, Difference::default(), Fault::None).is_good());
        assert!(!verdict(1, lacks, Fault::None).is_good());
        assert!(!verdict(1, Difference::default(), Fault::Slow).is_good());
    }

    #[test]
    fn the_sentence_names_every_difference() {
        let difference = Difference { lacks: 3, extra: 4, unequal: 1, series: 6 };
        assert_eq!(
            verdict(9, difference, Fault::Hang).sentence(),
            "verdict: NOT the same in 6 series: the secondary lacks 3 samples, holds 4 that the primary does not, \
             1 series have as many samples but not the same ones; the secondary reads requests and answers none."
        );
    }
}
