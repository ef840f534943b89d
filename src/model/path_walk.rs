//! The way from the top of a file system to what a path leads to, with links followed as the kernel follows them. Whoever
//! watches or follows a path is told of each name on that way.

use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows.
const LINK_LIMIT: usize = 40;

/// Why a way has no end.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop<E> {
    /// More links than the kernel follows: a circle, as a rule.
    TooManyLinks,
    /// What was asked about the name could not be answered.
    At(PathBuf, E),
}

/// Goes along an absolute path. `link_at` is asked about each name in turn, by a path without links, and says where it
/// leads if it is a link. What is returned has no links.
pub fn walk<E>(path: &Path, mut link_at: impl FnMut(&Path) -> Result<Option<PathBuf>, E>) -> Result<PathBuf, Stop<E>> {
    let mut real = PathBuf::from("/");
    let mut pending = path.to_owned();
    let mut links = 0;
    loop {
        let mut names = pending.components();
        let Some(name) = names.next() else { return Ok(real) };
        let rest = names.as_path().to_owned();
        pending = match name {
            Component::RootDir => {
                real = PathBuf::from("/");
                rest
            }
            Component::ParentDir => {
                real.pop();
                rest
            }
            Component::CurDir | Component::Prefix(_) => rest,
            Component::Normal(name) => {
                let next = real.join(name);
                match link_at(&next) {
                    Err(error) => return Err(Stop::At(next, error)),
                    Ok(None) => {
                        real = next;
                        rest
                    }
                    Ok(Some(_)) if links == LINK_LIMIT => return Err(Stop::TooManyLinks),
                    Ok(Some(target)) => {
                        links += 1;
                        target.join(rest)
                    }
                }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The names that are asked about, and the end.
    fn walked(path: &str, links: &[(&str, &str)]) -> (Vec<String>, Result<PathBuf, Stop<()>>) {
        let links: BTreeMap<PathBuf, PathBuf> = links.iter().map(|(at, to)| (at.into(), to.into())).collect();
        let mut asked = Vec::new();
        let end = walk(Path::new(path), |at| {
            asked.push(at.display().to_string());
            if at.ends_with("missing") {
                return Err(());
            }
            Ok(links.get(at).cloned())
        });
        (asked, end)
    }

    #[test]
    fn each_name_is_asked_about_in_its_directory() {
        let (asked, end) = walked("/var/lib/./kubelet/", &[]);
        assert_eq!(asked, ["/var", "/var/lib", "/var/lib/kubelet"]);
        assert_eq!(end, Ok("/var/lib/kubelet".into()));
        assert_eq!(walked("/", &[]).1, Ok("/".into()));
    }

    #[test]
    fn links_lead_on_absolute_relative_upwards_and_in_chains() {
        let links = [
            ("/var/run", "../run"),
            ("/run/cdi", "/data/one"),
            ("/data/one", "two/../three"),
        ];
        let (asked, end) = walked("/var/run/cdi/x", &links);
        let way = [
            "/var",
            "/var/run",
            "/run",
            "/run/cdi",
            "/data",
            "/data/one",
            "/data/two",
            "/data/three",
            "/data/three/x",
        ];
        assert_eq!(asked, way);
        assert_eq!(end, Ok("/data/three/x".into()));
        // Nothing is above the top.
        assert_eq!(walked("/a/b", &[("/a", "../../../c")]).1, Ok("/c/b".into()));
    }

    #[test]
    fn what_is_missing_ends_the_way_where_it_would_appear() {
        let (asked, end) = walked("/var/missing/kubelet", &[]);
        assert_eq!(asked, ["/var", "/var/missing"]);
        assert_eq!(end, Err(Stop::At("/var/missing".into(), ())));
    }

    #[test]
    fn a_circle_ends_where_the_kernel_ends() {
        let (asked, end) = walked("/a/x", &[("/a", "b"), ("/b", "a")]);
        assert_eq!((asked.len(), end), (41, Err(Stop::TooManyLinks)));
        let chain: Vec<_> = (0..40).map(|n| (format!("/{n}"), (n + 1).to_string())).collect();
        let chain: Vec<_> = chain.iter().map(|(at, to)| (at.as_str(), to.as_str())).collect();
        assert_eq!(walked("/0", &chain).1, Ok("/40".into()));
    }
}
