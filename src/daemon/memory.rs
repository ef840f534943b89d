//! What is freed goes back to the system: a node runs this daemon for months, beside programs that want the memory.

/// To be called once, before there are other threads.
#[cfg(target_env = "gnu")]
pub fn give_back() {
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
pub fn give_back() {}
