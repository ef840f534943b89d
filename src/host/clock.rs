//! The time of day.

use std::time::SystemTime;

/// In Unix seconds; 0 for a clock that stands before 1970.
pub fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
