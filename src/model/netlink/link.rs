//! Link messages of rtnetlink: which interface has changed. How it is now is read from sysfs.

use super::{attributes, messages, text};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
/// Size of `struct ifinfomsg`.
const FIXED_PART: usize = 16;
const IFLA_IFNAME: u16 = 3;

/// The names of the interfaces that a datagram tells of.
pub fn interfaces(datagram: &[u8]) -> impl Iterator<Item = String> {
    messages(datagram)
        .filter(|(kind, _)| matches!(*kind, RTM_NEWLINK | RTM_DELLINK))
        .filter_map(|(_, payload)| name(payload.get(FIXED_PART..)?))
}

fn name(bytes: &[u8]) -> Option<String> {
    let name = attributes(bytes).find(|attribute| attribute.kind() == IFLA_IFNAME)?;
    text(name.value()).map(str::to_owned)
}

/// A message about an interface, as the kernel sends it: another attribute stands before the name.
#[cfg(test)]
pub(super) fn sample(name: &str) -> Vec<u8> {
    use super::test_messages::{attribute, message};
    let name = [name.as_bytes(), b"\0"].concat();
    let attributes = [attribute(1, &[2, 0, 0, 0, 0, 9]), attribute(IFLA_IFNAME, &name)].concat();
    message(RTM_NEWLINK, &[vec![0; FIXED_PART], attributes].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_of_a_datagram_names_its_interface() {
        let datagram = [sample("hsn0"), sample("a"), sample("eth0")].concat();
        assert_eq!(interfaces(&datagram).collect::<Vec<_>>(), ["hsn0", "a", "eth0"]);
    }

    #[test]
    fn other_messages_name_none() {
        let mut address = sample("hsn0");
        address[4] = 20; // RTM_NEWADDR
        assert_eq!(interfaces(&address).count(), 0);
        assert_eq!(interfaces(&sample("hsn0")[..30]).count(), 0);
    }
}
