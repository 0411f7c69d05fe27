//! `--watch`: notices that the configuration file has another content, once whoever writes it is done.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use crate::files::Seen;

/// The file as it was when it was last read.
#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    seen: Seen,
    content: u64,
    /// What it was at the last look, if that was something else.
    changing: Option<Seen>,
}

impl Watch {
    /// Takes the file as it is now. It may be read after this: a change in between is seen at the next look.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { seen: Seen::look(&path), content: hash(&path), path, changing: None }
    }

    /// Takes the file as it is now.
    pub(super) fn renew(&mut self) {
        *self = Self::new(std::mem::take(&mut self.path));
    }

    /// Whether the file has another content. Said when two looks after each other find it the same, so that nobody
    /// reads half of it; and once.
    pub(super) fn has_changed(&mut self) -> bool {
        let now = Seen::look(&self.path);
        if now == self.seen {
            self.changing = None;
            return false;
        }
        if self.changing.replace(now) != Some(now) {
            return false;
        }
        let before = self.content;
        self.renew();
        self.content != before
    }
}

/// A file that cannot be read has the content of none.
fn hash(path: &PathBuf) -> u64 {
    let mut hasher = DefaultHasher::new();
    std::fs::read(path).ok().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_it_is_complete() {
        let path = std::env::temp_dir().join(format!("mimir-mirror-watch-{}", std::process::id()));
        std::fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(path.clone());
        let looks = |watch: &mut Watch| [watch.has_changed(), watch.has_changed(), watch.has_changed()];
        assert_eq!(looks(&mut watch), [false; 3]);
        std::fs::write(&path, "").unwrap();
        assert!(!watch.has_changed(), "it is being written");
        std::fs::write(&path, "two and").unwrap();
        assert!(!watch.has_changed(), "it is being written");
        std::fs::write(&path, "two and more").unwrap();
        assert_eq!(looks(&mut watch), [false, true, false]);
        // As Kubernetes swaps one: another file under the same name.
        let beside = path.with_extension("new");
        std::fs::write(&beside, "two and more").unwrap();
        std::fs::rename(&beside, &path).unwrap();
        assert_eq!(looks(&mut watch), [false; 3], "its content is the same");
        std::fs::write(&beside, "three").unwrap();
        std::fs::rename(&beside, &path).unwrap();
        watch.renew();
        assert_eq!(looks(&mut watch), [false; 3], "it was read meanwhile");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(looks(&mut watch), [false, true, false], "it is gone");
    }
}
