//! The driver in memory, in the place of one behind a device node.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;

use cxi_device_plugin::host::device::driver::Driver;
use cxi_device_plugin::model::services::abi::Request;
use cxi_sim::driver::{Caller, Nic, Parameters};
use nix::errno::Errno;

/// An admin.
pub const ROOT: Caller = Caller {
    uid: 0,
    gid: 0,
    netns: 4_026_531_840,
    is_admin: true,
};

/// Addresses that stand for the caller's buffers.
const ANSWER: u64 = 0x1000;
const LIST: u64 = 0x2000;
/// The program under test, as a client.
const CLIENT: u32 = 1;

type Refuses = Box<dyn Fn(&Request) -> Option<Errno>>;
type Watches = Box<dyn Fn(&mut Nic)>;

/// It, with what a test does to commands.
pub struct Twin {
    nic: Rc<RefCell<Nic>>,
    caller: Caller,
    refuses: RefCell<Refuses>,
    after_each: RefCell<Watches>,
}

impl Twin {
    pub fn new(parameters: Parameters) -> Self {
        Self {
            nic: Rc::new(RefCell::new(Nic::new(parameters))),
            caller: ROOT,
            refuses: RefCell::new(Box::new(|_| None)),
            after_each: RefCell::new(Box::new(|_| {})),
        }
    }

    pub fn called_by(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    pub fn nic(&self) -> RefMut<'_, Nic> {
        self.nic.borrow_mut()
    }

    pub fn shared(&self) -> Rc<RefCell<Nic>> {
        Rc::clone(&self.nic)
    }

    /// Some commands fail before they are carried out.
    pub fn refuse_if(&self, refuses: impl Fn(&Request) -> Option<Errno> + 'static) {
        *self.refuses.borrow_mut() = Box::new(refuses);
    }

    /// Somebody looks, or does something, after each command.
    pub fn after_each(&self, watches: impl Fn(&mut Nic) + 'static) {
        *self.after_each.borrow_mut() = Box::new(watches);
    }
}

impl Driver for Twin {
    fn exchange(&self, request: &Request, answer: &mut [u8], list: &mut [u8]) -> Result<(), Errno> {
        if let Some(errno) = (self.refuses.borrow())(request) {
            return Err(errno);
        }
        let place = |buffer: &[u8], address| if buffer.is_empty() { 0 } else { address };
        let bytes = request.bytes(place(answer, ANSWER), place(list, LIST));
        let outcome = self.nic.borrow_mut().command(CLIENT, &self.caller, &bytes);
        for (address, bytes) in outcome.writes {
            let buffer = match address {
                ANSWER => &mut *answer,
                LIST => &mut *list,
                other => panic!("a write to {other:#x}"),
            };
            // More than there is room for would have been written over something else.
            buffer[..bytes.len()].copy_from_slice(&bytes);
        }
        (self.after_each.borrow())(&mut self.nic.borrow_mut());
        outcome.result.map_err(Errno::from_raw)
    }
}

/// Somebody uses a service.
pub fn lni(twin: &Twin, client: u32, caller: Caller, service: u32) -> Result<u32, i32> {
    lni_of(&mut twin.nic(), client, caller, service)
}

/// The same, of a NIC that is at hand.
pub fn lni_of(nic: &mut Nic, client: u32, caller: Caller, service: u32) -> Result<u32, i32> {
    let mut request = vec![0; 24];
    request[0] = 1;
    request[8..16].copy_from_slice(&ANSWER.to_le_bytes());
    request[16..20].copy_from_slice(&service.to_le_bytes());
    let outcome = nic.command(client, &caller, &request);
    outcome
        .result
        .map(|()| u32::from_le_bytes(outcome.writes[0].1[..4].try_into().unwrap()))
}
