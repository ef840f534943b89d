//! What the environment of a container says to libfabric, and what of it cannot be had there.

use std::collections::BTreeMap;

use super::facts::{ContainerFacts, NicInContainer};
use super::finding::ContainerFinding;
use super::node::node_fault;
use crate::model::health::Verdict;

type Environment = BTreeMap<String, String>;

/// Links of the provider lnx, by its present name and its first one.
const LINKS: [&str; 2] = ["FI_LNX_PROV_LINKS", "FI_LINKX_PROV_LINKS"];
/// The provider that links others, by both names.
const LNX: [&str; 2] = ["lnx", "linkx"];
/// How libfabric hears that registered memory goes away.
const MONITOR: &str = "FI_MR_CACHE_MONITOR";

/// What holds for all NICs.
pub(super) fn findings(
    container: &ContainerFacts,
    environment: &Environment,
    views: &[NicInContainer],
) -> Vec<ContainerFinding> {
    let provider = environment.get("FI_PROVIDER").and_then(|list| {
        let reason = other_providers(list, environment)?;
        Some(ContainerFinding::new(Verdict::Fail, "provider", reason))
    });
    let monitor = environment.get(MONITOR).and_then(|monitor| {
        let fault = monitor_fault(monitor, container)?;
        let reason = format!("{MONITOR}={monitor} cannot work here, so registrations of memory are not kept: {fault}");
        Some(ContainerFinding::new(Verdict::Warn, "mr-cache-monitor", reason))
    });
    let lacking = environment.get("SLINGSHOT_DEVICES").and_then(|list| {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let lacking: Vec<&str> = names.filter(|name| !has(views, name)).collect();
        let reason = format!(
            "SLINGSHOT_DEVICES={list} names what is not in this container: {}",
            lacking.join(", ")
        );
        (!lacking.is_empty()).then(|| ContainerFinding::new(Verdict::Warn, "slingshot-devices", reason))
    });
    provider.into_iter().chain(lacking).chain(monitor).collect()
}

/// Whether the container has a device node of this name that is a NIC's.
fn has(views: &[NicInContainer], name: &str) -> bool {
    views.iter().any(|view| {
        let called = view.old_name.as_ref().or(view.nic.cxi.as_ref());
        called.is_some_and(|called| called == name) && matches!(view.node, Ok(Some(_)) | Err(_))
    })
}

/// Why libfabric is not to use cxi.
fn other_providers(list: &str, environment: &Environment) -> Option<String> {
    if names_cxi(list) {
        return None;
    }
    let told = format!("libfabric is told to use other providers: FI_PROVIDER={list}");
    if !list.starts_with('^') && names(list).any(|name| LNX.iter().any(|lnx| lnx.eq_ignore_ascii_case(name))) {
        let links = LINKS
            .iter()
            .find_map(|variable| Some((variable, environment.get(*variable)?)));
        return match links {
            Some((_, links)) if linked(links).any(|(provider, _)| provider == "cxi") => None,
            Some((variable, links)) => Some(format!("{told}, which links others: {variable}={links}")),
            None => Some(format!("{told}, which links none: {} is not set", LINKS.join(" or "))),
        };
    }
    Some(told)
}

/// A list of providers that are wanted, or with `^` in front of those that are not (`fabric(7)`); `shm+cxi:lnx` names those
/// that lnx links, too.
fn names_cxi(list: &str) -> bool {
    let (list, wanted) = list
        .strip_prefix('^')
        .map_or((list, true), |unwanted| (unwanted, false));
    names(list).any(|name| name.eq_ignore_ascii_case("cxi")) == wanted
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ';', '+', ':']).map(str::trim)
}

/// Each provider of links as `shm+cxi:cxi0,cxi1|shm+cxi:cxi2`, with the domains that it is to use; none for all (`fi_lnx(7)`).
fn linked(links: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let providers = links.split('|').flat_map(|link| link.split('+'));
    providers.map(|provider| match provider.split_once(':') {
        Some((provider, domains)) => (provider.trim(), Some(domains)),
        None => (provider.trim(), None),
    })
}

/// A variable by which libfabric is told to use other NICs than this one, with its value.
pub(super) fn other_devices(cxi: &str, environment: &Environment) -> Option<(&'static str, String)> {
    if let Some(wanted) = environment
        .get("FI_CXI_DEVICE_NAME")
        .filter(|wanted| !wanted.contains(cxi))
    {
        return Some(("FI_CXI_DEVICE_NAME", wanted.clone()));
    }
    let provider = environment.get("FI_PROVIDER")?;
    if provider.starts_with('^') || !names(provider).any(|name| LNX.contains(&name)) {
        return None;
    }
    let (variable, links) = LINKS
        .iter()
        .find_map(|variable| Some((*variable, environment.get(*variable)?)))?;
    let mut domains = linked(links).filter(|(provider, _)| *provider == "cxi").peekable();
    domains.peek()?;
    let is_linked = |(_, domains): (&str, Option<&str>)| {
        domains.is_none_or(|domains| domains.split(',').any(|domain| domain.trim() == cxi))
    };
    (!domains.any(is_linked)).then(|| (variable, links.clone()))
}

/// Why a monitor cannot work in the container.
fn monitor_fault(monitor: &str, container: &ContainerFacts) -> Option<String> {
    match monitor {
        "kdreg2" => match &container.kdreg2 {
            Err(read_error) => Some(format!("whether it has /dev/kdreg2 cannot be told ({read_error})")),
            Ok((None, _)) => Some("there is no /dev/kdreg2 in the container".to_owned()),
            Ok((Some(node), host)) => {
                let (_, reason) = node_fault(node, *host, &container.identity)?;
                Some(format!("/dev/kdreg2: {reason}"))
            }
        },
        "userfaultfd" | "uffd" => {
            let faults = &container.userfaultfd;
            if faults.is_filtered {
                Some("a seccomp filter holds for it, and that of runtimes refuses userfaultfd".to_owned())
            } else if !faults.is_permitted {
                let sysctl = "vm.unprivileged_userfaultfd is not 1, and the process lacks CAP_SYS_PTRACE";
                Some(sysctl.to_owned())
            } else {
                None
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter();
        variables
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn lnx_uses_cxi_where_its_links_name_it() {
        for (provider, links, uses) in [
            ("cxi", "", true),
            ("tcp,cxi", "", true),
            ("cxi;ofi_rxm", "", true),
            ("^tcp", "", true),
            ("^cxi", "", false),
            ("tcp", "", false),
            ("lnx", "shm+cxi", true),
            ("linkx", "shm+cxi", true),
            ("lnx", "shm+cxi:cxi0|shm+cxi:cxi1", true),
            ("lnx", "cxi:cxi0,cxi1", true),
            ("shm+cxi:lnx", "", true),
            ("lnx", "shm+tcp", false),
            ("lnx", "", false),
            ("tcp", "shm+cxi", false),
            ("^lnx", "shm+tcp", true),
        ] {
            let mut environment = environment(&[("FI_LNX_PROV_LINKS", links)]);
            environment.retain(|_, value| !value.is_empty());
            let reason = other_providers(provider, &environment);
            assert_eq!(reason.is_none(), uses, "{provider} {links}: {reason:?}");
        }
    }

    #[test]
    fn links_with_domains_leave_other_nics_out() {
        for (links, cxi, variable) in [
            ("shm+cxi", "cxi0", None),
            ("shm+cxi:cxi0|shm+cxi:cxi1", "cxi1", None),
            ("cxi:cxi0,cxi1", "cxi1", None),
            ("shm+cxi:cxi10", "cxi1", Some("FI_LNX_PROV_LINKS")),
        ] {
            let environment = environment(&[("FI_PROVIDER", "lnx"), ("FI_LNX_PROV_LINKS", links)]);
            let other = other_devices(cxi, &environment).map(|(variable, _)| variable);
            assert_eq!(other, variable, "{links} {cxi}");
        }
        let by_name = environment(&[("FI_CXI_DEVICE_NAME", "cxi0")]);
        assert!(other_devices("cxi1", &by_name).is_some() && other_devices("cxi0", &by_name).is_none());
    }
}
