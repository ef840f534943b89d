//! Random histories of pods, launchers, crashes and drivers that are bound anew, by a clock that the test turns.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use cxi_sim::driver::{Nic, Parameters};

use super::{Host, admits, destroy, services_of, want_in};

/// Two NICs, and three namespaces with a VNI each.
const NICS: usize = 2;
const NAMESPACES: [(&str, u16); 3] = [("blue", 1024), ("red", 1032), ("green", 1040)];
/// So few numbers that those of pods that are gone are used again.
const NUMBERS: std::ops::Range<u32> = 700..706;

/// A pod that lives.
#[derive(Clone, Debug)]
struct Pod {
    sandbox: String,
    namespace: usize,
    netns: u32,
    nics: BTreeSet<usize>,
}

/// Who has been given a NIC, for whoever looks after each command: number of the namespace, and its VNI.
type Given = Rc<RefCell<BTreeMap<u32, u16>>>;

struct World {
    random: fastrand::Rng,
    hosts: Vec<Host>,
    /// By NIC.
    given: Vec<Given>,
    pods: Vec<Pod>,
    /// Launchers' services, by NIC.
    foreign: Vec<BTreeSet<u32>>,
    /// Open uses: NIC, client, sandbox. Some last longer than their pod.
    uses: Vec<(usize, u32, String)>,
    /// Sandboxes whose end was not told, or to one that was killed: nobody has held their namespaces open.
    missed: BTreeSet<String>,
    count: u32,
    log: Vec<String>,
}

/// No pod with a NIC reaches a VNI of another namespace there, by any service, at any moment.
fn watch(given: &Given, nic: &mut Nic) {
    for service in services_of(nic) {
        for (netns, vni) in given.borrow().iter() {
            if admits(nic, *netns, service.id()).is_ok() {
                assert_eq!(
                    service.descriptor.vnis,
                    [*vni],
                    "namespace {netns} is admitted by {service:?}"
                );
            }
        }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let given: Vec<Given> = (0..NICS).map(|_| Given::default()).collect();
        let host = |its: &Given| {
            let its = Rc::clone(its);
            Host::with(Parameters::default(), Box::new(move |nic| watch(&its, nic)))
        };
        Self {
            random: fastrand::Rng::with_seed(seed),
            hosts: given.iter().map(host).collect(),
            given,
            pods: Vec::new(),
            foreign: vec![BTreeSet::new(); NICS],
            uses: Vec::new(),
            missed: BTreeSet::new(),
            count: 0,
            log: Vec::new(),
        }
    }

    /// As the runtime lives through it: what it is not told while it is dead, `Synchronize` tells.
    fn step(&mut self) {
        match self.random.usize(..13) {
            0..=3 => self.begin_pod(),
            4 => self.another_container(),
            5 | 6 => self.end_pod(),
            7 => self.use_service(),
            8 => self.close_use(),
            9 => {
                let seconds = self.random.u64(1..40);
                self.pass(seconds);
            }
            10 => self.launcher(),
            11 => self.restart(),
            _ => self.rebind(),
        }
    }

    /// A number that no living pod has, and none that is held open for a service that is in use.
    fn free_number(&mut self) -> Option<u32> {
        let held: BTreeSet<u32> = self
            .hosts
            .iter()
            .flat_map(|host| host.keeper.borrow().shown())
            .filter(|service| service.state == "ending" && !self.missed.contains(&service.sandbox.id))
            .map(|service| service.netns)
            .collect();
        let taken: BTreeSet<u32> = self.pods.iter().map(|pod| pod.netns).collect();
        let free: Vec<u32> = NUMBERS
            .filter(|number| !taken.contains(number) && !held.contains(number))
            .collect();
        self.random.choice(free)
    }

    fn begin_pod(&mut self) {
        let Some(netns) = self.free_number() else { return };
        self.count += 1;
        let namespace = self.random.usize(..NAMESPACES.len());
        let pod = Pod {
            sandbox: format!("s{}", self.count),
            namespace,
            netns,
            nics: BTreeSet::new(),
        };
        self.pods.push(pod);
        self.container(self.pods.len() - 1);
    }

    fn another_container(&mut self) {
        if !self.pods.is_empty() {
            let pod = self.random.usize(..self.pods.len());
            self.container(pod);
        }
    }

    /// A container of a pod, with one NIC or both; now and then isolation is killed meanwhile.
    fn container(&mut self, pod: usize) {
        let nics: Vec<usize> = (0..NICS).filter(|_| self.random.bool()).collect();
        let (namespace, vni) = NAMESPACES[self.pods[pod].namespace];
        let want = want_in(namespace, vni, &self.pods[pod].sandbox, self.pods[pod].netns);
        let kill = self.random.u8(..4) == 0;
        if kill {
            let limit = self.random.usize(1..40);
            self.hosts.iter().for_each(|host| host.kill_after(limit));
        }
        self.log
            .push(format!("container of {want:?} on {nics:?}, killed: {kill}"));
        for nic in nics {
            match self.hosts[nic].bind(&want) {
                Ok(service) if !self.hosts[nic].was_killed() => {
                    assert_eq!(self.hosts[nic].admits(want.netns, service), Ok(()));
                    self.pods[pod].nics.insert(nic);
                    self.given[nic].borrow_mut().insert(want.netns, vni);
                    watch(&self.given[nic], &mut self.hosts[nic].twin.nic());
                }
                Ok(_) => {}
                Err(refusal) => self.log.push(format!("  refused: {refusal}")),
            }
        }
        if kill {
            self.restart();
        }
    }

    /// A pod ends; now and then while isolation is dead, so that it is not told.
    fn end_pod(&mut self) {
        if self.pods.is_empty() {
            return;
        }
        let pod = self.pods.swap_remove(self.random.usize(..self.pods.len()));
        self.log.push(format!("end of {pod:?}"));
        // Its processes end with it, or the driver lets go of their uses later.
        if self.random.bool() {
            self.close_uses(|sandbox| sandbox == pod.sandbox);
        }
        for given in &self.given {
            given.borrow_mut().remove(&pod.netns);
        }
        match self.random.u8(..4) {
            0 => {
                self.missed.insert(pod.sandbox);
                self.restart();
            }
            1 => {
                self.missed.insert(pod.sandbox.clone());
                let limit = self.random.usize(1..10);
                self.hosts.iter().for_each(|host| host.kill_after(limit));
                self.hosts.iter().for_each(|host| host.release(&pod.sandbox));
                self.restart();
            }
            _ => self.hosts.iter().for_each(|host| host.release(&pod.sandbox)),
        }
    }

    /// A process of a pod with a NIC uses what admits it there.
    fn use_service(&mut self) {
        for (nic, host) in self.hosts.iter().enumerate() {
            for service in host.services() {
                let may = |pod: &&Pod| pod.nics.contains(&nic) && host.admits(pod.netns, service.id()).is_ok();
                let user = self.pods.iter().find(may);
                if let Some(pod) = user.filter(|_| self.random.bool()) {
                    self.count += 1;
                    host.open(self.count, pod.netns, service.id());
                    self.uses.push((nic, self.count, pod.sandbox.clone()));
                }
            }
        }
    }

    fn close_use(&mut self) {
        if !self.uses.is_empty() {
            let (nic, client, _) = self.uses.swap_remove(self.random.usize(..self.uses.len()));
            self.hosts[nic].twin.nic().close(client);
        }
    }

    fn close_uses(&mut self, which: impl Fn(&str) -> bool) {
        let uses = std::mem::take(&mut self.uses);
        let (closed, kept): (Vec<_>, Vec<_>) = uses.into_iter().partition(|(_, _, sandbox)| which(sandbox));
        self.uses = kept;
        for (nic, client, _) in closed {
            self.hosts[nic].twin.nic().close(client);
        }
    }

    fn pass(&self, seconds: u64) {
        self.hosts
            .iter()
            .for_each(|host| host.pass(Duration::from_secs(seconds)));
    }

    /// A launcher makes or ends a service; its VNIs are its own, or by mistake one of ours.
    fn launcher(&mut self) {
        let nic = self.random.usize(..NICS);
        let ended = self.foreign[nic].iter().next().copied().filter(|_| self.random.bool());
        match ended {
            Some(service) => {
                destroy(&mut self.hosts[nic].twin.nic(), service).unwrap();
                self.foreign[nic].remove(&service);
            }
            None => {
                let vni = self.random.choice([5000, 5001, 1024]).unwrap();
                let service = self.hosts[nic].foreign(&[vni], 4000);
                self.foreign[nic].insert(service);
                self.log
                    .push(format!("launcher's service {service} with VNI {vni} on {nic}"));
            }
        }
    }

    /// Isolation is started again, and is told what there is.
    fn restart(&mut self) {
        self.log.push("restart".to_owned());
        let living: Vec<&str> = self.pods.iter().map(|pod| pod.sandbox.as_str()).collect();
        for host in &self.hosts {
            host.restart();
            host.sweep(&living);
        }
    }

    fn rebind(&mut self) {
        let nic = self.random.usize(..NICS);
        self.log.push(format!("rebind of {nic}"));
        self.hosts[nic].rebind(Parameters::default());
        self.foreign[nic].clear();
        self.uses.retain(|(its, _, _)| *its != nic);
        // A pod keeps its node, and has no service until its next container.
        for pod in &mut self.pods {
            pod.nics.remove(&nic);
        }
    }

    /// Nobody uses anything that it should not, and all has come to rest.
    fn check_at_rest(&mut self) {
        let living: BTreeSet<String> = self.pods.iter().map(|pod| pod.sandbox.clone()).collect();
        self.close_uses(|sandbox| !living.contains(sandbox));
        self.pass(60);
        for (nic, host) in self.hosts.iter().enumerate() {
            // Its own, and launchers': to the number.
            let (ours, foreign): (BTreeSet<u32>, BTreeSet<u32>) =
                host.ids().iter().partition(|id| !self.foreign[nic].contains(id));
            assert_eq!(foreign, self.foreign[nic]);
            let shown = host.keeper.borrow().shown();
            let ready: BTreeSet<u32> = shown.iter().filter_map(|service| service.service).collect();
            assert_eq!(ours, ready, "{shown:?}");
            for service in &shown {
                assert_eq!(service.state, "ready");
                assert!(
                    self.pods.iter().any(|pod| pod.sandbox == service.sandbox.id),
                    "leaked: {service:?}"
                );
            }
            for pod in self.pods.iter().filter(|pod| pod.nics.contains(&nic)) {
                let its: Vec<_> = shown
                    .iter()
                    .filter(|service| service.sandbox.id == pod.sandbox)
                    .collect();
                assert_eq!(its.len(), 1, "{pod:?} has lost its service: {shown:?}");
            }
        }
    }
}

#[test]
fn services_on_the_nics_are_those_of_living_pods() {
    let of = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = of("CXI_RANDOM_SEED").unwrap_or_else(|| fastrand::u64(..));
    let histories = of("CXI_RANDOM_HISTORIES").unwrap_or(1_000);
    println!("CXI_RANDOM_SEED={seed}");
    let mut bound = 0;
    for history in 0..histories {
        let mut world = World::new(seed.wrapping_add(history));
        let steps = world.random.usize(5..40);
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..steps {
                world.step();
            }
            world.check_at_rest();
        }));
        bound += world.pods.iter().map(|pod| pod.nics.len()).sum::<usize>();
        if let Err(panic) = told {
            println!(
                "CXI_RANDOM_SEED={} CXI_RANDOM_HISTORIES=1\n{}",
                seed.wrapping_add(history),
                world.log.join("\n")
            );
            std::panic::resume_unwind(panic);
        }
    }
    // They are about something.
    assert!(
        bound > usize::try_from(histories / 2).unwrap(),
        "{bound} services in all"
    );
}
