//! The notes of whoever tries to end services that the driver does not let go of: a file for each, in the daemon's own directory,
//! which lasts until the next boot, as services do at most.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::host::files::held_dir::HeldDir;
use crate::host::files::{atomic_file, read};
use crate::model::nic::pci::PciAddress;
use crate::model::services::lingering::Ending;

/// Far above the services of all NICs; stops a directory without end.
const COUNT_LIMIT: usize = 4096;

/// Where they are, below the daemon's own directory.
pub fn directory(run_dir: &Path) -> PathBuf {
    run_dir.join("ending")
}

/// Keeps one.
///
/// # Errors
/// What the system says, as a whole text.
pub fn keep(directory: &Path, nic: &str, ending: &Ending) -> Result<(), String> {
    let cannot = |error: io::Error| format!("cannot write into {}: {error}", directory.display());
    atomic_file::make_directory(directory).map_err(cannot)?;
    let held = HeldDir::open(directory).map_err(cannot)?;
    let kept = atomic_file::replace(&held.path(), &name(nic, ending.id()), None, ending.text().as_bytes());
    kept.map(drop).map_err(|error| held.named(&error.to_string()))
}

/// Throws one away, if it is there: the service is gone.
pub fn forget(directory: &Path, nic: &str, service: u32) {
    if let Ok(held) = HeldDir::open(directory) {
        // What stays names a service that is not there, which nobody believes.
        let _ = atomic_file::remove(&held.path(), &name(nic, service));
    }
}

/// Those about this NIC; none where they cannot be read.
pub fn of(directory: &Path, nic: PciAddress) -> Vec<Ending> {
    let Ok(held) = HeldDir::open(directory) else {
        return Vec::new();
    };
    let nic = nic.to_string();
    let entries = fs::read_dir(held.path()).into_iter().flatten().take(COUNT_LIMIT);
    let notes = entries.flatten().filter_map(|entry| {
        let file = entry.file_name().into_string().ok()?;
        let text = read::text(&held.path().join(&file)).ok()?;
        Ending::parse(&text).filter(|ending| name(&nic, ending.id()) == file)
    });
    notes.collect()
}

fn name(nic: &str, service: u32) -> String {
    format!("{nic}-{service}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::model::services::default_service::Life;
    use crate::model::services::descriptor::{Descriptor, SIZE};

    fn ending(id: u32) -> Ending {
        let descriptor = Descriptor {
            id,
            ..Descriptor::default()
        };
        let hex: String = descriptor.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex.len(), 2 * SIZE);
        Ending::parse(&format!("cxi0 7 1000 {hex}")).unwrap()
    }

    #[test]
    fn a_note_is_kept_for_its_nic_until_it_is_thrown_away_and_nothing_else_is_one() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = directory(scratch.path());
        let [one, other] = ["0000:21:00.0", "0000:61:00.0"];
        assert_eq!(of(&directory, one.parse().unwrap()), []);
        forget(&directory, one, 3);
        keep(&directory, one, &ending(3)).unwrap();
        keep(&directory, one, &ending(4)).unwrap();
        keep(&directory, other, &ending(5)).unwrap();
        fs::write(directory.join(format!("{one}-9")), "rubbish").unwrap();
        fs::write(directory.join(format!("{one}-8")), ending(3).text()).unwrap();
        symlink("/dev/zero", directory.join(format!("{one}-7"))).unwrap();
        let ids = |nic: &str| {
            let mut ids: Vec<u32> = of(&directory, nic.parse().unwrap()).iter().map(Ending::id).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!((ids(one), ids(other)), (vec![3, 4], vec![5]));
        forget(&directory, one, 3);
        assert_eq!((ids(one), ids(other)), (vec![4], vec![5]));
        let life = Life {
            cxi: "cxi0".to_owned(),
            instance: 7,
        };
        assert_eq!(of(&directory, one.parse().unwrap())[0].life, life);
    }
}
