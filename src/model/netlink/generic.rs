//! Generic netlink: the driver's error messages (`cxierr`), and the kernel's word on when that family comes and goes.

use netlink_packet_core::{NLM_F_REQUEST, NlaBuffer};

use super::{attributes, messages, text, u32_of};

/// Message type of the controller, which knows the families (`GENL_ID_CTRL`).
const CONTROLLER: u16 = 0x10;
/// Multicast group in which the controller tells of families that come and go; its number is that of the controller.
pub const CONTROLLER_GROUP: u32 = 0x10;
const CTRL_CMD_NEWFAMILY: u8 = 1;
const CTRL_CMD_DELFAMILY: u8 = 2;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const CTRL_ATTR_MCAST_GROUPS: u16 = 7;
const CTRL_ATTR_MCAST_GRP_ID: u16 = 2;
/// Size of `struct genlmsghdr`.
const FIXED_PART: usize = 4;

/// `CXIERR_ERR_MSG` and its attributes (`cass_errors.c`).
const CXIERR_ERR_MSG: u8 = 1;
const CXIERR_ATTR_DEV_NUM: u16 = 1;
const CXIERR_ATTR_CSR_FLG: u16 = 2;
const CXIERR_ATTR_BIT: u16 = 3;

/// Something heard by generic netlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The family is there.
    Family {
        /// Message type of its messages.
        id: u16,
        /// Its first multicast group.
        group: u32,
    },
    /// The family has gone with its module.
    FamilyGone,
    /// An error interrupt of a NIC. Most bits are harmless.
    Error(CxiError),
}

/// The fields of a `cxierr` message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CxiError {
    /// N of cxiN.
    pub cxi: u32,
    /// Address of the error flag register.
    pub csr: Option<u32>,
    /// The bit in it.
    pub bit: Option<u8>,
}

/// What a datagram says of the family called `name`, and in it once its id is known.
pub fn parse<'a>(datagram: &'a [u8], name: &'a str, id: Option<u16>) -> impl Iterator<Item = Heard> {
    messages(datagram).filter_map(move |(kind, payload)| {
        let (header, rest) = payload.split_at_checked(FIXED_PART)?;
        let command = *header.first()?;
        match (kind, command) {
            (CONTROLLER, CTRL_CMD_NEWFAMILY) => family(rest, name),
            (CONTROLLER, CTRL_CMD_DELFAMILY) => is_named(rest, name).then_some(Heard::FamilyGone),
            (kind, CXIERR_ERR_MSG) if Some(kind) == id => error(rest).map(Heard::Error),
            _ => None,
        }
    })
}

/// The request to the controller for the family called `name`.
pub fn request(name: &str) -> Vec<u8> {
    let name = [name.as_bytes(), b"\0"].concat();
    let attribute_length = 4 + name.len();
    let length = 16 + FIXED_PART + attribute_length.next_multiple_of(4);
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
    bytes.extend(CONTROLLER.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]); // sequence and port: the kernel fills in the latter
    bytes.extend([CTRL_CMD_GETFAMILY, 1, 0, 0]);
    bytes.extend(u16::try_from(attribute_length).unwrap_or_default().to_ne_bytes());
    bytes.extend(CTRL_ATTR_FAMILY_NAME.to_ne_bytes());
    bytes.extend(name);
    bytes.resize(length, 0);
    bytes
}

fn find(bytes: &[u8], kind: u16) -> Option<NlaBuffer<&[u8]>> {
    attributes(bytes).find(|attribute| attribute.kind() == kind)
}

fn is_named(bytes: &[u8], name: &str) -> bool {
    find(bytes, CTRL_ATTR_FAMILY_NAME).is_some_and(|attribute| text(attribute.value()) == Some(name))
}

fn family(bytes: &[u8], name: &str) -> Option<Heard> {
    if !is_named(bytes, name) {
        return None;
    }
    let id = find(bytes, CTRL_ATTR_FAMILY_ID)?;
    let groups = find(bytes, CTRL_ATTR_MCAST_GROUPS)?;
    let first = attributes(groups.value()).next()?;
    let group = find(first.value(), CTRL_ATTR_MCAST_GRP_ID)?;
    Some(Heard::Family {
        id: u16::from_ne_bytes(*id.value().first_chunk()?),
        group: u32_of(group.value())?,
    })
}

fn error(bytes: &[u8]) -> Option<CxiError> {
    let number = |kind| u32_of(find(bytes, kind)?.value());
    Some(CxiError {
        cxi: number(CXIERR_ATTR_DEV_NUM)?,
        csr: number(CXIERR_ATTR_CSR_FLG),
        bit: find(bytes, CXIERR_ATTR_BIT).and_then(|bit| bit.value().first().copied()),
    })
}

/// The controller's word on the family, and a message of it.
#[cfg(test)]
pub(super) fn samples() -> Vec<Vec<u8>> {
    use super::test_messages::{attribute, message};
    let group = [
        attribute(1, b"cxierr_mc_group\0"),
        attribute(CTRL_ATTR_MCAST_GRP_ID, &11u32.to_ne_bytes()),
    ]
    .concat();
    let family = [
        vec![CTRL_CMD_NEWFAMILY, 2, 0, 0],
        attribute(CTRL_ATTR_FAMILY_NAME, b"cxierr\0"),
        attribute(CTRL_ATTR_FAMILY_ID, &31u16.to_ne_bytes()),
        attribute(CTRL_ATTR_MCAST_GROUPS, &attribute(1, &group)),
    ];
    let error = [
        vec![CXIERR_ERR_MSG, 1, 0, 0],
        attribute(CXIERR_ATTR_DEV_NUM, &2u32.to_ne_bytes()),
        attribute(CXIERR_ATTR_CSR_FLG, &0x0112_0400u32.to_ne_bytes()),
        attribute(CXIERR_ATTR_BIT, &[47]),
    ];
    vec![message(CONTROLLER, &family.concat()), message(31, &error.concat())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_found_by_its_name() {
        let family = &samples()[0];
        let found: Vec<_> = parse(family, "cxierr", None).collect();
        assert_eq!(found, [Heard::Family { id: 31, group: 11 }]);
        assert_eq!(parse(family, "cxi", None).count(), 0);
        let mut gone = family.clone();
        gone[16] = CTRL_CMD_DELFAMILY;
        assert_eq!(
            parse(&gone, "cxierr", Some(31)).collect::<Vec<_>>(),
            [Heard::FamilyGone]
        );
    }

    #[test]
    fn an_error_is_read_with_its_fields_and_only_from_the_family() {
        let error = &samples()[1];
        let expected = CxiError {
            cxi: 2,
            csr: Some(0x0112_0400),
            bit: Some(47),
        };
        assert_eq!(
            parse(error, "cxierr", Some(31)).collect::<Vec<_>>(),
            [Heard::Error(expected)]
        );
        assert_eq!(parse(error, "cxierr", Some(30)).count(), 0);
        assert_eq!(parse(error, "cxierr", None).count(), 0);
    }
}
