//! What a service is to be, from the YAML that HPE's `cxi_service create` takes. Its template is no tidy YAML: keys are repeated,
//! and with `tcs:` commented out, as it ships, the traffic classes stand among the members. HPE's reader takes each key
//! wherever it stands, and so does this one; what it would take wrongly, or leave half done on the NIC, is refused here.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::descriptor::{Descriptor, Limit, MOST_MEMBERS, MOST_VNIS, Member, Resource, TRAFFIC_CLASSES};
use super::service::VniRange;

/// What a service is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What goes into the command that makes it.
    pub descriptor: Descriptor,
    /// The network namespace that it is for.
    pub netns: Option<u32>,
    /// A range of VNIs in place of single ones.
    pub vni_range: Option<VniRange>,
    /// Communication profiles for itself.
    pub exclusive_cp: bool,
    /// What was read and has no effect, for people.
    pub remarks: Vec<String>,
}

/// Why a text describes no service.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
pub enum TemplateError {
    /// Not YAML.
    #[error("not YAML: {0}")]
    Yaml(String),
    /// A key that is not one of them.
    #[error("there is no key '{0}'")]
    Key(String),
    /// A value that does not go with its key.
    #[error("{key}: '{value}' is not {expected}")]
    Value {
        /// The key.
        key: String,
        /// What it says.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Keys that do not go together, or a service of no use.
    #[error("{0}")]
    Contradiction(String),
}

type Read<T> = Result<T, TemplateError>;

/// Reads it.
///
/// # Errors
/// It describes no service, or one that the driver would refuse or leave unusable.
pub fn parse(text: &str) -> Read<Wanted> {
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough };
    let node: Node = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| TemplateError::Yaml(error.to_string().lines().next().unwrap_or_default().to_owned()))?;
    let mut reader = Reader::default();
    reader.node(&node)?;
    reader.finish()
}

/// Any YAML, with repeated keys.
#[derive(Debug)]
enum Node {
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    Scalar(String),
    Nothing,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list, or a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Scalar(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Scalar(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Scalar(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Scalar(number.to_string()))
    }

    fn visit_bool<E>(self, is: bool) -> Result<Node, E> {
        Ok(Node::Scalar(is.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }
}

/// What has been read so far.
#[derive(Debug, Default)]
struct Reader {
    wanted: Wanted,
    restricted_vnis: Option<bool>,
    first: Option<u32>,
    last: Option<u32>,
}

impl Reader {
    fn node(&mut self, node: &Node) -> Read<()> {
        match node {
            Node::Map(entries) => self.map(entries),
            Node::List(items) => items.iter().try_for_each(|item| self.node(item)),
            Node::Scalar(text) => Err(TemplateError::Key(text.clone())),
            Node::Nothing => Ok(()),
        }
    }

    fn map(&mut self, entries: &[(String, Node)]) -> Read<()> {
        // The two kinds of list items; what else stands in them counts as if it stood outside.
        let of = |wanted: &str| {
            let entry = entries.iter().find(|(key, _)| key == wanted);
            entry.map(|(_, value)| scalar(wanted, value)).transpose()
        };
        let mut taken: &[&str] = &[];
        if let Some(name) = of("name")? {
            taken = &["name", "max", "res"];
            self.limit(name, of("max")?, of("res")?)?;
        } else if let Some(kind) = of("type")? {
            taken = &["type", "id"];
            let id =
                of("id")?.ok_or_else(|| TemplateError::Contradiction("a member has a type and no id".to_owned()))?;
            self.member(kind, id)?;
        }
        let rest = entries.iter().filter(|(key, _)| !taken.contains(&key.as_str()));
        rest.into_iter().try_for_each(|(key, value)| self.entry(key, value))
    }

    fn entry(&mut self, key: &str, value: &Node) -> Read<()> {
        let wanted = &mut self.wanted.descriptor;
        match key {
            "limits" | "vnis" | "members" | "tcs" => return self.node(value),
            "resource_limits" => wanted.resource_limits = truth(key, value)?,
            "restricted_members" => wanted.restricted_members = truth(key, value)?,
            "restricted_tcs" => wanted.restricted_tcs = truth(key, value)?,
            "restricted_vnis" => self.restricted_vnis = Some(truth(key, value)?),
            "exclusive_cp" => self.wanted.exclusive_cp = truth(key, value)?,
            "vni" => {
                let vni = number(key, scalar(key, value)?, VNI)?;
                let vni = u16::try_from(vni).ok().filter(|vni| *vni > 0);
                wanted.vnis.push(vni.ok_or_else(|| wrong(key, value, VNI))?);
            }
            "vni_min" => self.first = Some(number(key, scalar(key, value)?, VNI)?),
            "vni_max" => self.last = Some(number(key, scalar(key, value)?, VNI)?),
            "tc" => {
                let name = scalar(key, value)?.replace(' ', "_");
                // Ethernet's is the driver's own.
                let mut known = TRAFFIC_CLASSES
                    .iter()
                    .zip(&mut wanted.tcs)
                    .take(TRAFFIC_CLASSES.len() - 1);
                let (_, tc) = known
                    .find(|(known, _)| **known == name)
                    .ok_or_else(|| wrong(key, value, "DEDICATED_ACCESS, LOW_LATENCY, BULK_DATA or BEST_EFFORT"))?;
                *tc = true;
            }
            _ => return Err(TemplateError::Key(key.to_owned())),
        }
        Ok(())
    }

    fn limit(&mut self, name: &str, max: Option<&str>, reserved: Option<&str>) -> Read<()> {
        let mut known = Resource::ALL.iter().zip(&mut self.wanted.descriptor.limits);
        let (_, limit) = known
            .find(|(resource, _)| resource.plural() == name)
            .ok_or_else(|| TemplateError::Value {
                key: "name".to_owned(),
                value: name.to_owned(),
                expected: "ACs, CTs, EQs, LEs, PTEs, TGQs, TXQs or TLEs",
            })?;
        let count = |key: &str, text: Option<&str>| match text {
            None => Ok(0),
            Some(text) => number(key, text, COUNT).and_then(|count| {
                u16::try_from(count).map_err(|_| TemplateError::Value {
                    key: key.to_owned(),
                    value: text.to_owned(),
                    expected: COUNT,
                })
            }),
        };
        *limit = Limit {
            max: count("max", max)?,
            reserved: count("res", reserved)?,
        };
        if limit.reserved > limit.max {
            return contradiction(format!("{name}: res is larger than max"));
        }
        Ok(())
    }

    fn member(&mut self, kind: &str, id: &str) -> Read<()> {
        let id = number(
            "id",
            id,
            "a number that the host knows a user, a group or a network namespace by",
        )?;
        if id == u32::MAX {
            return contradiction(format!("id: {id} is nobody"));
        }
        match kind {
            "uid" => self.wanted.descriptor.members.push(Member::Uid(id)),
            "gid" => self.wanted.descriptor.members.push(Member::Gid(id)),
            "netns" if self.wanted.netns.is_some() => {
                return contradiction("only one network namespace can be given".to_owned());
            }
            "netns" => self.wanted.netns = Some(id),
            _ => {
                return Err(TemplateError::Value {
                    key: "type".to_owned(),
                    value: kind.to_owned(),
                    expected: "uid, gid or netns",
                });
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Read<Wanted> {
        self.vnis()?;
        self.members()?;
        let wanted = &mut self.wanted;
        let descriptor = &mut wanted.descriptor;
        if descriptor.restricted_tcs && !descriptor.tcs.contains(&true) {
            return contradiction("restricted_tcs is 1 and no tc is given: nothing could be sent".to_owned());
        }
        if wanted.exclusive_cp && wanted.vni_range.is_none() {
            let remark = "exclusive_cp goes with a range of VNIs only, and is left out";
            wanted.remarks.push(remark.to_owned());
            wanted.exclusive_cp = false;
        }
        if !descriptor.resource_limits && descriptor.limits.iter().any(|limit| limit.max > 0) {
            wanted
                .remarks
                .push("resource_limits is 0: the limits are left out".to_owned());
            descriptor.limits = Default::default();
        }
        Ok(self.wanted)
    }

    fn vnis(&mut self) -> Read<()> {
        let wanted = &mut self.wanted;
        let vnis = &wanted.descriptor.vnis;
        let has_range = self.first.is_some() || self.last.is_some();
        if has_range && !vnis.is_empty() {
            return contradiction("give single VNIs (vni) or a range (vni_min, vni_max), not both".to_owned());
        }
        if vnis.len() > MOST_VNIS {
            return contradiction(format!(
                "{} VNIs are given; a service has {MOST_VNIS} at most",
                vnis.len()
            ));
        }
        if !has_range && vnis.is_empty() {
            return contradiction("no VNI is given: vnis: with vni, or vni_min and vni_max".to_owned());
        }
        if self.restricted_vnis.is_some_and(|restricted| restricted == has_range) {
            return contradiction("restricted_vnis is 1 with single VNIs and 0 with a range; leave it out".to_owned());
        }
        wanted.descriptor.restricted_vnis = !has_range;
        if has_range {
            let (Some(first), Some(last)) = (self.first, self.last) else {
                return contradiction("a range has vni_min and vni_max".to_owned());
            };
            wanted.vni_range = Some(range(first, last)?);
        }
        Ok(())
    }

    fn members(&mut self) -> Read<()> {
        let wanted = &self.wanted;
        let members = &wanted.descriptor.members;
        let restricted = wanted.descriptor.restricted_members;
        let has_members = !members.is_empty() || wanted.netns.is_some();
        if members.len() > MOST_MEMBERS {
            return contradiction(format!(
                "{} members are given; a service has {MOST_MEMBERS} at most",
                members.len()
            ));
        }
        let is_twice = members
            .iter()
            .enumerate()
            .any(|(place, member)| members.iter().skip(place + 1).any(|other| other == member));
        if is_twice {
            return contradiction("a member is given twice".to_owned());
        }
        if wanted.netns.is_some() && !members.is_empty() {
            return contradiction("a network namespace does not go with users or groups".to_owned());
        }
        if wanted.netns.is_some() && wanted.vni_range.is_some() {
            return contradiction(
                "a network namespace does not go with a range of VNIs: no process could use such a service; give single VNIs"
                    .to_owned(),
            );
        }
        if has_members && !restricted {
            return contradiction(
                "members are given and restricted_members is not 1: the service would admit everybody".to_owned(),
            );
        }
        if restricted && !has_members {
            return contradiction("restricted_members is 1 and no member is given: nobody could use it".to_owned());
        }
        Ok(())
    }
}

/// What a range must be for the hardware to compare by a mask.
fn range(first: u32, last: u32) -> Read<VniRange> {
    let size = last.saturating_sub(first).saturating_add(1);
    if first == 0 || last > u32::from(u16::MAX) || first > last {
        return contradiction(format!("{first}-{last} is no range of VNIs: 1-65535, vni_min first"));
    }
    if !size.is_power_of_two() || !first.is_multiple_of(size) {
        return contradiction(format!(
            "the range {first}-{last} has {size} VNIs: their number must be a power of two, and vni_min a multiple of it"
        ));
    }
    Ok(VniRange { first, last })
}

const VNI: &str = "a VNI (1-65535)";
const COUNT: &str = "a number up to 65535";

fn contradiction<T>(what: String) -> Read<T> {
    Err(TemplateError::Contradiction(what))
}

fn scalar<'a>(key: &str, value: &'a Node) -> Read<&'a str> {
    match value {
        Node::Scalar(text) => Ok(text),
        _ => Err(wrong(key, value, "a single value")),
    }
}

fn wrong(key: &str, value: &Node, expected: &'static str) -> TemplateError {
    TemplateError::Value {
        key: key.to_owned(),
        value: match value {
            Node::Scalar(text) => text.clone(),
            Node::Map(_) => "a map".to_owned(),
            Node::List(_) => "a list".to_owned(),
            Node::Nothing => String::new(),
        },
        expected,
    }
}

fn number(key: &str, text: &str, expected: &'static str) -> Read<u32> {
    text.parse().map_err(|_| TemplateError::Value {
        key: key.to_owned(),
        value: text.to_owned(),
        expected,
    })
}

fn truth(key: &str, value: &Node) -> Read<bool> {
    match scalar(key, value)? {
        "0" | "false" => Ok(false),
        "1" | "true" => Ok(true),
        _ => Err(wrong(key, value, "0 or 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the shape of the template that HPE ships: repeated keys, and traffic classes among the members.
    const AS_SHIPPED: &str = "
resource_limits: 1
restricted_members: 1
restricted_tcs: 1
exclusive_cp: 1
limits:
  - name: ACs
    max: 3
    res: 1
  - name: TLEs
    max: 9
    res: 9
#vnis:
#  vni_min: 64
#  vni_max: 127
vnis:
  vni: 2
  vni: 3
  vni: 4
  vni: 5
members:
  - type: uid
    id: 1
  - type: gid
    id: 2
#tcs:
    tc: DEDICATED_ACCESS
    tc: BULK DATA
";

    #[test]
    fn hpes_template_is_read_as_it_ships() {
        let wanted = parse(AS_SHIPPED).unwrap();
        let made = &wanted.descriptor;
        assert_eq!(made.vnis, [2, 3, 4, 5]);
        assert_eq!(made.members, [Member::Uid(1), Member::Gid(2)]);
        assert_eq!(made.tcs, [true, false, true, false, false]);
        assert_eq!(made.limit(Resource::Ac), Limit { max: 3, reserved: 1 });
        assert_eq!(made.limit(Resource::Tle), Limit { max: 9, reserved: 9 });
        assert_eq!(made.limit(Resource::Pte), Limit::default());
        assert!(made.restricted_members && made.restricted_vnis && made.restricted_tcs && made.resource_limits);
        assert!(!wanted.exclusive_cp && wanted.remarks[0].contains("exclusive_cp"));
    }

    #[test]
    fn lists_and_a_section_of_traffic_classes_are_read_too() {
        let text = "restricted_members: 1\nrestricted_tcs: 1\nvnis: [vni: 7, vni: 8]\nmembers:\n- {type: netns, id: 4026532000}\n\
                    tcs:\n  tc: LOW_LATENCY\n";
        let wanted = parse(text).unwrap();
        assert_eq!(wanted.netns, Some(4_026_532_000));
        assert_eq!(wanted.descriptor.vnis, [7, 8]);
        assert_eq!(wanted.descriptor.traffic_classes(), ["LOW_LATENCY"]);
        assert!(wanted.descriptor.members.is_empty());
    }

    #[test]
    fn a_range_is_one_that_a_mask_can_tell() {
        let range = |first: u32, last: u32| {
            parse(&format!(
                "vnis:\n  vni_min: {first}\n  vni_max: {last}\nexclusive_cp: 1\n"
            ))
        };
        let wanted = range(64, 127).unwrap();
        assert_eq!(wanted.vni_range, Some(VniRange { first: 64, last: 127 }));
        assert!(!wanted.descriptor.restricted_vnis && wanted.exclusive_cp && wanted.remarks.is_empty());
        assert!(range(5, 5).is_ok());
        for (first, last) in [(0, 63), (64, 126), (32, 95), (127, 64), (65535, 65536)] {
            assert!(range(first, last).is_err(), "{first}-{last}");
        }
    }

    #[test]
    fn what_would_go_wrong_on_the_nic_is_refused_with_the_reason() {
        let cases = [
            ("vnis: {vni: 1}\nmembers: [{type: uid, id: 1}]", "would admit everybody"),
            ("restricted_members: 1\nvnis: {vni: 1}", "no member is given"),
            (
                "restricted_members: 1\nvnis: {vni: 1}\nmembers: [{type: uid, id: 1}, {type: netns, id: 2}]",
                "does not go with users",
            ),
            (
                "restricted_members: 1\nvnis: {vni_min: 64, vni_max: 127}\nmembers: [{type: netns, id: 2}]",
                "no process could use",
            ),
            (
                "restricted_members: 1\nvnis: {vni: 1}\nmembers: [{type: uid, id: 1}, {type: uid, id: 1}]",
                "twice",
            ),
            (
                "restricted_members: 1\nvnis: {vni: 1}\nmembers: [{type: uid, id: 4294967295}]",
                "is nobody",
            ),
            ("restricted_tcs: 1\nvnis: {vni: 1}", "no tc is given"),
            ("vnis: {vni: 1, vni_min: 2, vni_max: 3}", "not both"),
            ("vnis: [vni: 1, vni: 2, vni: 3, vni: 4, vni: 5]", "at most"),
            ("resource_limits: 1", "no VNI is given"),
            ("vnis: {vni: 0}", "'0' is not a VNI"),
            ("vnis: {vni: 65536}", "not a VNI"),
            (
                "vnis: {vni: 1}\nlimits: [{name: LEs, max: 1, res: 2}]",
                "larger than max",
            ),
            ("vnis: {vni: 1}\nlimits: [{name: LE, max: 1}]", "'LE' is not"),
            ("vnis: {vni: 1}\nlimit: 1", "no key 'limit'"),
            ("vnis: {vni: 1}\nrestricted_tcs: 2", "'2' is not 0 or 1"),
            ("vnis: {vni: 1}\ntcs: {tc: ETH}", "'ETH' is not"),
            ("vnis: {vni: 1}\nrestricted_vnis: 0", "leave it out"),
            ("members: [{type: user, id: 1}]", "'user' is not uid"),
            ("members: [{type: uid}]", "no id"),
            ("- 5", "no key '5'"),
            ("a: [", "not YAML"),
            ("", "no VNI is given"),
        ];
        for (text, words) in cases {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn no_text_is_more_than_an_error() {
        let mut random = fastrand::Rng::with_seed(18);
        for _ in 0..2_000 {
            let mut bytes = AS_SHIPPED.as_bytes().to_vec();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(b' '..b'~');
            }
            let _ = parse(&String::from_utf8_lossy(&bytes));
        }
    }
}
