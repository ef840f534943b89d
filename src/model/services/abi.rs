//! The commands of `/dev/cxiN` as bytes. One command is one write(2) of exactly so many bytes, little endian, in which
//! addresses of the caller's memory say where the answer goes (`cxi-abi.h`). Numbers and sizes have not changed since 2025-07,
//! and no command tells which of them a driver knows: an older one answers EINVAL or EOPNOTSUPP.

/// A command, with its number, the size of its request, and that of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `SVC_LIST_GET`: how many services there are; all of them, if there is room.
    ServiceList,
    /// `SVC_ALLOC`: make a service.
    ServiceAlloc,
    /// `SVC_DESTROY`: end a service.
    ServiceDestroy,
    /// `SVC_GET`: one service.
    ServiceGet,
    /// `SVC_RSRC_LIST_GET`: what each service uses.
    UseList,
    /// `SVC_RSRC_GET`: what one service uses.
    UseGet,
    /// `DEV_INFO_GET`: the NIC. It may wake the NIC's microcontroller.
    DeviceInfo,
    /// `SVC_SET_LPR`: how many LNIs share a resource group.
    SetLnisPerRgid,
    /// `SVC_GET_LPR`.
    GetLnisPerRgid,
    /// `SVC_SET_EXCLUSIVE_CP`.
    SetExclusiveCp,
    /// `SVC_GET_EXCLUSIVE_CP`: whether a service has its communication profiles for itself.
    GetExclusiveCp,
    /// `SVC_ENABLE`: switch a service on or off.
    ServiceEnable,
    /// `SVC_SET_VNI_RANGE`.
    SetVniRange,
    /// `SVC_GET_VNI_RANGE`.
    GetVniRange,
    /// `SVC_SET_NETNS`: admit a network namespace.
    SetNetns,
    /// `SVC_GET_NETNS`.
    GetNetns,
}

/// What a command is to the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Its number.
    pub op: u32,
    /// Bytes of the request.
    pub size: usize,
    /// Bytes that are written to the place of the answer.
    pub answer: usize,
    /// As HPE calls it.
    pub name: &'static str,
}

impl Command {
    /// Number, sizes and name.
    pub fn shape(self) -> Shape {
        let (op, size, answer, name) = match self {
            Self::ServiceList => (27, 32, 4, "SVC_LIST_GET"),
            Self::ServiceAlloc => (28, 88, 24, "SVC_ALLOC"),
            Self::ServiceDestroy => (29, 8, 0, "SVC_DESTROY"),
            Self::ServiceGet => (45, 24, 68, "SVC_GET"),
            Self::UseList => (49, 32, 4, "SVC_RSRC_LIST_GET"),
            Self::UseGet => (50, 24, 24, "SVC_RSRC_GET"),
            Self::DeviceInfo => (52, 16, 120, "DEV_INFO_GET"),
            Self::SetLnisPerRgid => (53, 24, 0, "SVC_SET_LPR"),
            Self::GetLnisPerRgid => (54, 24, 4, "SVC_GET_LPR"),
            Self::SetExclusiveCp => (78, 12, 0, "SVC_SET_EXCLUSIVE_CP"),
            Self::GetExclusiveCp => (79, 24, 1, "SVC_GET_EXCLUSIVE_CP"),
            Self::ServiceEnable => (80, 24, 0, "SVC_ENABLE"),
            Self::SetVniRange => (81, 32, 0, "SVC_SET_VNI_RANGE"),
            Self::GetVniRange => (82, 32, 8, "SVC_GET_VNI_RANGE"),
            Self::SetNetns => (84, 12, 0, "SVC_SET_NETNS"),
            Self::GetNetns => (85, 24, 4, "SVC_GET_NETNS"),
        };
        Shape { op, size, answer, name }
    }
}

/// Where a request has what: short ones have their fields behind the number, the others behind the place of the answer.
const SHORT_FIELDS: usize = 4;
const ANSWER: usize = 8;
const FIELDS: usize = 16;
const LIST: usize = 24;

/// A command with its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    command: Command,
    bytes: Vec<u8>,
}

impl Request {
    /// Without fields, or about the service `id`.
    fn new(command: Command, fields: &[u32]) -> Self {
        let shape = command.shape();
        let mut bytes = vec![0; shape.size];
        put(&mut bytes, 0, &shape.op.to_le_bytes());
        let first = if shape.size < FIELDS { SHORT_FIELDS } else { FIELDS };
        for (place, field) in fields.iter().enumerate() {
            put(&mut bytes, first + 4 * place, &field.to_le_bytes());
        }
        Self { command, bytes }
    }

    /// The NIC.
    pub fn device_info() -> Self {
        Self::new(Command::DeviceInfo, &[])
    }

    /// A list with room for so many.
    pub fn list(command: Command, room: u32) -> Self {
        Self::new(command, &[room])
    }

    /// About one service.
    pub fn of_service(command: Command, id: u32) -> Self {
        Self::new(command, &[id])
    }

    /// About one service, with a value. A truth is a byte, here as everywhere the first one of four.
    pub fn with_value(command: Command, id: u32, value: u32) -> Self {
        Self::new(command, &[id, value])
    }

    /// A range of VNIs, both ends in it.
    pub fn vni_range(id: u32, first: u32, last: u32) -> Self {
        Self::new(Command::SetVniRange, &[id, first, last])
    }

    /// A new service.
    pub fn alloc(descriptor: &[u8]) -> Self {
        let mut request = Self::new(Command::ServiceAlloc, &[]);
        put(&mut request.bytes, FIELDS, descriptor);
        request
    }

    /// Which command it is.
    pub fn command(&self) -> Command {
        self.command
    }

    /// As it is written, with the addresses of where the answer and the list go; zero where there is none.
    pub fn bytes(&self, answer: u64, list: u64) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        // A short request has no place for an answer.
        if bytes.len() >= FIELDS && self.command.shape().answer > 0 {
            put(&mut bytes, ANSWER, &answer.to_le_bytes());
        }
        if matches!(self.command, Command::ServiceList | Command::UseList) {
            put(&mut bytes, LIST, &list.to_le_bytes());
        }
        bytes
    }
}

/// Puts bytes at a place; what does not fit is left out, which the tables of sizes rule out.
pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The byte at a place.
pub(super) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The two bytes at a place.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The four bytes at a place.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hexadecimal, where `PP` stands for an address.
    fn written(request: &Request, list: u64) -> String {
        let bytes = request.bytes(0xaaaa_aaaa_aaaa_aaaa, list);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.replace("aaaaaaaaaaaaaaaa", "PP")
    }

    #[test]
    fn requests_are_what_hpes_own_tools_write() {
        let here = 0xaaaa_aaaa_aaaa_aaaa;
        let cases = [
            (Request::device_info(), 0, "3400000000000000PP"),
            (
                Request::list(Command::ServiceList, 0),
                0,
                "1b00000000000000PP00000000000000000000000000000000",
            ),
            (
                Request::list(Command::ServiceList, 3),
                here,
                "1b00000000000000PP0300000000000000PP",
            ),
            (
                Request::of_service(Command::ServiceGet, 1),
                0,
                "2d00000000000000PP0100000000000000",
            ),
            (
                Request::list(Command::UseList, 3),
                here,
                "3100000000000000PP0300000000000000PP",
            ),
            (
                Request::of_service(Command::UseGet, 1),
                0,
                "3200000000000000PP0100000000000000",
            ),
            (
                Request::of_service(Command::GetLnisPerRgid, 1),
                0,
                "3600000000000000PP0100000000000000",
            ),
            (
                Request::with_value(Command::ServiceEnable, 1, 1),
                0,
                "500000000000000000000000000000000100000001000000",
            ),
            (
                Request::with_value(Command::ServiceEnable, 1, 0),
                0,
                "500000000000000000000000000000000100000000000000",
            ),
            (Request::of_service(Command::ServiceDestroy, 3), 0, "1d00000003000000"),
        ];
        for (request, list, expected) in cases {
            assert_eq!(written(&request, list), expected, "{}", request.command().shape().name);
        }
    }

    #[test]
    fn fields_are_where_the_driver_looks_for_them() {
        let netns = Request::with_value(Command::SetNetns, 5, 4_026_532_000);
        assert_eq!(written(&netns, 0), "5400000005000000a00000f0");
        let exclusive = Request::with_value(Command::SetExclusiveCp, 5, 1);
        assert_eq!(written(&exclusive, 0), "4e0000000500000001000000");
        assert_eq!(
            written(&Request::vni_range(5, 64, 127), 0),
            format!("51000000{}05000000400000007f00000000000000", "00".repeat(12))
        );
        assert_eq!(
            written(&Request::with_value(Command::SetLnisPerRgid, 5, 4), 0),
            format!("35000000{}0500000004000000", "00".repeat(12))
        );
        let alloc = Request::alloc(&[0x5a; 68]).bytes(1, 0);
        assert_eq!(alloc.len(), 88);
        assert!(alloc[16..84].iter().all(|byte| *byte == 0x5a));
        assert_eq!(alloc[84..], [0; 4]);
    }

    #[test]
    fn no_request_has_another_size_than_the_driver_wants() {
        let all = [
            (Command::ServiceList, 27, 32),
            (Command::ServiceAlloc, 28, 88),
            (Command::ServiceDestroy, 29, 8),
            (Command::ServiceGet, 45, 24),
            (Command::UseList, 49, 32),
            (Command::UseGet, 50, 24),
            (Command::DeviceInfo, 52, 16),
            (Command::SetLnisPerRgid, 53, 24),
            (Command::GetLnisPerRgid, 54, 24),
            (Command::SetExclusiveCp, 78, 12),
            (Command::GetExclusiveCp, 79, 24),
            (Command::ServiceEnable, 80, 24),
            (Command::SetVniRange, 81, 32),
            (Command::GetVniRange, 82, 32),
            (Command::SetNetns, 84, 12),
            (Command::GetNetns, 85, 24),
        ];
        for (command, op, size) in all {
            let bytes = Request::of_service(command, 7).bytes(1, 2);
            assert_eq!(
                (u32_at(&bytes, 0), bytes.len()),
                (Some(op), size),
                "{}",
                command.shape().name
            );
        }
    }
}
