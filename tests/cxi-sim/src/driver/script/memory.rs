//! Scripts on the driver in memory.

use std::collections::BTreeMap;
use std::error::Error;

use super::super::bytes::put;
use super::super::{Caller, Nic, Parameters};
use super::{Answer, Received, Sent, Side};

/// Where the caller has its buffers.
const ANSWER: u64 = 0x10_0000;
const LIST: u64 = 0x20_0000;
const NAMESPACES: [u32; 3] = [4_026_531_840, 4_026_532_000, 4_026_532_100];

/// It, with the files that are open.
#[derive(Debug)]
pub struct Memory {
    nic: Nic,
    clients: BTreeMap<String, u32>,
    next: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            nic: Nic::new(Parameters::default()),
            clients: BTreeMap::new(),
            next: 1,
        }
    }
}

impl Side for Memory {
    fn open(&mut self, file: &str) -> Result<(), Box<dyn Error>> {
        self.clients.insert(file.to_owned(), self.next);
        self.next += 1;
        Ok(())
    }

    fn close(&mut self, file: &str) {
        if let Some(client) = self.clients.remove(file) {
            self.nic.close(client);
        }
    }

    fn namespaces(&self) -> [u32; 3] {
        NAMESPACES
    }

    fn call(&mut self, file: &str, Sent(call): &Sent) -> Result<Received, Box<dyn Error>> {
        let client = *self.clients.get(file).ok_or("the file is not open")?;
        let place = call.who.namespace.map_or(0, |place| place + 1);
        let caller = Caller {
            uid: call.who.uid,
            gid: call.who.gid,
            netns: NAMESPACES.get(place).copied().unwrap_or_default(),
            is_admin: call.who.is_admin,
        };
        let mut memory = call.request.clone();
        if call.has_answer {
            put(&mut memory, 8, &ANSWER.to_le_bytes());
        }
        if call.has_list {
            put(&mut memory, 24, &LIST.to_le_bytes());
        }
        let size = memory.len();
        if !call.at_edge {
            memory.resize(size.max(16), 0);
        }
        let outcome = self.nic.write(client, &caller, &memory, size);
        let (mut answer, mut list) = call.buffers();
        for (address, bytes) in outcome.writes {
            match address {
                ANSWER => put(&mut answer, 0, &bytes),
                LIST => put(&mut list, 0, &bytes),
                other => return Err(format!("a write to {other:#x}").into()),
            }
        }
        let result = outcome.result;
        Ok(Received(Answer { result, answer, list }))
    }
}
