//! How much a search for libraries may take in all. Real hosts and images stay far below; one that was made to have no end
//! is cut, and that is said. Pure.

use std::path::Path;

/// Libraries that are loaded together, or asked for and missing.
pub const LIBRARIES: usize = 512;
/// Places that are looked at: a directory for each library and each entry of a search path.
const PLACES: usize = 65_536;
/// Files that are read.
const FILES: usize = 4096;
/// Names in a path that cost no more than a look.
const DEPTH: usize = 8;

/// What is left of it.
#[derive(Debug)]
pub struct Effort {
    places: usize,
    files: usize,
    cut: Option<String>,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            places: PLACES,
            files: FILES,
            cut: None,
        }
    }
}

impl Effort {
    /// One entry of a search path; false when nothing more is to be looked at.
    pub fn entry(&mut self) -> bool {
        self.spend(1)
    }

    /// One place; false when it is not to be looked at.
    pub fn place(&mut self, path: &Path) -> bool {
        self.spend(1 + path.components().count() / DEPTH)
    }

    /// One file was read.
    pub fn file(&mut self) {
        self.files = self.files.saturating_sub(1);
        if self.files == 0 {
            self.end(format!("more than {FILES} files to read"));
        }
    }

    /// It ends here.
    pub fn end(&mut self, cut: String) {
        self.cut.get_or_insert(cut);
    }

    /// What was too much.
    pub fn cut(&self) -> Option<&str> {
        self.cut.as_deref()
    }

    fn spend(&mut self, places: usize) -> bool {
        match self.places.checked_sub(places) {
            Some(left) if self.cut.is_none() => {
                self.places = left;
                true
            }
            _ => {
                self.end(format!("more than {PLACES} places to look at"));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_named_once_and_ends_all() {
        let mut effort = Effort::default();
        let looked = (0..100_000)
            .take_while(|_| effort.place(Path::new("/usr/lib64/libx.so")))
            .count();
        assert_eq!(
            (looked, effort.cut()),
            (PLACES, Some("more than 65536 places to look at"))
        );
        assert!(!effort.entry());
        let mut effort = Effort::default();
        (0..FILES).for_each(|_| effort.file());
        assert_eq!(effort.cut(), Some("more than 4096 files to read"));
        assert!(!effort.place(Path::new("/")));
    }
}
