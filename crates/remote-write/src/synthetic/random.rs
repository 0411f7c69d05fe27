//! A mixing function instead of a random number generator: any series at any round, without the ones before.

/// Maps 64 bits to 64 bits one to one, so that neighbours look unrelated (the finaliser of `SplitMix64`).
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Writes a number as two groups of letters, as Kubernetes ends a pod's name; different for different numbers.
pub(super) fn pod_suffix(number: u64) -> String {
    const LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";
    // 27 letters to the power of 14 exceed 64 bits, so 9 and 5 of them lose nothing.
    let digits = std::iter::successors(Some(number), |rest| Some(rest / 27)).take(14);
    let mut text: String = digits.filter_map(|rest| LETTERS.chars().nth((rest % 27) as usize)).collect();
    text.insert(9, '-');
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn suffixes_have_a_pods_shape_and_never_meet() {
        let numbers = (0..5_000).chain(u64::MAX - 5_000..=u64::MAX);
        let suffixes: HashSet<String> = numbers.map(|number| pod_suffix(mix(number))).collect();
        assert_eq!(suffixes.len(), 10_001);
        assert!(suffixes.iter().all(|s| s.len() == 15 && s.find('-') == Some(9)));
    }
}
