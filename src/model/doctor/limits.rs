//! How much memory containers may lock: libfabric pins what it sends, without a limit.

/// An upper bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// None.
    Unlimited,
    /// In bytes.
    Bytes(u64),
}

/// systemd's own default (`DefaultLimitMEMLOCK=`).
pub const SYSTEMD_DEFAULT: Limit = Limit::Bytes(8 << 20);

/// The soft limit in a text of `/proc/PID/limits`.
pub fn process_limit(limits: &str) -> Option<Limit> {
    let mut lines = limits.lines();
    let values = lines.find_map(|line| line.strip_prefix("Max locked memory"))?;
    match values.split_whitespace().next()? {
        "unlimited" => Some(Limit::Unlimited),
        bytes => bytes.parse().ok().map(Limit::Bytes),
    }
}

/// What `LimitMEMLOCK=` of a unit says; the last one counts. None where no file says anything.
pub fn unit_limit<'a>(files: impl IntoIterator<Item = &'a str>) -> Option<Limit> {
    let settings = files.into_iter().flat_map(str::lines);
    let values = settings.filter_map(|line| line.trim().strip_prefix("LimitMEMLOCK="));
    // Soft limit, or soft and hard one.
    let soft = values.last()?.split(':').next()?.trim();
    if soft == "infinity" {
        return Some(Limit::Unlimited);
    }
    let digits = soft.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match soft.strip_prefix(digits)? {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit).map(Limit::Bytes)
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unlimited => f.write_str("unlimited"),
            Self::Bytes(bytes) => write!(f, "{} KiB", bytes >> 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_counts() {
        let line = "Limit  Soft Limit  Hard Limit  Units\nMax locked memory         65536    unlimited    bytes\n";
        assert_eq!(process_limit(line), Some(Limit::Bytes(65536)));
        assert_eq!(
            process_limit(&line.replace("65536", "unlimited")),
            Some(Limit::Unlimited)
        );
        assert_eq!(process_limit("Max locked memory"), None);
        assert_eq!(process_limit(""), None);
    }

    #[test]
    fn the_last_setting_of_a_unit_counts() {
        let unit = "[Service]\nLimitMEMLOCK=64K\n";
        assert_eq!(unit_limit([unit]), Some(Limit::Bytes(65536)));
        assert_eq!(unit_limit([unit, "LimitMEMLOCK=infinity"]), Some(Limit::Unlimited));
        assert_eq!(unit_limit(["LimitMEMLOCK=8M:infinity"]), Some(SYSTEMD_DEFAULT));
        assert_eq!(unit_limit(["[Service]"]), None);
        assert_eq!(unit_limit(["LimitMEMLOCK=99999999999999G"]), None);
    }
}
