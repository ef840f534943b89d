//! What a NIC of an emulated node shall look like, and its text form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::pci::PciAddress;
use super::variant::Variant;

/// Generation and function type of a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Cassini 1 physical function, 17db:0501, 200 Gb/s.
    #[serde(rename = "c1")]
    Cassini1,
    /// Cassini 2 physical function, 1590:0371, 400 Gb/s.
    #[serde(rename = "c2")]
    Cassini2,
    /// Cassini 1 virtual function: the ids of the PF, told apart by the size of BAR 0.
    #[serde(rename = "c1vf")]
    Cassini1Vf,
    /// Cassini 2 virtual function, 1590:0372.
    #[serde(rename = "c2vf")]
    Cassini2Vf,
}

impl Kind {
    /// Every kind, in the order of the text forms `c1`, `c2`, `c1vf`, `c2vf`.
    pub const ALL: [Self; 4] = [Self::Cassini1, Self::Cassini2, Self::Cassini1Vf, Self::Cassini2Vf];

    /// Whether this is a virtual function.
    pub fn is_vf(self) -> bool {
        matches!(self, Self::Cassini1Vf | Self::Cassini2Vf)
    }

    /// Whether this is a Cassini 2.
    pub fn is_cassini2(self) -> bool {
        matches!(self, Self::Cassini2 | Self::Cassini2Vf)
    }

    /// PCI vendor id (cass_core.h).
    pub fn vendor(self) -> u16 {
        if self.is_cassini2() { 0x1590 } else { 0x17db }
    }

    /// PCI device id (cass_core.h).
    pub fn device(self) -> u16 {
        match self {
            Self::Cassini1 | Self::Cassini1Vf => 0x0501,
            Self::Cassini2 => 0x0371,
            Self::Cassini2Vf => 0x0372,
        }
    }

    /// The PF kind of a VF, or the kind itself.
    pub fn physical(self) -> Self {
        if self.is_cassini2() {
            Self::Cassini2
        } else {
            Self::Cassini1
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cassini1 => "c1",
            Self::Cassini2 => "c2",
            Self::Cassini1Vf => "c1vf",
            Self::Cassini2Vf => "c2vf",
        })
    }
}

/// One NIC to build. What is `None` gets the default of its place in the node.
///
/// Text form: the kind, then comma-separated `key=value` pairs with the keys `pci`, `cxi`, `netdev`, `numa` and
/// `variant`, for example `c2,pci=0000:61:00.0,cxi=10,netdev=hsn9,numa=-1,variant=V5+V7`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct NicSpec {
    /// Generation and function type.
    pub kind: Kind,
    /// PCI address. Default: the lowest free slot; for a VF the next function of a PF's slot.
    pub pci: Option<String>,
    /// N of cxiN. Default: the next number of the node. Only the NIC's first binding uses it.
    pub cxi: Option<u32>,
    /// Name of the netdev. Default: the first free of hsn0, hsn1, ...
    pub netdev: Option<String>,
    /// NUMA node; -1 is unknown. Default: 0 for the first two NICs of a PCI domain, else 1.
    pub numa: Option<i32>,
    /// How the NIC differs from the plain one.
    pub variants: Vec<Variant>,
}

impl NicSpec {
    /// A plain NIC with all defaults.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            pci: None,
            cxi: None,
            netdev: None,
            numa: None,
            variants: Vec::new(),
        }
    }

    /// Puts the NIC at this PCI address.
    pub fn pci(self, pci: impl Into<String>) -> Self {
        Self {
            pci: Some(pci.into()),
            ..self
        }
    }

    /// Gives the NIC this cxi number.
    pub fn cxi(self, number: u32) -> Self {
        Self {
            cxi: Some(number),
            ..self
        }
    }

    /// Names the netdev.
    pub fn netdev(self, name: impl Into<String>) -> Self {
        Self {
            netdev: Some(name.into()),
            ..self
        }
    }

    /// Puts the NIC on this NUMA node; -1 is unknown.
    pub fn numa(self, node: i32) -> Self {
        Self {
            numa: Some(node),
            ..self
        }
    }

    /// Adds a variant.
    pub fn variant(mut self, variant: Variant) -> Self {
        self.variants.push(variant);
        self
    }

    /// Whether the NIC has this variant.
    pub fn has(&self, variant: Variant) -> bool {
        self.variants.contains(&variant)
    }

    /// Checks what the types alone do not say.
    ///
    /// # Errors
    /// [`Error::Spec`] when the PCI address or the netdev name is none, or a variant does not fit the kind.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |why| {
            Err(Error::Spec {
                spec: self.to_string(),
                why,
            })
        };
        if let Some(Err(why)) = self.pci.as_deref().map(str::parse::<PciAddress>) {
            return wrong(why);
        }
        // The rule of the kernel's dev_valid_name(); a comma would break the text form.
        let valid = |name: &&str| {
            let clean = |c: char| !c.is_whitespace() && !c.is_control() && !"/:,".contains(c);
            !name.is_empty() && name.len() < 16 && ![".", ".."].contains(name) && name.chars().all(clean)
        };
        if self.netdev.as_deref().is_some_and(|name| !valid(&name)) {
            return wrong("a netdev name has 1 to 15 characters and no '/', ':', ',' or space".into());
        }
        if self.numa.is_some_and(|node| node < -1) {
            return wrong("a NUMA node is -1 (unknown), 0 or more".into());
        }
        match self.variants.iter().find(|variant| !variant.fits(self.kind)) {
            Some(variant @ (Variant::V3 | Variant::V4 | Variant::V18 | Variant::V19)) => wrong(format!(
                "{variant} is a trait of a whole node: use `node create DIR --variant {variant}`"
            )),
            Some(variant) => wrong(format!("variant {variant} does not go with kind {}", self.kind)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for NicSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(pci) = &self.pci {
            write!(f, ",pci={pci}")?;
        }
        if let Some(cxi) = self.cxi {
            write!(f, ",cxi={cxi}")?;
        }
        if let Some(netdev) = &self.netdev {
            write!(f, ",netdev={netdev}")?;
        }
        if let Some(numa) = self.numa {
            write!(f, ",numa={numa}")?;
        }
        for (index, variant) in self.variants.iter().enumerate() {
            write!(f, "{}{variant}", if index == 0 { ",variant=" } else { "+" })?;
        }
        Ok(())
    }
}

impl FromStr for NicSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::Spec {
            spec: text.to_owned(),
            why,
        };
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default();
        let kind = Kind::ALL.into_iter().find(|kind| kind.to_string() == name);
        let mut spec = Self::new(kind.ok_or_else(|| wrong(format!("no kind \"{name}\": use c1, c2, c1vf or c2vf")))?);
        for part in parts {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| wrong(format!("\"{part}\" is no key=value")))?;
            let number = |error: std::num::ParseIntError| wrong(format!("{key}={value}: {error}"));
            match key {
                "pci" => spec.pci = Some(value.to_owned()),
                "cxi" => spec.cxi = Some(value.parse().map_err(number)?),
                "netdev" => spec.netdev = Some(value.to_owned()),
                "numa" => spec.numa = Some(value.parse().map_err(number)?),
                "variant" => {
                    for name in value.split('+') {
                        spec.variants
                            .push(name.parse().map_err(|error: Error| wrong(error.to_string()))?);
                    }
                }
                _ => {
                    return Err(wrong(format!(
                        "no key \"{key}\": use pci, cxi, netdev, numa or variant"
                    )));
                }
            }
        }
        spec.check()?;
        Ok(spec)
    }
}

impl TryFrom<String> for NicSpec {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<NicSpec> for String {
    fn from(spec: NicSpec) -> Self {
        spec.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_goes_there_and_back() {
        for text in [
            "c1",
            "c2vf,numa=-1",
            "c1,pci=10000:e1:00.0",
            "c2,pci=0000:61:00.0,cxi=10,netdev=hs,numa=-1,variant=V5+V7",
        ] {
            assert_eq!(text.parse::<NicSpec>().expect(text).to_string(), text);
        }
        let built = NicSpec::new(Kind::Cassini2).cxi(3).variant(Variant::V14);
        assert_eq!("c2,cxi=3,variant=v14".parse::<NicSpec>().expect("parses"), built);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, hint) in [
            ("c3", "use c1, c2"),
            ("c1,cxi", "key=value"),
            ("c1,speed=3", "no key \"speed\""),
            ("c1,cxi=-1", "cxi=-1"),
            ("c1,pci=21:00.0", "0000:21:00.0"),
            ("c1,netdev=a/b", "netdev name"),
            ("c1,numa=-2", "NUMA"),
            ("c1,variant=V20", "V1 to V19"),
            ("c1,variant=V18", "whole node"),
            ("c1,pci=00000:21:00.0", "0000:21:00.0"),
            ("c1,variant=V2", "does not go with kind c1"),
            ("c1,variant=V4", "whole node"),
        ] {
            let message = text.parse::<NicSpec>().expect_err(text).to_string();
            assert!(
                message.contains(hint) && message.contains(text) && !message.contains('\n'),
                "{message}"
            );
        }
    }
}
