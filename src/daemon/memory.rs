//! What is not needed any more goes back to the system: a node runs this daemon for months, beside programs that want the
//! memory.

use std::ops::Range;
use std::path::Path;

use crate::host::files::read;

/// To be called once, before there are other threads: what is freed does not stay with us.
#[cfg(target_env = "gnu")]
pub fn keep_little() {
    use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, mallopt};

    /// Freed memory at the end of the heap that may stay, and the size from which memory is not of the heap at all. Setting
    /// them also ends that the allocator raises both with each large piece it gets back.
    const KEPT: i32 = 64 * 1024;
    // One heap for all threads: they seldom want memory at the same time, and each heap keeps what was freed in it.
    for (option, value) in [(M_ARENA_MAX, 1), (M_TRIM_THRESHOLD, KEPT), (M_MMAP_THRESHOLD, KEPT)] {
        #[expect(unsafe_code, reason = "glibc has no other way to say it")]
        // SAFETY: mallopt takes two numbers and touches the allocator's settings alone; it refuses what it does not know.
        let _ = unsafe { mallopt(option, value) };
    }
}

/// Other allocators do so by themselves.
#[cfg(not(target_env = "gnu"))]
pub fn keep_little() {}

/// Gives back holes in the heap, and what is mapped of programs' files: the kernel maps whole neighbourhoods of what is used, so
/// in the end nearly all. What is needed again is mapped again from the page cache.
pub fn forget_unused() {
    trim();
    let maps = read::text_of_kernel(Path::new("/proc/self/maps"), 1 << 20).unwrap_or_default();
    for part in maps.lines().filter_map(unwritten) {
        #[expect(unsafe_code, reason = "memory is named by its address")]
        // SAFETY: these pages are mapped from a file, private, and nobody can have written to them: each that is wanted again
        // is read from the file as it was.
        let _ = unsafe { nix::libc::madvise(part.start as *mut _, part.len(), nix::libc::MADV_DONTNEED) };
    }
}

/// Whether so much of the heap is free that it is worth a [`trim`].
pub fn is_lavish() -> bool {
    #[cfg(target_env = "gnu")]
    {
        /// Beyond what a look at many NICs takes and frees again.
        const LAVISH: i32 = 1024 * 1024;
        #[expect(
            unsafe_code,
            reason = "glibc has no other way to say it; mallinfo2 is younger than the oldest glibc we run on"
        )]
        // SAFETY: mallinfo reads the allocator's counters under its own locks.
        let free = unsafe { nix::libc::mallinfo() }.fordblks;
        // Beyond 2 GiB the counter turns negative.
        !(0..=LAVISH).contains(&free)
    }
    #[cfg(not(target_env = "gnu"))]
    false
}

/// Gives back the holes that something large has left in the heap.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "glibc has no other way to say it")]
    // SAFETY: malloc_trim gives back only pages that hold nothing that is allocated.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// The addresses of a line of `/proc/self/maps` that is a part of a file which nobody can have written to: code, or what comes
/// with the file's own beginning. Other parts that are read-only now were written to by the loader (RELRO).
fn unwritten(line: &str) -> Option<Range<usize>> {
    let mut parts = line.split_whitespace();
    let (range, mode) = (parts.next()?, parts.next()?);
    let offset = u64::from_str_radix(parts.next()?, 16).ok()?;
    let is_of_file = parts.nth(2)?.starts_with('/');
    let is_unwritten = mode == "r-xp" || (mode == "r--p" && offset == 0);
    let (start, end) = range.split_once('-')?;
    let address = |hex: &str| usize::from_str_radix(hex, 16).ok();
    (is_unwritten && is_of_file).then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_can_have_written_is_forgotten() {
        let at = |mode: &str, offset: u64, name: &str| format!("7f00-8000 {mode} {offset:08x} fe:00 42      {name}");
        let line = |mode: &str, name: &str| at(mode, 0x1000, name);
        assert_eq!(unwritten(&line("r-xp", "/usr/bin/x")), Some(0x7f00..0x8000));
        assert_eq!(unwritten(&at("r--p", 0, "/usr/bin/x")), Some(0x7f00..0x8000));
        for other in ["r--p", "rw-p", "rwxp", "r-xs"] {
            assert_eq!(unwritten(&line(other, "/usr/bin/x")), None, "{other}");
        }
        for other in ["rw-p", "r--s"] {
            assert_eq!(unwritten(&at(other, 0, "/usr/bin/x")), None, "{other}");
        }
        assert_eq!(unwritten(&line("r-xp", "[vdso]")), None);
        assert_eq!(unwritten(&line("r-xp", "")), None);
        // Whoever runs on is seen to have its code.
        forget_unused();
    }
}
