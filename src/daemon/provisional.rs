//! Until the configuration is here: its `[health]` table, read without care. To be deleted with the flag `--config`.

use std::path::Path;
use std::time::Duration;

use crate::health::HealthPolicy;

/// The policy that a file asks for.
pub fn policy(file: Option<&Path>) -> HealthPolicy {
    let mut policy = HealthPolicy::default();
    let text = file
        .and_then(|file| crate::host::spec_files::text(file).ok())
        .unwrap_or_default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        let duration = || {
            let number = |text: &str| text.parse().unwrap_or(0);
            match value.strip_suffix("ms") {
                Some(ms) => Duration::from_millis(number(ms)),
                None => Duration::from_secs(number(value.trim_end_matches('s'))),
            }
        };
        match key {
            "hold_down" => policy.hold_down = duration(),
            "hold_up" => policy.hold_up = duration(),
            name => {
                let _ = value.parse().map(|action| policy.set(name, action));
            }
        }
    }
    policy
}
