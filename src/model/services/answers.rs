//! What the driver answers beside descriptors.

use super::abi::{u8_at, u16_at, u32_at};
use super::descriptor::Resource;

/// Bytes of a [`Use`].
pub const USE_SIZE: usize = 24;

/// "Not applicable": list entries without a pool of the service's own are counted for nobody.
const NOT_COUNTED: u16 = u16::MAX;

/// What a service uses: `cxi_rsrc_use`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// Of which service; 0 in the answer about a single one.
    pub id: u32,
    /// Its pool of trigger list entries, of which a NIC has four.
    pub tle_pool: u32,
    /// By [`Resource::ALL`]; none where the driver does not count.
    pub in_use: [Option<u16>; 8],
}

impl Use {
    /// From what the driver has written; none for too few bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut in_use = [None; 8];
        for (place, used) in in_use.iter_mut().enumerate() {
            *used = Some(u16_at(bytes, 8 + 2 * place)?).filter(|used| *used != NOT_COUNTED);
        }
        Some(Self {
            id: u32_at(bytes, 0)?,
            tle_pool: u32_at(bytes, 4)?,
            in_use,
        })
    }
}

/// The NIC by its own word, as far as services need it: `cxi_dev_info_use`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Address on the fabric.
    pub nid: u32,
    /// Event queue of the retry handler; 0 without one.
    pub retry_handler_eq: u32,
    /// How much there is of each resource, by [`Resource::ALL`].
    pub totals: [u16; 8],
}

impl DeviceInfo {
    /// From what the driver has written; none for too few bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let at = |resource| match resource {
            Resource::Pte => 74,
            Resource::Txq => 76,
            Resource::Tgq => 78,
            Resource::Eq => 80,
            Resource::Ct => 82,
            Resource::Ac => 84,
            Resource::Tle => 86,
            Resource::Le => 88,
        };
        let mut totals = [0; 8];
        for (total, resource) in totals.iter_mut().zip(Resource::ALL) {
            *total = u16_at(bytes, at(resource))?;
        }
        Some(Self {
            nid: u32_at(bytes, 0)?,
            retry_handler_eq: u32_at(bytes, 44)?,
            totals,
        })
    }
}

/// The answer to making a service: its number, or what was missing. It comes with a refusal, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllocAnswer {
    /// The new service.
    pub id: u32,
    /// What could have been reserved, by [`Resource::ALL`]; 0 also where the driver did not look.
    pub available: [u16; 8],
    /// No pool of list entries is free.
    pub no_le_pools: bool,
    /// No pool of trigger list entries is free.
    pub no_tle_pools: bool,
}

impl AllocAnswer {
    /// From what the driver has written; none for too few bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut available = [0; 8];
        for (place, count) in available.iter_mut().enumerate() {
            *count = u16_at(bytes, 4 + 2 * place)?;
        }
        Some(Self {
            id: u32_at(bytes, 0)?,
            available,
            no_le_pools: u8_at(bytes, 20)? != 0,
            no_tle_pools: u8_at(bytes, 21)? != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_read_at_its_places() {
        let mut bytes = [0; USE_SIZE];
        bytes[0] = 5;
        bytes[4] = 2;
        for place in 0..8 {
            bytes[8 + 2 * place] = u8::try_from(place).unwrap() + 1;
        }
        bytes[18..20].copy_from_slice(&[0xff, 0xff]);
        let read = Use::from_bytes(&bytes).unwrap();
        assert_eq!((read.id, read.tle_pool), (5, 2));
        assert_eq!(
            read.in_use,
            [Some(1), Some(2), Some(3), Some(4), Some(5), None, Some(7), Some(8)]
        );
        assert_eq!(Use::from_bytes(&bytes[..23]), None);
    }

    #[test]
    fn the_nics_totals_are_in_another_order_than_everywhere_else() {
        let mut bytes = [0; 120];
        for (place, value) in (74..90).step_by(2).zip(1..) {
            bytes[place] = value;
        }
        bytes[..4].copy_from_slice(&[1, 2, 3, 0]);
        bytes[44] = 9;
        let read = DeviceInfo::from_bytes(&bytes).unwrap();
        assert_eq!((read.nid, read.retry_handler_eq), (0x0003_0201, 9));
        assert_eq!(read.totals, [1, 2, 3, 4, 5, 8, 7, 6]);
    }

    #[test]
    fn a_refusal_says_what_was_missing() {
        let mut bytes = [0; 24];
        bytes[0] = 3;
        bytes[16..18].copy_from_slice(&[0, 6]);
        bytes[21] = 1;
        let read = AllocAnswer::from_bytes(&bytes).unwrap();
        assert_eq!((read.id, read.available[6]), (3, 1536));
        assert_eq!((read.no_le_pools, read.no_tle_pools), (false, true));
    }
}
