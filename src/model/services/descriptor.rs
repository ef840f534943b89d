//! A service as the driver describes it: `cxi_svc_desc`, 68 bytes.

use serde::{Deserialize, Serialize};

use super::abi::{put, u8_at, u16_at, u32_at};

/// Bytes of a descriptor.
pub const SIZE: usize = 68;

/// The service that the driver makes by itself. It admits everybody, and is off unless somebody switches it on.
pub const DEFAULT_SERVICE: u32 = 1;

const FLAGS: usize = 0;
const VNI_COUNT: usize = 1;
const VNIS: usize = 2;
const TCS: usize = 10;
const MEMBERS: usize = 16;
const LIMITS: usize = 32;
const ID: usize = 64;

const RESTRICTED_MEMBERS: u8 = 0x01;
const RESTRICTED_VNIS: u8 = 0x02;
const RESTRICTED_TCS: u8 = 0x04;
const RESOURCE_LIMITS: u8 = 0x08;
const ENABLED: u8 = 0x10;
const SYSTEM: u8 = 0x20;
const COUNTER_POOL: u8 = 6; // a shift: the two highest bits

/// The kinds of resources, in the order of every array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Resource {
    /// Portal table entries.
    Pte,
    /// Transmit command queues.
    Txq,
    /// Target command queues.
    Tgq,
    /// Event queues.
    Eq,
    /// Counting events.
    Ct,
    /// List entries.
    Le,
    /// Trigger list entries.
    Tle,
    /// Addressing contexts.
    Ac,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pte,
        Self::Txq,
        Self::Tgq,
        Self::Eq,
        Self::Ct,
        Self::Le,
        Self::Tle,
        Self::Ac,
    ];

    /// As HPE's files and tables call it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Pte => "PTEs",
            Self::Txq => "TXQs",
            Self::Tgq => "TGQs",
            Self::Eq => "EQs",
            Self::Ct => "CTs",
            Self::Le => "LEs",
            Self::Tle => "TLEs",
            Self::Ac => "ACs",
        }
    }
}

/// How much of a resource a service may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// At most.
    pub max: u16,
    /// Kept for it, used or not.
    pub reserved: u16,
}

/// Whom a service admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "type", content = "id")]
pub enum Member {
    /// A user, as the host numbers it.
    Uid(u32),
    /// A group, as the host numbers it: only the one that a process has as its own counts.
    Gid(u32),
    /// A network namespace, by the number of its inode. No descriptor shows one; `SVC_GET_NETNS` does.
    Netns(u32),
    /// Something newer than this program.
    #[serde(rename = "unknown")]
    Unknown(u32),
}

/// Traffic classes, in the order of their array.
pub const TRAFFIC_CLASSES: [&str; 5] = ["DEDICATED_ACCESS", "LOW_LATENCY", "BULK_DATA", "BEST_EFFORT", "ETH"];

/// Most members and single VNIs that a service has.
pub const MOST_MEMBERS: usize = 2;
/// See [`MOST_MEMBERS`].
pub const MOST_VNIS: usize = 4;

/// What a service is to be, or is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number on this NIC; numbers are used again.
    pub id: u32,
    /// Only members may use it.
    pub restricted_members: bool,
    /// Only its single VNIs; without, it waits for a range.
    pub restricted_vnis: bool,
    /// Only its traffic classes.
    pub restricted_tcs: bool,
    /// Its limits count.
    pub resource_limits: bool,
    /// It is on.
    pub enabled: bool,
    /// It is for the host's own software, such as the retry handler; libfabric passes it over.
    pub system: bool,
    /// Pool of counters, 0 to 3.
    pub counter_pool: u8,
    /// Single VNIs; with a range one that means nothing.
    pub vnis: Vec<u16>,
    /// By [`TRAFFIC_CLASSES`].
    pub tcs: [bool; 5],
    /// Without those of type "ignore".
    pub members: Vec<Member>,
    /// By [`Resource::ALL`].
    pub limits: [Limit; 8],
}

impl Descriptor {
    /// From what the driver has written; none for too few bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let flags = u8_at(bytes, FLAGS)?;
        let is = |flag| flags & flag != 0;
        let count = usize::from(u8_at(bytes, VNI_COUNT)?).min(MOST_VNIS);
        let vnis = (0..count).map(|place| u16_at(bytes, VNIS + 2 * place));
        let mut tcs = [false; 5];
        for (place, tc) in tcs.iter_mut().enumerate() {
            *tc = u8_at(bytes, TCS + place)? != 0;
        }
        let mut members = Vec::new();
        for place in 0..MOST_MEMBERS {
            let id = u32_at(bytes, MEMBERS + 8 * place)?;
            members.extend(match u32_at(bytes, MEMBERS + 8 * place + 4)? {
                0 => None,
                1 => Some(Member::Uid(id)),
                2 => Some(Member::Gid(id)),
                3 => Some(Member::Netns(id)),
                _ => Some(Member::Unknown(id)),
            });
        }
        let mut limits = [Limit::default(); 8];
        for (place, limit) in limits.iter_mut().enumerate() {
            *limit = Limit {
                max: u16_at(bytes, LIMITS + 4 * place)?,
                reserved: u16_at(bytes, LIMITS + 4 * place + 2)?,
            };
        }
        Some(Self {
            id: u32_at(bytes, ID)?,
            restricted_members: is(RESTRICTED_MEMBERS),
            restricted_vnis: is(RESTRICTED_VNIS),
            restricted_tcs: is(RESTRICTED_TCS),
            resource_limits: is(RESOURCE_LIMITS),
            enabled: is(ENABLED),
            system: is(SYSTEM),
            counter_pool: flags >> COUNTER_POOL,
            vnis: vnis.collect::<Option<_>>()?,
            tcs,
            members,
            limits,
        })
    }

    /// As the driver wants it. A network namespace is no part of it: it is set afterwards.
    pub fn to_bytes(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let flags = [
            (self.restricted_members, RESTRICTED_MEMBERS),
            (self.restricted_vnis, RESTRICTED_VNIS),
            (self.restricted_tcs, RESTRICTED_TCS),
            (self.resource_limits, RESOURCE_LIMITS),
            (self.enabled, ENABLED),
            (self.system, SYSTEM),
        ];
        let set = flags.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag);
        let flags = set.fold(self.counter_pool << COUNTER_POOL, |all, flag| all | flag);
        let count = self.vnis.len().min(MOST_VNIS);
        put(&mut bytes, FLAGS, &[flags, u8::try_from(count).unwrap_or(0)]);
        for (place, vni) in self.vnis.iter().take(MOST_VNIS).enumerate() {
            put(&mut bytes, VNIS + 2 * place, &vni.to_le_bytes());
        }
        put(&mut bytes, TCS, &self.tcs.map(u8::from));
        let in_it = self.members.iter().filter_map(|member| match member {
            Member::Uid(id) => Some((id, 1_u32)),
            Member::Gid(id) => Some((id, 2)),
            Member::Netns(_) | Member::Unknown(_) => None,
        });
        for (place, (id, kind)) in in_it.take(MOST_MEMBERS).enumerate() {
            put(&mut bytes, MEMBERS + 8 * place, &id.to_le_bytes());
            put(&mut bytes, MEMBERS + 8 * place + 4, &kind.to_le_bytes());
        }
        for (place, limit) in self.limits.iter().enumerate() {
            put(&mut bytes, LIMITS + 4 * place, &limit.max.to_le_bytes());
            put(&mut bytes, LIMITS + 4 * place + 2, &limit.reserved.to_le_bytes());
        }
        put(&mut bytes, ID, &self.id.to_le_bytes());
        bytes
    }

    /// Its traffic classes by name; all but Ethernet's where they are not restricted, as `cxi_service` says it.
    pub fn traffic_classes(&self) -> Vec<&'static str> {
        let named = TRAFFIC_CLASSES.iter().zip(self.tcs);
        named.filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect()
    }

    /// The limit of one resource.
    pub fn limit(&self, resource: Resource) -> Limit {
        let place = Resource::ALL.iter().position(|known| *known == resource);
        place
            .and_then(|place| self.limits.get(place))
            .copied()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each field has a value that no other one has.
    fn distinct() -> Descriptor {
        Descriptor {
            id: 0x0a0b_0c0d,
            restricted_members: true,
            restricted_vnis: true,
            restricted_tcs: true,
            resource_limits: true,
            enabled: true,
            system: true,
            counter_pool: 3,
            vnis: vec![0x1112, 0x1314, 0x1516, 0x1718],
            tcs: [true, false, true, false, true],
            members: vec![Member::Uid(0x2122_2324), Member::Gid(0x3132_3334)],
            limits: std::array::from_fn(|place| Limit {
                max: 0x4041 + u16::try_from(place).unwrap() * 0x0202,
                reserved: 0x6061 + u16::try_from(place).unwrap() * 0x0202,
            }),
        }
    }

    #[test]
    fn each_field_is_where_the_header_has_it() {
        let bytes = distinct().to_bytes();
        assert_eq!(bytes[..10], [0xff, 4, 0x12, 0x11, 0x14, 0x13, 0x16, 0x15, 0x18, 0x17]);
        assert_eq!(bytes[10..16], [1, 0, 1, 0, 1, 0]);
        assert_eq!(bytes[16..24], [0x24, 0x23, 0x22, 0x21, 1, 0, 0, 0]);
        assert_eq!(bytes[24..32], [0x34, 0x33, 0x32, 0x31, 2, 0, 0, 0]);
        assert_eq!(bytes[32..40], [0x41, 0x40, 0x61, 0x60, 0x43, 0x42, 0x63, 0x62]);
        assert_eq!(bytes[60..], [0x4f, 0x4e, 0x6f, 0x6e, 0x0d, 0x0c, 0x0b, 0x0a]);
        assert_eq!(Descriptor::from_bytes(&bytes), Some(distinct()));
    }

    #[test]
    fn each_flag_is_a_bit_of_its_own() {
        type Set = fn(&mut Descriptor);
        let flags: [(Set, u8); 7] = [
            (|made| made.restricted_members = true, 0x01),
            (|made| made.restricted_vnis = true, 0x02),
            (|made| made.restricted_tcs = true, 0x04),
            (|made| made.resource_limits = true, 0x08),
            (|made| made.enabled = true, 0x10),
            (|made| made.system = true, 0x20),
            (|made| made.counter_pool = 2, 0x80),
        ];
        for (set, expected) in flags {
            let mut made = Descriptor::default();
            set(&mut made);
            assert_eq!(made.to_bytes()[0], expected);
            assert_eq!(Descriptor::from_bytes(&made.to_bytes()), Some(made));
        }
    }

    #[test]
    fn too_few_bytes_are_no_service_and_any_others_are_one() {
        let bytes = distinct().to_bytes();
        for length in 0..SIZE {
            assert_eq!(Descriptor::from_bytes(&bytes[..length]), None, "{length}");
        }
        let mut random = fastrand::Rng::with_seed(18);
        for _ in 0..10_000 {
            let bytes: [u8; SIZE] = std::array::from_fn(|_| random.u8(..));
            let read = Descriptor::from_bytes(&bytes).unwrap();
            assert!(read.vnis.len() <= MOST_VNIS && read.members.len() <= MOST_MEMBERS);
        }
    }

    #[test]
    fn a_namespace_never_goes_into_a_descriptor() {
        let made = Descriptor {
            members: vec![Member::Netns(7)],
            ..Descriptor::default()
        };
        assert_eq!(made.to_bytes(), [0; SIZE]);
    }
}
