//! Names of extended resources.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Name of an extended resource, checked by kubelet's rules (`IsExtendedResourceName`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceName(String);

/// Why a text is no extended resource name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{name}' is not an extended resource name such as beta.hpe.com/cxi: {reason}")]
pub struct InvalidResourceName {
    name: String,
    reason: &'static str,
}

impl ResourceName {
    /// Variable in which a pod finds the PCI addresses of its NICs, by the convention of the SR-IOV device plugin.
    pub fn environment_variable(&self) -> String {
        let name: String = self
            .0
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_uppercase()
                } else {
                    '_'
                }
            })
            .collect();
        format!("PCIDEVICE_{name}")
    }

    /// Eight hexadecimal digits that tell this resource from others in file names (FNV-1a, stable over releases).
    pub fn short_hash(&self) -> String {
        let hash = self.0.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        format!("{hash:08x}")
    }
}

impl Default for ResourceName {
    fn default() -> Self {
        Self("beta.hpe.com/cxi".to_owned())
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ResourceName {
    type Err = InvalidResourceName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        check(name).map_err(|reason| InvalidResourceName {
            name: name.to_owned(),
            reason,
        })?;
        Ok(Self(name.to_owned()))
    }
}

fn check(name: &str) -> Result<(), &'static str> {
    let (domain, part) = name.split_once('/').ok_or("it needs a domain and a slash in front")?;
    if domain == "kubernetes.io" || domain.ends_with(".kubernetes.io") {
        return Err("the domain kubernetes.io is reserved");
    }
    if name.starts_with("requests.") {
        return Err("it must not begin with 'requests.'");
    }
    // Kubelet checks "requests.<name>", whose domain must fit 253 characters, too.
    if domain.len() > 253 - "requests.".len() || !domain.split('.').all(is_dns_label) {
        return Err("the domain must be a DNS name in lower case");
    }
    if part.len() > 63 || !is_framed_by_alphanumerics(part, |c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err("after the slash, up to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends");
    }
    Ok(())
}

fn is_dns_label(label: &str) -> bool {
    label.len() <= 63 && is_framed_by_alphanumerics(label, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_framed_by_alphanumerics(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    text.chars().all(allowed)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass() {
        for name in ["beta.hpe.com/cxi", "hpe.com/slingshot-nic", "a/b", "hpe.com/CXI_2.x"] {
            assert_eq!(name.parse::<ResourceName>().map(|n| n.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn names_that_kubelet_refuses_are_refused() {
        let long = format!("hpe.com/{}", "x".repeat(64));
        for name in [
            "cxi",
            "/cxi",
            "hpe.com/",
            "kubernetes.io/cxi",
            "x.kubernetes.io/cxi",
            "requests.hpe.com/cxi",
            &long,
        ] {
            assert!(name.parse::<ResourceName>().is_err(), "{name}");
        }
        for name in [
            "HPE.com/cxi",
            "hpe..com/cxi",
            "-hpe.com/cxi",
            "hpe.com/-cxi",
            "hpe.com/cxi/0",
            "hpe.com/c xi",
        ] {
            assert!(name.parse::<ResourceName>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_environment_variable_is_upper_case_with_underscores() {
        let name: ResourceName = "beta.hpe.com/cxi-2".parse().unwrap();
        assert_eq!(name.environment_variable(), "PCIDEVICE_BETA_HPE_COM_CXI_2");
    }
}
