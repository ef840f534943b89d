//! Services for pods on NICs whose driver is in memory: what is made, refused, ended and found again, and 1,000 random
//! histories (`CXI_RANDOM_SEED`, `CXI_RANDOM_HISTORIES`).
#![cfg(test)]

#[path = "isolation_keeper/histories.rs"]
mod histories;
#[path = "isolation_keeper/one_nic.rs"]
mod one_nic;
#[path = "isolation_keeper/refusals.rs"]
mod refusals;

#[allow(dead_code, reason = "no test file uses everything")]
#[path = "common/driver.rs"]
mod driver;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cxi_device_plugin::host::device::commands::Commands;
use cxi_device_plugin::host::device::survey;
use cxi_device_plugin::isolation::keeper::words::Refusal;
use cxi_device_plugin::isolation::keeper::{Keeper, Moment, Store, Want};
use cxi_device_plugin::model::isolation::ledger::Ledger;
use cxi_device_plugin::model::isolation::pod::Sandbox;
use cxi_device_plugin::model::services::descriptor::Descriptor;
use cxi_device_plugin::model::services::service::Service;
use cxi_sim::driver::{Caller, Nic, Parameters};
use driver::{ROOT, Twin, lni_of};
use nix::errno::Errno;

/// A ledger that outlives its keeper, until that has been killed.
#[derive(Clone, Default)]
struct Kept {
    ledger: Arc<Mutex<Ledger>>,
    killed: Arc<AtomicBool>,
}

impl Store for Kept {
    fn keep(&self, ledger: &Ledger) -> Result<(), String> {
        if self.killed.load(Ordering::Relaxed) {
            return Err("killed".to_owned());
        }
        // As in a file.
        let text = serde_json::to_string(ledger).unwrap();
        *self.ledger.lock().unwrap() = serde_json::from_str(&text).unwrap();
        Ok(())
    }
}

/// One NIC with its keeper, which can be killed after any command.
struct Host {
    twin: Twin,
    kept: Kept,
    keeper: RefCell<Keeper>,
    life: Cell<u32>,
    now: Cell<Duration>,
    /// Commands that have been carried out, by their numbers.
    sent: Rc<RefCell<Vec<u32>>>,
    /// After how many of them it is killed.
    kill_after: Rc<Cell<Option<usize>>>,
}

/// Numbers of the commands that make, end and switch services, and admit a namespace.
const CHANGING: [u32; 4] = [28, 29, 80, 84];

/// Called after each command that changes something.
type Watch = Box<dyn Fn(&mut Nic)>;

impl Host {
    fn new() -> Self {
        Self::with(Parameters::default(), Box::new(|_| {}))
    }

    fn with(parameters: Parameters, watch: Watch) -> Self {
        let twin = Twin::new(parameters);
        let kept = Kept::default();
        let sent: Rc<RefCell<Vec<u32>>> = Rc::default();
        let kill_after: Rc<Cell<Option<usize>>> = Rc::default();
        let (killed, log) = (Arc::clone(&kept.killed), Rc::clone(&sent));
        twin.refuse_if(move |request| {
            if killed.load(Ordering::Relaxed) {
                return Some(Errno::EIO);
            }
            let bytes = request.bytes(0, 0);
            log.borrow_mut()
                .push(u32::from_le_bytes(bytes[..4].try_into().unwrap()));
            None
        });
        let (killed, limit, log) = (Arc::clone(&kept.killed), Rc::clone(&kill_after), Rc::clone(&sent));
        twin.after_each(move |nic| {
            // Questions change nothing.
            if log.borrow().last().is_some_and(|op| CHANGING.contains(op)) {
                watch(nic);
            }
            if limit.get().is_some_and(|limit| log.borrow().len() >= limit) {
                killed.store(true, Ordering::Relaxed);
            }
        });
        let keeper = Keeper::new("0000:21:00.0", Ledger::of_life(""), Box::new(kept.clone()));
        Self {
            twin,
            kept,
            keeper: RefCell::new(keeper),
            life: Cell::new(1),
            now: Cell::new(Duration::ZERO),
            sent,
            kill_after,
        }
    }

    fn at(&self) -> Moment {
        Moment {
            now: self.now.get(),
            chance: 0.5,
        }
    }

    fn life(&self) -> String {
        format!("cxi0 {}", self.life.get())
    }

    fn bind(&self, want: &Want) -> Result<u32, Refusal> {
        self.keeper
            .borrow_mut()
            .bind(Commands::to(&self.twin), &self.life(), want, self.at())
    }

    fn release(&self, sandbox: &str) {
        self.keeper
            .borrow_mut()
            .release(Commands::to(&self.twin), &self.life(), sandbox, self.at());
    }

    fn sweep(&self, living: &[&str]) {
        let lives = |sandbox: &str| living.contains(&sandbox);
        self.keeper
            .borrow_mut()
            .sweep(Commands::to(&self.twin), &self.life(), lives, self.at());
    }

    fn pass(&self, time: Duration) {
        self.now.set(self.now.get() + time);
        self.twin.nic().advance(time);
        self.keeper
            .borrow_mut()
            .try_again(Commands::to(&self.twin), &self.life(), self.at());
    }

    /// The next command is the so-manieth of which it does not hear any more.
    fn kill_after(&self, commands: usize) {
        self.sent.borrow_mut().clear();
        self.kill_after.set(Some(commands));
    }

    fn was_killed(&self) -> bool {
        self.kept.killed.load(Ordering::Relaxed)
    }

    /// Starts it again, with what is in its ledger.
    fn restart(&self) {
        self.kill_after.set(None);
        self.kept.killed.store(false, Ordering::Relaxed);
        let ledger = self.kept.ledger.lock().unwrap().clone();
        *self.keeper.borrow_mut() = Keeper::new("0000:21:00.0", ledger, Box::new(self.kept.clone()));
    }

    /// The driver is bound anew.
    fn rebind(&self, parameters: Parameters) {
        *self.twin.nic() = Nic::new(parameters);
        self.life.set(self.life.get() + 1);
    }

    /// All but the default service.
    fn services(&self) -> Vec<Service> {
        services_of(&self.twin.nic())
    }

    fn ids(&self) -> Vec<u32> {
        self.services().iter().map(Service::id).collect()
    }

    /// Somebody else makes a service: for a user, with these VNIs.
    fn foreign(&self, vnis: &[u16], uid: u32) -> u32 {
        use cxi_device_plugin::model::services::descriptor::Member;
        let descriptor = Descriptor {
            restricted_members: true,
            restricted_vnis: true,
            vnis: vnis.to_vec(),
            members: vec![Member::Uid(uid)],
            resource_limits: true,
            ..Descriptor::default()
        };
        alloc(&mut self.twin.nic(), &descriptor).unwrap()
    }

    /// Whether a process in this namespace may use a service.
    fn admits(&self, netns: u32, service: u32) -> Result<(), i32> {
        admits(&mut self.twin.nic(), netns, service)
    }

    /// A process of a pod that uses a service, until it is closed.
    fn open(&self, client: u32, netns: u32, service: u32) {
        lni_of(&mut self.twin.nic(), client, process(netns), service).unwrap();
    }
}

/// A process of a user of a pod.
fn process(netns: u32) -> Caller {
    Caller {
        uid: 1000,
        gid: 1000,
        netns,
        is_admin: false,
    }
}

fn admits(nic: &mut Nic, netns: u32, service: u32) -> Result<(), i32> {
    const TRIES: u32 = 999_999;
    let tried = lni_of(nic, TRIES, process(netns), service);
    nic.close(TRIES);
    tried.map(drop)
}

/// As somebody else's program would.
fn alloc(nic: &mut Nic, descriptor: &Descriptor) -> Result<u32, i32> {
    use cxi_device_plugin::model::services::abi::Request;
    let outcome = nic.command(88, &ROOT, &Request::alloc(&descriptor.to_bytes()).bytes(1, 0));
    outcome
        .result
        .map(|()| u32::from_le_bytes(outcome.writes[0].1[..4].try_into().unwrap()))
}

fn destroy(nic: &mut Nic, service: u32) -> Result<(), i32> {
    use cxi_device_plugin::model::services::abi::{Command, Request};
    let request = Request::of_service(Command::ServiceDestroy, service);
    nic.command(88, &ROOT, &request.bytes(0, 0)).result
}

fn services_of(nic: &Nic) -> Vec<Service> {
    let twin = Twin::new(Parameters::default());
    *twin.nic() = nic.clone();
    let services = survey::services(Commands::to(&twin), &std::collections::BTreeMap::new()).unwrap();
    services.into_iter().filter(|service| !service.is_default()).collect()
}

/// A pod of namespace `blue` with VNI 1024, unless it is told otherwise.
fn want(sandbox: &str, netns: u32) -> Want {
    want_in("blue", 1024, sandbox, netns)
}

fn want_in(namespace: &str, vni: u16, sandbox: &str, netns: u32) -> Want {
    Want {
        sandbox: Sandbox {
            id: sandbox.to_owned(),
            namespace: namespace.to_owned(),
            pod: format!("pod-{sandbox}"),
        },
        netns,
        path: String::new(),
        vni,
        group: namespace.to_owned(),
    }
}
