//! From the inventory to the spec. Pure: the same node gives the same spec.

use std::collections::BTreeSet;
use std::path::Path;

use super::KIND;
use super::environment::EnvironmentVariable;
use super::model::{CDI_VERSION, CdiDevice, CdiDeviceNode, ContainerEdits, Mount, Spec};
use super::naming::{self, Naming};
use super::netdev_view::{self, NetdevView};
use crate::model::nic::inventory::{Inventory, Library, Nic};
use crate::model::nic::selection::Selection;

/// How containers find the host's libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Expose {
    /// Under their sonames in the directories that loaders search by themselves; no environment is touched. For most images;
    /// a libfabric of the image in its LD_LIBRARY_PATH or in the loader's cache comes first, and musl does not look there
    #[default]
    LoaderPaths,
    /// At the host's paths, with LD_LIBRARY_PATH set, which REPLACES the image's own value. For images with a libfabric that
    /// must not be used; not for musl, which then finds what it cannot load
    Env,
    /// Under their sonames in /opt/cxi/lib64 and nowhere else: the image decides, by its own LD_LIBRARY_PATH or RPATH
    Private,
}

/// Where containers have the libraries with [`Expose::Private`].
const PRIVATE: &str = "/opt/cxi/lib64";

/// Where a loader looks first.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// What a site decides about containers, and so about the content of the spec.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// How libraries are made known.
    pub expose: Expose,
    /// What containers see of the NICs' netdevs.
    pub netdev_view: NetdevView,
    /// Added to every container; wins over our own variables.
    pub environment: Vec<EnvironmentVariable>,
    /// Which NICs are in it.
    pub selection: Selection,
    /// Which names they have.
    pub naming: Naming,
}

impl Policy {
    /// What the site's own LD_LIBRARY_PATH does, if it has one.
    pub fn replaced_library_path(&self) -> Option<&'static str> {
        let mut keys = self.environment.iter().map(EnvironmentVariable::key);
        keys.any(|key| key == LIBRARY_PATH).then_some(match self.expose {
            Expose::Env => "it replaces the value of the image, and that of libraries.expose",
            Expose::LoaderPaths | Expose::Private => "it replaces the value of the image",
        })
    }
}

/// The spec of a node; none when no NIC has a usable device node, since readers refuse a spec without devices.
pub fn spec(inventory: &Inventory, policy: &Policy) -> Option<Spec> {
    let nics: Vec<(&Nic, ContainerEdits)> = inventory
        .nics
        .iter()
        .filter(|nic| policy.selection.withheld(nic).is_none())
        .filter_map(|nic| Some((nic, device_edits(nic, inventory, policy)?)))
        .collect();
    if nics.is_empty() {
        return None;
    }
    let all = policy.naming.all.then(|| {
        let mut all = ContainerEdits::default();
        nics.iter().for_each(|(_, edits)| all.extend(edits));
        CdiDevice {
            name: naming::ALL.to_owned(),
            container_edits: all,
        }
    });
    let devices = nics
        .into_iter()
        .flat_map(|(nic, edits)| {
            let names = policy.naming.names(nic).into_iter();
            names.map(move |name| CdiDevice {
                name,
                container_edits: edits.clone(),
            })
        })
        .chain(all)
        .collect();
    Some(Spec {
        cdi_version: CDI_VERSION.to_owned(),
        kind: KIND.to_owned(),
        devices,
        container_edits: common_edits(inventory, policy),
    })
}

/// What a container gets for this NIC alone; none when it has no usable node.
pub fn device_edits(nic: &Nic, inventory: &Inventory, policy: &Policy) -> Option<ContainerEdits> {
    let (Ok(cxi), Ok(node)) = (&nic.cxi, &nic.node) else {
        return None;
    };
    // libcxi opens /dev/cxiN by the number it finds in sysfs, wherever the host keeps its nodes.
    let node = CdiDeviceNode {
        path: format!("/dev/{cxi}"),
        host_path: text(&node.path)?,
    };
    Some(ContainerEdits {
        device_nodes: vec![node],
        mounts: netdev_view::nic_mount(nic, inventory, policy.netdev_view)
            .into_iter()
            .collect(),
        ..ContainerEdits::default()
    })
}

/// What every container with a NIC gets.
pub fn common_edits(inventory: &Inventory, policy: &Policy) -> ContainerEdits {
    let mut environment = match policy.expose {
        Expose::LoaderPaths | Expose::Private => Vec::new(),
        Expose::Env => library_path(&inventory.libraries).into_iter().collect(),
    };
    environment.retain(|ours: &EnvironmentVariable| policy.environment.iter().all(|theirs| theirs.key() != ours.key()));
    environment.extend(policy.environment.iter().cloned());
    let companions = inventory.companion_nodes.iter().filter_map(|node| {
        Some(CdiDeviceNode {
            path: text(&node.container_path)?,
            host_path: text(&node.host_path)?,
        })
    });
    let mut mounts = library_mounts(&inventory.libraries, policy.expose);
    mounts.extend(netdev_view::class_mount(inventory, policy.netdev_view));
    ContainerEdits {
        env: environment.iter().map(ToString::to_string).collect(),
        device_nodes: companions.collect(),
        mounts,
    }
}

/// Read-only binds of the libraries, each container path once: the first library of a name wins.
fn library_mounts(libraries: &[Library], expose: Expose) -> Vec<Mount> {
    let mut taken = BTreeSet::new();
    libraries
        .iter()
        .flat_map(|library| {
            container_paths(library, expose)
                .into_iter()
                .map(move |path| (library, path))
        })
        .filter(|(_, path)| taken.insert(path.clone()))
        .filter_map(|(library, path)| Mount::read_only(&library.file, path.as_ref()))
        .collect()
}

fn container_paths(library: &Library, expose: Expose) -> Vec<String> {
    match expose {
        // The first is searched by loaders of the RPM family, the second by those of Debian's.
        Expose::LoaderPaths => ["/usr/lib64".to_owned(), format!("/usr/lib/{}", library.triplet)]
            .map(|directory| format!("{directory}/{}", library.soname))
            .into(),
        Expose::Env => library.paths.iter().filter_map(|path| text(path)).collect(),
        Expose::Private => vec![format!("{PRIVATE}/{}", library.soname)],
    }
}

/// LD_LIBRARY_PATH over the directories of the libraries, each once, in order.
fn library_path(libraries: &[Library]) -> Option<EnvironmentVariable> {
    let mut seen = BTreeSet::new();
    let directories: Vec<String> = libraries
        .iter()
        .flat_map(|library| &library.paths)
        .filter_map(|path| text(path.parent()?))
        .filter(|directory| seen.insert(directory.clone()))
        .collect();
    EnvironmentVariable::new(LIBRARY_PATH, &directories.join(":"))
        .ok()
        .filter(|_| !directories.is_empty())
}

/// CDI is text: a path that is not UTF-8 cannot be named in it.
fn text(path: &Path) -> Option<String> {
    path.to_str().map(str::to_owned)
}
