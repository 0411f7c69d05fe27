//! What a target found worth keeping, read again without a fuzzer: each file, and the same with random damage from a
//! fixed seed.

use std::fs;
use std::path::Path;

/// Runs `target` on every file of a folder of `fuzz/corpus`, and so many times on one of them with damage.
pub(crate) fn replay(root: &str, folder: &str, times: usize, target: impl Fn(&[u8])) {
    let folder = Path::new(root).join("fuzz/corpus").join(folder);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().for_each(|file| target(file));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..times {
        target(&random.damaged(&files));
    }
}

/// Numbers that look random, always the same (xorshift).
struct Random(u64);

impl Random {
    /// Below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << by } else { self.0 >> by };
        }
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    /// One of the files, with one to four changes.
    fn damaged(&mut self, files: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = files[self.below(files.len())].clone();
        for _ in 0..=self.below(4) {
            let (from, other) = (self.below(bytes.len() + 1), self.below(files.len()));
            let to = (from + self.below(16)).min(bytes.len());
            match self.below(5) {
                0 => drop(bytes.drain(from..to)),
                1 => bytes.insert(from, u8::try_from(self.below(256)).unwrap()),
                2 => bytes[from..to].fill(u8::try_from(self.below(256)).unwrap()),
                3 => {
                    let piece = bytes[from..to].to_vec();
                    drop(bytes.splice(from..from, piece));
                }
                _ => {
                    let at = self.below(files[other].len() + 1);
                    bytes.truncate(from);
                    bytes.extend_from_slice(&files[other][at..]);
                }
            }
        }
        bytes
    }
}
