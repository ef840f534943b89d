//! What a container with NICs gets beside its devices: locked memory without a limit, and a view of its NICs' network interfaces.

use std::path::Path;

use super::nri::{MEMLOCK, pb};
use crate::model::cdi::netdev_view;
use crate::model::isolation::container::{Container, NicNow, UNLIMITED};

/// Only what it lacks: two plugins that adjust the same fail the container.
pub fn of(container: &Container, nics: &[NicNow], sysfs: &Path) -> pb::ContainerAdjustment {
    let memlock = container.is_memlock_limited().then(|| pb::PosixRlimit {
        r#type: MEMLOCK.to_owned(),
        hard: UNLIMITED,
        soft: UNLIMITED,
    });
    let directories = nics.iter().filter_map(|nic| nic.directory.as_deref());
    // An interface that was moved into the pod would be hidden by the host's.
    let has_own = nics.iter().any(|nic| nic.directory.is_none());
    let has_view = container.mounted.contains(&netdev_view::class_in_container());
    let mounts = if has_view || has_own {
        Vec::new()
    } else {
        netdev_view::mounts(sysfs, directories)
    };
    let lacking = mounts
        .into_iter()
        .filter(|mount| !container.mounted.contains(&mount.container_path));
    pb::ContainerAdjustment {
        rlimits: memlock.into_iter().collect(),
        mounts: lacking
            .map(|mount| pb::Mount {
                destination: mount.container_path,
                r#type: "bind".to_owned(),
                source: mount.host_path,
                options: mount.options,
            })
            .collect(),
    }
}
