//! Commands as bytes: what is checked before one is carried out, and where its answer goes.

use super::Answered;
use super::bytes::{put, u8_at, u32_at, u64_at};
use super::errno::{EFAULT, EINVAL, EOPNOTSUPP, EPERM};
use super::nic::Nic;
use super::pools::{FailInfo, TOTALS};
use super::rights::Way;
use super::service::{Caller, SIZE, Service};

/// What a command comes to: a number, and bytes that go to addresses of the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Nothing, or the number of an error.
    pub result: Result<(), i32>,
    /// What is written, and where.
    pub writes: Vec<(u64, Vec<u8>)>,
}

/// Of each command: number, bytes of the request, whether it takes an admin.
const COMMANDS: [(u32, usize, bool); 24] = [
    (1, 24, false),
    (2, 8, false),
    (4, 32, false),
    (5, 8, false),
    (6, 32, false),
    (7, 8, false),
    (27, 32, false),
    (28, 88, true),
    (29, 8, true),
    (34, 16, false),
    (44, 88, true),
    (45, 24, false),
    (49, 32, false),
    (50, 24, false),
    (52, 16, false),
    (53, 24, true),
    (54, 24, false),
    (78, 12, true),
    (79, 24, false),
    (80, 24, true),
    (81, 32, true),
    (82, 32, false),
    (84, 12, true),
    (85, 24, false),
];
/// One above the highest number.
const OPS: u32 = 110;
/// What is read of every command first, whatever its size.
const HEADER: usize = 16;

impl Nic {
    /// One write(2) of a client, which is an open file.
    pub fn command(&mut self, client: u32, caller: &Caller, request: &[u8]) -> Outcome {
        let mut memory = request.to_vec();
        memory.resize(request.len().max(HEADER), 0);
        self.write(client, caller, &memory, request.len())
    }

    /// The same, where `memory` is what can be read at the request's address, as far as the driver looks.
    pub fn write(&mut self, client: u32, caller: &Caller, memory: &[u8], size: usize) -> Outcome {
        let mut writes = Vec::new();
        let result = self
            .accept(caller, memory, size)
            .and_then(|request| self.carry_out(client, caller, request, &mut writes));
        Outcome { result, writes }
    }

    /// The checks before a command, in the driver's order.
    fn accept<'a>(&self, caller: &Caller, memory: &'a [u8], size: usize) -> Answered<&'a [u8]> {
        let op = u32_at(memory.get(..HEADER).ok_or(EFAULT)?, 0);
        if op == 0 || op >= OPS {
            return Err(EINVAL);
        }
        let known = COMMANDS.iter().find(|(known, _, _)| *known == op);
        let (_, wanted, takes_admin) = known.ok_or(EOPNOTSUPP)?;
        if size != *wanted {
            return Err(EINVAL);
        }
        let request = memory.get(..size).ok_or(EFAULT)?;
        if *takes_admin && !(caller.is_admin && self.is_physical) {
            return Err(EPERM);
        }
        self.fails.map_or(Ok(request), Err)
    }

    fn carry_out(
        &mut self,
        client: u32,
        caller: &Caller,
        request: &[u8],
        writes: &mut Vec<(u64, Vec<u8>)>,
    ) -> Answered<()> {
        let (brief, brief_2) = (u32_at(request, 4), u32_at(request, 8));
        let (field, field_2, field_3) = (u32_at(request, 16), u32_at(request, 20), u32_at(request, 24));
        let field_4 = u32_at(request, 28);
        let place = u64_at(request, 8);
        let mut answer = |bytes: Vec<u8>| {
            if place == 0 {
                return Err(EFAULT);
            }
            writes.push((place, bytes));
            Ok(())
        };
        let number = |value: u32| value.to_le_bytes().to_vec();
        match u32_at(request, 0) {
            1 => {
                let lni = self.add_lni(client, caller, field)?;
                let answered = answer(number(lni));
                if answered.is_err() {
                    self.free_lni(client, lni)?;
                }
                answered
            }
            2 => self.free_lni(client, brief),
            4 => {
                let (domain, pid) = self.add_domain(client, caller, field, field_2, field_3)?;
                let answered = answer([domain, field_2, pid].map(number).concat());
                if answered.is_err() {
                    self.free_domain(client, domain)?;
                }
                answered
            }
            5 => self.free_domain(client, brief),
            6 => {
                let way = Way {
                    vni: field_2,
                    class: field_3,
                    kind: field_4,
                };
                let (cp, lcid) = self.add_cp(client, caller, field, way)?;
                let answered = answer([cp, lcid].map(number).concat());
                if answered.is_err() {
                    self.free_cp(client, cp)?;
                }
                answered
            }
            7 => self.free_cp(client, brief),
            28 => self.alloc_by(request, &mut answer),
            29 => self.destroy(brief),
            34 => answer(self.properties()),
            44 => {
                let updated = self.update(&descriptor_of(request));
                answer(vec![0; 20])?;
                updated
            }
            45 => {
                let service = self.services.get(&field).filter(|service| !service.is_group);
                answer(service.ok_or(EINVAL)?.desc.to_vec())
            }
            50 => {
                let service = self.services.get(&field).ok_or(EINVAL)?;
                answer(self.use_of(service, 0))
            }
            52 => answer(self.device_info()),
            53 => self.set_lnis_per_rgid(field, field_2),
            54 => answer(number(self.lnis_per_rgid(field)?)),
            78 => self.set_exclusive_cp(brief, brief_2 & 0xff != 0),
            79 => answer(vec![u8::from(self.exclusive_cp(field)?)]),
            80 => self.enable(field, field_2 & 0xff != 0),
            81 => self.set_vni_range(field, field_2, field_3),
            82 => {
                let (first, last) = self.vni_range(field)?;
                answer([number(first), number(last)].concat())
            }
            84 => self.set_netns(brief, brief_2),
            85 => answer(number(self.netns(field)?)),
            27 | 49 => self.list(request, writes),
            _ => Err(EOPNOTSUPP),
        }
    }

    /// The answer says what was missing, so it is given on failure, too.
    fn alloc_by(&mut self, request: &[u8], answer: &mut dyn FnMut(Vec<u8>) -> Answered<()>) -> Answered<()> {
        let mut fail = FailInfo::default();
        let made = self.alloc(&descriptor_of(request), &mut fail);
        let mut bytes = vec![0; 24];
        put(&mut bytes, 0, &made.unwrap_or(0).to_le_bytes());
        for (kind, count) in fail.available.iter().enumerate() {
            put(&mut bytes, 4 + 2 * kind, &count.to_le_bytes());
        }
        put(
            &mut bytes,
            20,
            &[u8::from(fail.no_le_pools), u8::from(fail.no_tle_pools)],
        );
        answer(bytes)?;
        made.map(drop)
    }

    /// The count always, the list only if there is room for all of it.
    fn list(&self, request: &[u8], writes: &mut Vec<(u64, Vec<u8>)>) -> Answered<()> {
        let (place, list) = (u64_at(request, 8), u64_at(request, 24));
        let room = usize::try_from(u32_at(request, 16)).unwrap_or(usize::MAX);
        if place == 0 {
            return Err(EFAULT);
        }
        let count = u32::try_from(self.services.len()).unwrap_or(u32::MAX);
        writes.push((place, count.to_le_bytes().to_vec()));
        if room >= self.services.len() {
            let entry = |(id, service): (&u32, &Service)| match u8_at(request, 0) {
                27 => service.desc.to_vec(),
                _ => self.use_of(service, *id),
            };
            let entries: Vec<u8> = self.services.iter().flat_map(entry).collect();
            if list == 0 {
                return Err(EFAULT);
            }
            writes.push((list, entries));
        }
        Ok(())
    }

    fn use_of(&self, service: &Service, id: u32) -> Vec<u8> {
        let (pool, counts) = self.usage(service);
        let mut bytes = [id.to_le_bytes(), pool.to_le_bytes()].concat();
        bytes.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
        bytes
    }

    /// As the guest's module has it of a Cassini 1 with its link up.
    fn device_info(&self) -> Vec<u8> {
        let mut bytes = vec![0; 120];
        put(&mut bytes, 0, &self.nid.to_le_bytes());
        put_sizes(&mut bytes, 4);
        put(&mut bytes, 32, &2_u32.to_le_bytes());
        put(&mut bytes, 56, &2112_u64.to_le_bytes());
        // PTE TXQ TGQ EQ CT AC TLE LE: not the order of the other arrays.
        for (place, kind) in [0, 1, 2, 3, 4, 7, 6, 5].into_iter().enumerate() {
            put(&mut bytes, 74 + 2 * place, &TOTALS[kind].to_le_bytes());
        }
        put(&mut bytes, 108, &CASSINI_1.to_le_bytes());
        put(&mut bytes, 112, &1_u32.to_le_bytes());
        // A VF reads neither its ids nor the state of the port.
        if self.is_physical {
            put(&mut bytes, 24, &0x17db_u32.to_le_bytes());
            put(&mut bytes, 28, &0x0501_u32.to_le_bytes());
            put(&mut bytes, 44, &1_u32.to_le_bytes());
            put(&mut bytes, 64, &200_000_u64.to_le_bytes());
            put(&mut bytes, 72, &[1]);
            put(&mut bytes, 90, b"200Gb 1P N");
        }
        bytes
    }

    fn properties(&self) -> Vec<u8> {
        let mut bytes = vec![0; 84];
        put(&mut bytes, 0, &self.nid.to_le_bytes());
        put_sizes(&mut bytes, 8);
        for (kind, total) in TOTALS.iter().enumerate() {
            put(&mut bytes, 28 + 4 * kind, &total.to_le_bytes());
        }
        put(&mut bytes, 60, &2_u32.to_le_bytes());
        put(&mut bytes, 72, &CASSINI_1.to_le_bytes());
        put(&mut bytes, 76, &[1]);
        put(&mut bytes, 80, &(-1_i32).to_le_bytes());
        bytes
    }
}

const CASSINI_1: u32 = 0x12;

/// Bits, number and granule of PIDs, the least shift, and an index.
fn put_sizes(bytes: &mut [u8], at: usize) {
    for (place, size) in [9, 511, 256, 0, 255_u32].into_iter().enumerate() {
        put(bytes, at + 4 * place, &size.to_le_bytes());
    }
}

fn descriptor_of(request: &[u8]) -> [u8; SIZE] {
    let mut desc = [0; SIZE];
    put(&mut desc, 0, request.get(16..16 + SIZE).unwrap_or_default());
    desc
}
