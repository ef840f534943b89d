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
use crate::model::reading::ReadError;

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
        Expose::Env => library_path(inventory).into_iter().collect(),
    };
    environment.retain(|ours: &EnvironmentVariable| policy.environment.iter().all(|theirs| theirs.key() != ours.key()));
    environment.extend(policy.environment.iter().cloned());
    let companions = inventory.companion_nodes.iter().filter_map(|node| {
        Some(CdiDeviceNode {
            path: text(&node.container_path)?,
            host_path: text(&node.host_path)?,
        })
    });
    let mut mounts = library_mounts(inventory, policy.expose);
    mounts.extend(netdev_view::class_mount(inventory, policy.netdev_view));
    ContainerEdits {
        env: environment.iter().map(ToString::to_string).collect(),
        device_nodes: companions.collect(),
        mounts,
    }
}

/// What containers do not get because no LD_LIBRARY_PATH can name where it is, for an admin.
pub fn problems(inventory: &Inventory, policy: &Policy) -> Vec<ReadError> {
    if policy.expose != Expose::Env {
        return Vec::new();
    }
    let unnameable = directories(inventory).filter(|directory| !is_nameable(directory));
    let distinct: BTreeSet<&Path> = unnameable.collect();
    let problem = |directory: &Path| {
        let reason = format!(
            "LD_LIBRARY_PATH cannot name {}, as it separates directories by ':' and ';': containers do not get its libraries \
             this way; use --expose loader-paths (libraries.expose), or a link to it of another name",
            directory.display()
        );
        ReadError::new(directory, reason)
    };
    distinct.into_iter().map(problem).collect()
}

/// Read-only binds of the libraries, each container path once: the first library of a name wins.
fn library_mounts(inventory: &Inventory, expose: Expose) -> Vec<Mount> {
    let whole = whole_directory(inventory, expose);
    let is_within = |library: &Library| {
        let whole = inventory.library_directory.as_ref();
        whole.is_some_and(|directory| library.file.parent() == Some(&directory.host))
    };
    let mut taken = BTreeSet::new();
    let single = inventory.libraries.iter().flat_map(|library| {
        // What is in the directory is found there.
        let paths = match expose {
            Expose::Env | Expose::Private if !whole.is_empty() && is_within(library) => asked_by_path(library),
            Expose::LoaderPaths | Expose::Env | Expose::Private => container_paths(library, expose),
        };
        paths.into_iter().map(move |path| (library, path))
    });
    let single = single
        .filter(|(_, path)| taken.insert(path.clone()))
        .filter_map(|(library, path)| Mount::read_only(&library.file, path.as_ref()));
    whole.iter().cloned().chain(single).collect()
}

/// The directory that containers get as a whole, where its libraries look for each other, and where programs do.
fn whole_directory(inventory: &Inventory, expose: Expose) -> Vec<Mount> {
    let Some(directory) = &inventory.library_directory else {
        return Vec::new();
    };
    let is_whole = |library: &Library| library.file.parent() == Some(&directory.host);
    let mut places = vec![directory.container.as_path()];
    // What is elsewhere could not be added to it.
    if expose == Expose::Private && inventory.libraries.iter().all(is_whole) {
        places.retain(|place| *place != directory.host);
        places.insert(0, Path::new(PRIVATE));
    }
    if expose == Expose::Env && !is_nameable(&directory.container) {
        return Vec::new();
    }
    let mounts = places
        .into_iter()
        .filter_map(|place| Mount::read_only(&directory.host, place));
    mounts.collect()
}

fn container_paths(library: &Library, expose: Expose) -> Vec<String> {
    let mut paths: Vec<String> = match expose {
        // The first is searched by loaders of the RPM family, the second by those of Debian's.
        Expose::LoaderPaths => ["/usr/lib64".to_owned(), format!("/usr/lib/{}", library.triplet)]
            .map(|directory| format!("{directory}/{}", library.soname))
            .into(),
        Expose::Env => {
            let nameable = library
                .paths
                .iter()
                .filter(|path| path.parent().is_some_and(is_nameable));
            nameable.filter_map(|path| text(path)).collect()
        }
        Expose::Private => vec![format!("{PRIVATE}/{}", library.soname)],
    };
    paths.extend(asked_by_path(library));
    paths
}

fn asked_by_path(library: &Library) -> Vec<String> {
    library.asked_by_path.iter().filter_map(|path| text(path)).collect()
}

/// The directories that programs are to search, in order.
fn directories(inventory: &Inventory) -> impl Iterator<Item = &Path> {
    let whole = inventory.library_directory.as_ref();
    let is_within = move |library: &&Library| whole.is_some_and(|whole| library.file.parent() == Some(&whole.host));
    let single = inventory.libraries.iter().filter(move |library| !is_within(library));
    let paths = single.flat_map(|library| &library.paths);
    whole
        .map(|whole| whole.container.as_path())
        .into_iter()
        .chain(paths.filter_map(|path| path.parent()))
}

/// glibc takes both for the end of a directory's name (`fillin_rpath`).
fn is_nameable(directory: &Path) -> bool {
    directory.to_str().is_some_and(|text| !text.contains([':', ';']))
}

/// LD_LIBRARY_PATH over the directories of the libraries, each once, in order.
fn library_path(inventory: &Inventory) -> Option<EnvironmentVariable> {
    let mut seen = BTreeSet::new();
    let directories: Vec<String> = directories(inventory)
        .filter(|directory| is_nameable(directory))
        .filter_map(text)
        .filter(|directory| seen.insert(directory.clone()))
        .collect();
    EnvironmentVariable::new("LD_LIBRARY_PATH", &directories.join(":"))
        .ok()
        .filter(|_| !directories.is_empty())
}

/// CDI is text: a path that is not UTF-8 cannot be named in it.
fn text(path: &Path) -> Option<String> {
    path.to_str().map(str::to_owned)
}
