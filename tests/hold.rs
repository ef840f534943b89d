//! How long news of a NIC's health waits, by a clock that the tests turn. Random runs print their seed.
#![cfg(test)]

use std::collections::BTreeMap;
use std::time::Duration;

use cxi_device_plugin::model::health::history::NicHistories;
use cxi_device_plugin::model::health::{Check, Engine, Health, HealthPolicy, Moment, Verdict};
use cxi_device_plugin::model::nic::attributes::{Cordon, CxiName, DeviceNode, Generation, Netdev};
use cxi_device_plugin::model::nic::inventory::Nic;
use cxi_device_plugin::model::nic::pci::PciAddress;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DOWN: Duration = Duration::from_secs(5);
const UP: Duration = Duration::from_secs(30);

/// What kubelet is told: one message for each list that differs from the one before.
type List = Vec<(PciAddress, bool)>;

/// A daemon and its node, without either.
struct World {
    engine: Engine,
    nics: BTreeMap<PciAddress, Nic>,
    now: Duration,
    health: BTreeMap<PciAddress, Health>,
    messages: Vec<(Duration, List)>,
    looks: usize,
}

fn address(index: usize) -> PciAddress {
    format!("0000:{:02x}:00.0", 0x21 + index).parse().unwrap()
}

/// A NIC of which only the link and the netdev can be read.
fn nic(index: usize) -> Nic {
    let netdev = Netdev {
        name: "hsn0".to_owned(),
        mac: Ok("02:00:00:00:00:12".to_owned()),
        addr_assign_type: Ok(3),
        operstate: Ok("up".to_owned()),
        carrier: Ok(true),
    };
    Nic {
        answers: Ok(()),
        cordon: Ok(None),
        link: Ok(true),
        driver_instance: Ok(1),
        enable_count: Ok(1),
        netdev: Ok(Some(netdev)),
        ..Nic::unknown(address(index), "/sys/bus/pci/devices".into(), Ok(Generation::Cassini1))
    }
}

/// The same with a driver and a device node.
fn bound(index: usize) -> Nic {
    Nic {
        driver: Ok(Some("cxi_ss1".to_owned())),
        cxi: Ok(CxiName(0)),
        node: Ok(DeviceNode {
            path: "/dev/cxi0".into(),
            major: 1,
            minor: 0,
        }),
        in_class_cxi: Ok(true),
        ..nic(index)
    }
}

impl World {
    /// With so many NICs, which were looked at.
    fn new(count: usize) -> Self {
        let mut world = Self {
            engine: Engine::new(HealthPolicy::default(), NicHistories::new()),
            nics: (0..count).map(|index| (address(index), nic(index))).collect(),
            now: Duration::ZERO,
            health: BTreeMap::new(),
            messages: Vec::new(),
            looks: 0,
        };
        world.look();
        world
    }

    fn look(&mut self) {
        let nics: Vec<Nic> = self.nics.values().cloned().collect();
        let moment = Moment {
            since_start: self.now,
            unix_seconds: 0,
        };
        self.looks += 1;
        self.health = self.engine.judge(&nics, moment);
        assert!(
            self.engine.due().is_none_or(|due| due > self.now),
            "at {:?} something was due already: the daemon would turn in circles",
            self.now
        );
        let list: List = self
            .health
            .iter()
            .map(|(address, health)| (*address, health.is_healthy()))
            .collect();
        if self.messages.last().map(|(_, last)| last) != Some(&list) {
            self.messages.push((self.now, list));
        }
    }

    /// Lets time pass, and looks whenever held news is due.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.engine.due().filter(|due| *due <= end) {
            self.now = due;
            self.look();
        }
        self.now = end;
    }

    /// An event: one NIC changes, and the node is looked at.
    fn change(&mut self, index: usize, change: impl FnOnce(&mut Nic)) {
        change(self.nics.get_mut(&address(index)).unwrap());
        self.look();
    }

    fn link(&mut self, index: usize, up: bool) {
        self.change(index, |nic| nic.link = Ok(up));
    }

    fn verdict(&self, index: usize, check: Check) -> Verdict {
        let conditions = &self.health[&address(index)].conditions;
        conditions
            .iter()
            .find(|condition| condition.check == check)
            .unwrap()
            .verdict
    }

    /// When kubelet was told, after the first list, and how many NICs were healthy then.
    fn told(&self) -> Vec<(Duration, usize)> {
        let news = self.messages.iter().skip(1);
        news.map(|(at, list)| (*at, list.iter().filter(|(_, healthy)| *healthy).count()))
            .collect()
    }
}

#[test]
fn bad_news_waits_five_seconds_and_good_news_thirty() {
    let mut world = World::new(1);
    world.wait(SECOND);
    world.link(0, false);
    world.wait(60 * SECOND);
    world.link(0, true);
    world.wait(60 * SECOND);
    assert_eq!(world.told(), [(6 * SECOND, 0), (91 * SECOND, 1)]);
    assert_eq!(world.looks, 5, "the first, two events, two that were due");
}

#[test]
fn a_short_break_is_never_told() {
    let mut world = World::new(1);
    world.link(0, false);
    world.wait(4_999 * MS);
    world.link(0, true);
    world.wait(600 * SECOND);
    assert_eq!(world.told(), []);
    // Nor are two of them with a good while between.
    for _ in 0..2 {
        world.link(0, false);
        world.wait(SECOND);
        world.link(0, true);
        world.wait(DOWN);
    }
    world.wait(600 * SECOND);
    assert_eq!(world.told(), []);
}

/// A link that is up for an instant every now and then is of no use to anybody.
#[test]
fn a_link_that_flaps_every_100_ms_for_a_minute_is_told_of_twice() {
    let mut world = World::new(1);
    for step in 0..600 {
        world.link(0, step % 2 == 1);
        world.wait(100 * MS);
    }
    let last_up = 599 * 100 * MS;
    world.wait(600 * SECOND);
    assert_eq!(world.told(), [(DOWN, 0), (last_up + UP, 1)]);
}

/// It goes on flapping: still no more than one message in a hold time.
#[test]
fn whatever_the_rhythm_of_a_flapping_link_there_is_at_most_one_message_in_a_hold_time() {
    for period in [37, 100, 999, 2_500, 4_990, 5_010, 12_000, 29_000, 31_000, 36_000] {
        let mut world = World::new(1);
        let mut up = true;
        while world.now < 600 * SECOND {
            up = !up;
            world.link(0, up);
            world.wait(period * MS);
        }
        let told = world.told();
        for pair in told.windows(2) {
            let [(before, _), (after, healthy)] = pair else {
                panic!()
            };
            let hold = if *healthy == 0 { DOWN } else { UP };
            assert!(*after - *before >= hold, "every {period} ms: {told:?}");
        }
    }
}

#[test]
fn all_nics_down_at_once_are_one_message_and_so_are_all_up() {
    let mut world = World::new(8);
    for up in [false, true] {
        world.wait(100 * SECOND);
        for index in 0..8 {
            world.link(index, up);
            world.wait(50 * MS); // each is seen by a look of its own
        }
    }
    world.wait(100 * SECOND);
    let second_begin = 200 * SECOND + 8 * 50 * MS;
    assert_eq!(world.told(), [(105 * SECOND, 0), (second_begin + UP, 8)]);
}

#[test]
fn what_is_seen_first_is_told_at_once() {
    // A NIC that is broken when the daemon starts.
    let mut world = World::new(0);
    world.nics.insert(
        address(0),
        Nic {
            link: Ok(false),
            ..nic(0)
        },
    );
    world.look();
    assert_eq!(world.told(), [(Duration::ZERO, 0)]);
    // It comes up for the first time: nobody has seen it flap.
    world.wait(8 * SECOND);
    world.link(0, true);
    assert_eq!(world.told().last(), Some(&(8 * SECOND, 1)));
    // From now on it is held.
    world.link(0, false);
    world.wait(20 * SECOND);
    world.link(0, true);
    world.wait(100 * SECOND);
    assert_eq!(world.told().len(), 4);
    assert_eq!(world.told().last(), Some(&(58 * SECOND, 1)));
}

#[test]
fn a_nic_that_is_gone_and_one_that_is_bound_anew_begin_anew() {
    let mut world = World::new(2);
    world.link(0, false);
    world.wait(SECOND);
    // Gone with its news still waiting: no hold.
    world.nics.remove(&address(0));
    world.look();
    assert_eq!(world.told(), [(SECOND, 1)]);
    world.wait(SECOND);
    world.nics.insert(
        address(0),
        Nic {
            link: Ok(false),
            ..nic(0)
        },
    );
    world.look();
    assert_eq!(world.told().last(), Some(&(2 * SECOND, 1)));
    world.link(0, true);
    // Bound anew: its link trains again, which is neither bad news nor a recovery.
    world.wait(SECOND);
    world.change(0, |nic| {
        nic.driver_instance = Ok(2);
        nic.link = Ok(false);
    });
    assert_eq!(world.told().last(), Some(&(3 * SECOND, 1)));
    world.wait(8 * SECOND);
    world.link(0, true);
    assert_eq!(world.told().last(), Some(&(11 * SECOND, 2)));
}

#[test]
fn what_an_admin_has_done_does_not_wait() {
    let cordon = Cordon {
        file: "/".into(),
        reason: String::new(),
    };
    let mut world = World::new(1);
    for (at, order) in [(1, Some(cordon.clone())), (2, None), (3, Some(cordon)), (4, None)] {
        world.wait(SECOND);
        let healthy = usize::from(order.is_none());
        world.change(0, |nic| nic.cordon = Ok(order));
        assert_eq!(world.told().last(), Some(&(at * SECOND, healthy)));
    }
}

#[test]
fn a_function_that_the_driver_disables_is_told_of_at_once_and_its_return_waits() {
    let mut world = World::new(1);
    for _ in 0..100 {
        for count in [0, 1] {
            world.wait(100 * MS);
            world.change(0, |nic| nic.enable_count = Ok(count));
        }
    }
    assert_eq!(world.told(), [(100 * MS, 0)], "a hundred flaps");
    world.wait(600 * SECOND);
    assert_eq!(world.told(), [(100 * MS, 0), (20 * SECOND + UP, 1)]);
}

/// A device node that goes and comes while the driver stays bound.
#[test]
fn a_node_that_flaps_is_told_of_once_until_it_stays() {
    let node = |world: &mut World, in_class| world.change(0, |nic| nic.in_class_cxi = Ok(in_class));
    let mut world = World::new(0);
    world.nics.insert(address(0), bound(0));
    world.look();
    for _ in 0..50 {
        world.wait(SECOND);
        node(&mut world, false);
        world.wait(SECOND);
        node(&mut world, true);
    }
    world.wait(600 * SECOND);
    assert_eq!(
        world.told()[1..],
        [(SECOND, 0), (100 * SECOND + UP, 1)],
        "{:?}",
        world.told()
    );
}

/// Seen between the two, or not: what is bound anew is another instance, even where its directory has the same number.
#[test]
fn what_is_bound_anew_does_not_wait() {
    let mut world = World::new(0);
    world.nics.insert(address(0), bound(0));
    world.look();
    for (at, driver) in [(1, None), (2, Some("cxi_ss1")), (3, None), (4, Some("cxi_ss1"))] {
        world.wait(SECOND);
        world.change(0, |nic| nic.driver = Ok(driver.map(str::to_owned)));
        assert_eq!(
            world.told().last().map(|told| told.0),
            Some(at * SECOND),
            "{:?}",
            world.told()
        );
    }
}

/// What is held says until when, not for how long: else it would differ at every look.
#[test]
fn a_held_condition_is_the_same_at_every_look() {
    let mut world = World::new(1);
    world.wait(SECOND);
    world.link(0, false);
    let health = world.health.clone();
    let [held] = &health[&address(0)].held[..] else {
        panic!("{health:?}")
    };
    assert_eq!((held.condition.check, held.until), (Check::Link, 6 * SECOND));
    assert_eq!(held.condition.verdict, Verdict::Fail);
    assert!(health[&address(0)].is_healthy());
    for _ in 0..4 {
        world.wait(SECOND);
        world.look();
        assert_eq!(world.health, health);
    }
    world.wait(SECOND);
    assert!(world.health[&address(0)].held.is_empty());
    assert!(!world.health[&address(0)].is_healthy());
}

/// What the test knows of one NIC's link, to judge the engine by.
#[derive(Clone, Copy)]
struct Link {
    is_bad: bool,
    since: Duration,
    /// The first break of those that had no good while between them.
    trouble: Option<Duration>,
    was_told_bad: bool,
    /// How often it has become good.
    goods: u32,
}

impl Link {
    fn new(is_bad: bool, now: Duration) -> Self {
        Self {
            is_bad,
            since: now,
            trouble: is_bad.then_some(now),
            was_told_bad: is_bad,
            goods: u32::from(!is_bad),
        }
    }

    fn turns(&mut self, is_bad: bool, now: Duration) {
        if self.is_bad == is_bad {
            return;
        }
        if is_bad && (now - self.since >= DOWN || self.trouble.is_none()) {
            self.trouble = Some(now);
        }
        *self = Self {
            is_bad,
            since: now,
            goods: self.goods + u32::from(!is_bad),
            ..*self
        };
    }
}

/// One random step; the links as the test knows them follow.
fn step(world: &mut World, links: &mut BTreeMap<usize, Link>, random: &mut fastrand::Rng) {
    let index = random.usize(0..4);
    let is_there = links.contains_key(&index);
    match random.u8(0..20) {
        0 if is_there => {
            world.nics.remove(&address(index));
            links.remove(&index);
            world.look();
        }
        _ if !is_there => {
            let up = random.bool();
            world.nics.insert(
                address(index),
                Nic {
                    link: Ok(up),
                    ..nic(index)
                },
            );
            links.insert(index, Link::new(!up, world.now));
            world.look();
        }
        1 => {
            let (up, driver_instance) = (random.bool(), random.u64(..));
            links.insert(index, Link::new(!up, world.now));
            world.change(index, |nic| {
                nic.driver_instance = Ok(driver_instance);
                nic.link = Ok(up);
            });
        }
        2 => world.look(),
        3 => {
            let cordon = Cordon {
                file: "/".into(),
                reason: String::new(),
            };
            let order = random.bool().then_some(cordon);
            world.change(index, |nic| nic.cordon = Ok(order));
        }
        _ => {
            let up = random.bool();
            links.get_mut(&index).unwrap().turns(!up, world.now);
            world.link(index, up);
        }
    }
}

#[test]
fn whatever_happens_news_is_neither_early_nor_late_nor_lost() {
    let seed = std::env::var("CXI_RANDOM_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("CXI_RANDOM_SEED={seed}");
    for case in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(case));
        let mut world = World::new(4);
        let mut links: BTreeMap<_, _> = (0..4).map(|index| (index, Link::new(false, world.now))).collect();
        let patience = random.u32(10..4_000);
        for _ in 0..200 {
            step(&mut world, &mut links, &mut random);
            check(&world, &mut links, seed.wrapping_add(case));
            world.wait(random.u32(0..patience) * MS);
            check(&world, &mut links, seed.wrapping_add(case));
        }
        // Once all is well for long enough, it is told.
        for index in 0..4 {
            world.nics.insert(address(index), nic(index));
        }
        world.look();
        world.wait(UP);
        assert!(
            world.messages.last().unwrap().1.iter().all(|(_, healthy)| *healthy),
            "{case}"
        );
        assert_eq!(world.engine.due(), None);
    }
}

fn check(world: &World, links: &mut BTreeMap<usize, Link>, seed: u64) {
    assert_eq!(world.health.len(), links.len());
    for (index, link) in links {
        let told_bad = world.verdict(*index, Check::Link) == Verdict::Fail;
        let lasts = world.now - link.since;
        let at = format!("seed {seed}, NIC {index} at {:?}", world.now);
        if link.is_bad && lasts >= DOWN || !link.is_bad && (lasts >= UP) {
            assert_eq!(told_bad, link.is_bad, "{at}: late");
        }
        // Early by a tenth at most, so that news goes out together.
        if told_bad && !link.was_told_bad {
            let trouble = link.trouble.expect("told of a break that never was");
            assert!(world.now - trouble >= DOWN * 9 / 10, "{at}: early");
        }
        if !told_bad && link.was_told_bad {
            assert!(
                link.goods == 1 || lasts >= UP * 9 / 10,
                "{at}: a recovery is told early"
            );
        }
        link.was_told_bad = told_bad;
        let health = &world.health[&address(*index)];
        let in_use = world.verdict(*index, Check::Cordoned) != Verdict::Fail;
        assert_eq!(health.is_healthy(), in_use && !told_bad, "{at}");
        let waits = health.held.iter().any(|held| held.condition.check == Check::Link);
        assert_eq!(waits, told_bad != link.is_bad, "{at}: {health:?}");
    }
}
