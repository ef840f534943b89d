//! Commands on `/dev/cxiN` as the programs send them, to the driver in memory: what they bring, what they leave behind, and what
//! they make of a driver that is older, newer, or none.
#![cfg(test)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use cxi_device_plugin::host::device::commands::Commands;
use cxi_device_plugin::host::device::driver::Driver;
use cxi_device_plugin::host::device::ending::{self, Clock};
use cxi_device_plugin::host::device::survey;
use cxi_device_plugin::host::device::work::{self, CreateError, Switched};
use cxi_device_plugin::model::services::abi::{Command, Request};
use cxi_device_plugin::model::services::create::Step;
use cxi_device_plugin::model::services::descriptor::{Descriptor, Limit, Member, Resource};
use cxi_device_plugin::model::services::refused::{Refused, errno};
use cxi_device_plugin::model::services::retry::{News, Retry};
use cxi_device_plugin::model::services::room;
use cxi_device_plugin::model::services::service::{Origin, VniRange};
use cxi_device_plugin::model::services::template;
use cxi_sim::driver::{Caller, Nic, Parameters};
use nix::errno::Errno;

#[path = "common/driver.rs"]
mod driver;

use driver::{ROOT, Twin, lni};

fn twin() -> Twin {
    Twin::new(Parameters::default())
}

fn number(refused: Result<impl std::fmt::Debug, Refused>) -> Option<i32> {
    refused.unwrap_err().number()
}

#[test]
fn the_default_service_is_seen_as_the_driver_makes_it() {
    let twin = twin();
    let services = survey::services(Commands::to(&twin), &BTreeMap::new()).unwrap();
    assert_eq!(services.len(), 1);
    let service = &services[0];
    assert_eq!((service.id(), service.origin.clone()), (1, Origin::Default));
    assert!(!service.descriptor.enabled && !service.descriptor.system && service.members().is_none());
    assert_eq!(service.descriptor.vnis, [1, 10]);
    assert_eq!(
        service.descriptor.traffic_classes(),
        ["DEDICATED_ACCESS", "LOW_LATENCY", "BULK_DATA", "BEST_EFFORT"]
    );
    assert_eq!(service.vni_range, Ok(None));
    assert_eq!(service.exclusive_cp, Ok(Some(false)));
    assert_eq!(service.lnis_per_rgid, Ok(1));
    let limits: Vec<(Resource, u16, u16, Option<u16>)> = service
        .resources()
        .map(|used| (used.resource, used.reserved, used.max, used.in_use))
        .collect();
    assert_eq!(limits[0], (Resource::Pte, 0, 2048, Some(0)));
    assert_eq!(limits[5], (Resource::Le, 0, 16384, None));
    assert_eq!(limits[6], (Resource::Tle, 512, 512, Some(0)));
    assert_eq!(room::pools_left(&services).tle, 3);
    let info = Commands::to(&twin).device_info().unwrap();
    assert_eq!(info.totals, [2048, 1024, 512, 2047, 2047, 16384, 2048, 1022]);
    assert_eq!((info.nid, info.retry_handler_eq), (0x12, 1));
}

#[test]
fn a_switch_is_thrown_once_and_looked_at_afterwards() {
    let twin = twin();
    let commands = Commands::to(&twin);
    assert_eq!(work::switch(commands, 1, true), Ok(Switched::Done));
    assert_eq!(work::switch(commands, 1, true), Ok(Switched::AlreadySo));
    assert!(commands.service(1).unwrap().enabled);
    lni(&twin, 7, ROOT, 1).unwrap();
    assert_eq!(number(work::switch(commands, 1, false)), Some(errno::EBUSY));
    twin.nic().close(7);
    assert_eq!(work::switch(commands, 1, false), Ok(Switched::Done));
    assert_eq!(number(work::switch(commands, 9, true)), Some(errno::EINVAL));
}

#[test]
fn without_the_right_nothing_is_changed_and_all_is_seen() {
    let twin = Twin::new(Parameters::default()).called_by(Caller {
        is_admin: false,
        ..ROOT
    });
    let commands = Commands::to(&twin);
    assert_eq!(number(work::switch(commands, 1, true)), Some(errno::EPERM));
    assert_eq!(number(commands.destroy(5)), Some(errno::EPERM));
    let wanted = template::parse("vnis: {vni: 20}").unwrap();
    let refused = work::create(commands, &wanted, &clock()).unwrap_err();
    assert!(matches!(refused, CreateError::Alloc(refused, _) if refused.number() == Some(errno::EPERM)));
    assert_eq!(survey::services(commands, &BTreeMap::new()).unwrap().len(), 1);
}

/// A clock that a test turns by waiting.
#[derive(Default)]
struct Turned<'a> {
    now: Cell<Duration>,
    waited: Cell<u32>,
    twin: Option<&'a Twin>,
}

impl Clock for Turned<'_> {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn wait(&self, time: Duration) {
        self.now.set(self.now.get() + time);
        self.waited.set(self.waited.get() + 1);
        if let Some(twin) = self.twin {
            twin.nic().advance(time);
        }
    }

    fn chance(&self) -> f64 {
        1.0
    }
}

fn clock() -> Turned<'static> {
    Turned::default()
}

#[test]
fn a_service_of_hpes_template_is_made_as_its_tool_makes_it() {
    let text = "resource_limits: 1\nrestricted_members: 1\nrestricted_tcs: 1\nlimits:\n- {name: ACs, max: 4, res: 2}\n- {name: \
                TLEs, max: 9, res: 9}\nvnis:\n  vni: 20\n  vni: 21\nmembers:\n- {type: uid, id: 1000}\n- {type: gid, id: 100}\n\
                tcs:\n  tc: BEST_EFFORT\n";
    let twin = twin();
    let commands = Commands::to(&twin);
    let id = work::create(commands, &template::parse(text).unwrap(), &clock()).unwrap();
    let made = commands.service(id).unwrap();
    assert!(made.enabled && made.restricted_members && made.restricted_vnis && made.restricted_tcs);
    assert_eq!(made.vnis, [20, 21]);
    assert_eq!(made.members, [Member::Uid(1000), Member::Gid(100)]);
    assert_eq!(made.limit(Resource::Ac), Limit { max: 4, reserved: 2 });
    assert_eq!(made.limit(Resource::Tle), Limit { max: 9, reserved: 9 });
    assert_eq!(made.traffic_classes(), ["BEST_EFFORT"]);
    let user = Caller {
        uid: 1000,
        gid: 5,
        ..ROOT
    };
    assert!(lni(&twin, 3, user, id).is_ok());
    assert_eq!(lni(&twin, 3, ROOT, id), Err(errno::EPERM));
}

#[test]
fn one_for_a_namespace_admits_its_processes_and_at_no_moment_others() {
    let text = "restricted_members: 1\nvnis: {vni: 20}\nmembers: [{type: netns, id: 4026532000}]\n";
    let twin = twin();
    // Somebody else tries after each command.
    twin.after_each(|nic| {
        for id in nic.ids() {
            let tried = driver::lni_of(nic, 9, ROOT, id);
            assert!(matches!(tried, Err(errno::EPERM | errno::EKEYREVOKED)), "{tried:?}");
        }
    });
    let id = work::create(Commands::to(&twin), &template::parse(text).unwrap(), &clock()).unwrap();
    assert_eq!(Commands::to(&twin).netns(id), Ok(4_026_532_000));
    let pod = Caller {
        netns: 4_026_532_000,
        uid: 1234,
        gid: 1234,
        is_admin: false,
    };
    assert!(lni(&twin, 3, pod, id).is_ok());
    let service = survey::services(Commands::to(&twin), &BTreeMap::new())
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(service.members(), Some(vec![Member::Netns(4_026_532_000)]));
}

#[test]
fn one_with_a_range_is_on_once_it_is_complete() {
    let text = "vnis: {vni_min: 64, vni_max: 127}\nexclusive_cp: 1\n";
    let twin = twin();
    let commands = Commands::to(&twin);
    let id = work::create(commands, &template::parse(text).unwrap(), &clock()).unwrap();
    assert_eq!(commands.vni_range(id), Ok(VniRange { first: 64, last: 127 }));
    assert_eq!(commands.exclusive_cp(id), Ok(true));
    assert!(commands.service(id).unwrap().enabled);
    let service = survey::services(commands, &BTreeMap::new()).unwrap().pop().unwrap();
    assert_eq!(service.vni_range, Ok(Some(VniRange { first: 64, last: 127 })));
}

#[test]
fn a_creation_that_fails_at_any_step_leaves_nothing_behind() {
    for text in [
        "restricted_members: 1\nvnis: {vni: 20}\nmembers: [{type: netns, id: 7}]\n",
        "vnis: {vni_min: 64, vni_max: 127}\nexclusive_cp: 1\n",
    ] {
        let wanted = template::parse(text).unwrap();
        let steps = cxi_device_plugin::model::services::create::steps(&wanted);
        for fails in 0..=steps.len() {
            let twin = twin();
            // The commands that change something come one after the other; this one fails.
            let changes = Cell::new(0);
            twin.refuse_if(move |request| {
                let is_end = request.command() == Command::ServiceDestroy;
                let is_this = changes.get() == fails;
                changes.set(changes.get() + 1);
                (is_this && !is_end).then_some(Errno::EIO)
            });
            let refused = work::create(Commands::to(&twin), &wanted, &clock()).unwrap_err();
            match (fails, refused) {
                (0, CreateError::Alloc(..)) => {}
                (step, CreateError::Undone(what, refused)) => {
                    assert_eq!((what, refused.number()), (steps[step - 1], Some(errno::EIO)));
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(twin.nic().ids(), [1], "{text}: step {fails}");
        }
    }
}

#[test]
fn a_range_that_others_have_is_refused_and_leaves_nothing_behind() {
    let twin = twin();
    let commands = Commands::to(&twin);
    work::create(commands, &template::parse("vnis: {vni: 100}").unwrap(), &clock()).unwrap();
    let wanted = template::parse("vnis: {vni_min: 64, vni_max: 127}").unwrap();
    let refused = work::create(commands, &wanted, &clock()).unwrap_err();
    let step = Step::SetVniRange { first: 64, last: 127 };
    assert!(
        matches!(refused, CreateError::Undone(what, refused) if what == step && refused.number() == Some(errno::EEXIST))
    );
    assert_eq!(twin.nic().ids(), [1, 2]);
}

#[test]
fn what_cannot_be_taken_back_is_off_and_named() {
    let twin = twin();
    twin.refuse_if(|request| match request.command() {
        Command::SetNetns => Some(Errno::EEXIST),
        Command::ServiceDestroy => Some(Errno::EBUSY),
        _ => None,
    });
    let wanted = template::parse("restricted_members: 1\nvnis: {vni: 20}\nmembers: [{type: netns, id: 7}]\n").unwrap();
    let clock = clock();
    match work::create(Commands::to(&twin), &wanted, &clock).unwrap_err() {
        CreateError::Left { id, kept, .. } => {
            assert!(kept.is_busy());
            assert!(!Commands::to(&twin).service(id).unwrap().enabled);
        }
        other => panic!("{other:?}"),
    }
    assert!(clock.waited.get() > 1);
}

#[test]
fn a_fourth_service_with_trigger_entries_is_refused_for_want_of_a_pool() {
    let twin = twin();
    let commands = Commands::to(&twin);
    let wanted = template::parse("vnis: {vni: 20}").unwrap();
    for left in (0..3).rev() {
        work::create(commands, &wanted, &clock()).unwrap();
        let services = survey::services(commands, &BTreeMap::new()).unwrap();
        assert_eq!(room::pools_left(&services).tle, left);
    }
    match work::create(commands, &wanted, &clock()).unwrap_err() {
        CreateError::Alloc(refused, answer) => {
            assert_eq!(refused.number(), Some(errno::ENOSPC));
            assert!(answer.no_tle_pools && !answer.no_le_pools);
        }
        other => panic!("{other:?}"),
    }
    // One that says that it wants none takes none.
    let without = "resource_limits: 1\nlimits: [{name: PTEs, max: 8}]\nvnis: {vni: 20}";
    work::create(commands, &template::parse(without).unwrap(), &clock()).unwrap();
    let too_much = "resource_limits: 1\nlimits: [{name: CTs, max: 2047, res: 2047}]\nvnis: {vni: 20}";
    work::create(commands, &template::parse(too_much).unwrap(), &clock()).unwrap();
    match work::create(commands, &template::parse(too_much).unwrap(), &clock()).unwrap_err() {
        CreateError::Alloc(refused, answer) => {
            assert_eq!((refused.number(), answer.available[4]), (Some(errno::ENOSPC), 0));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_in_use_for_minutes_is_destroyed_when_it_is_let_go() {
    let minutes = Duration::from_secs(400);
    let twin = Twin::new(Parameters {
        lingers: minutes,
        ..Parameters::default()
    });
    let commands = Commands::to(&twin);
    let id = work::create(commands, &template::parse("vnis: {vni: 20}").unwrap(), &clock()).unwrap();
    lni(&twin, 4, ROOT, id).unwrap();
    twin.nic().close(4);
    let clock = Turned {
        twin: Some(&twin),
        ..Turned::default()
    };
    let said = RefCell::new(Vec::new());
    let retry = Retry::new(Duration::from_secs(300), None);
    ending::destroy(commands, id, retry, &clock, &mut |news| said.borrow_mut().push(news)).unwrap();
    assert_eq!(twin.nic().ids(), [1]);
    assert_eq!(*said.borrow(), [News::Waits, News::Lingers]);
    assert!(clock.now.get() >= minutes && clock.now.get() < minutes + Duration::from_secs(31));
    assert!(clock.waited.get() < 30);
}

#[test]
fn patience_ends() {
    let twin = twin();
    let commands = Commands::to(&twin);
    let id = work::create(commands, &template::parse("vnis: {vni: 20}").unwrap(), &clock()).unwrap();
    lni(&twin, 4, ROOT, id).unwrap();
    let clock = clock();
    let retry = Retry::new(Duration::from_secs(300), Some(Duration::from_secs(60)));
    let refused = ending::destroy(commands, id, retry, &clock, &mut |_| {});
    assert_eq!(number(refused), Some(errno::EBUSY));
    assert_eq!(clock.now.get(), Duration::from_secs(60));
    // What is refused for another reason is not tried again.
    let retry = Retry::new(Duration::from_secs(300), None);
    assert_eq!(
        number(ending::destroy(commands, 99, retry, &clock, &mut |_| {})),
        Some(errno::EINVAL)
    );
}

#[test]
fn a_group_of_configfs_is_told_from_a_service() {
    let twin = twin();
    let group = twin.nic().add_group(&[1000], true);
    let names = BTreeMap::from([(group, "tenants".to_owned())]);
    for (names, name) in [(BTreeMap::new(), None), (names, Some("tenants".to_owned()))] {
        let services = survey::services(Commands::to(&twin), &names).unwrap();
        let found = services.iter().find(|service| service.id() == group).unwrap();
        assert_eq!(found.origin, Origin::Configfs(name));
        assert_eq!(found.members(), Some(vec![Member::Uid(1000)]));
        assert!(found.descriptor.enabled);
    }
}

#[test]
fn an_older_driver_leaves_things_unknown_and_tells_the_rest() {
    for errno in [Errno::EINVAL, Errno::EOPNOTSUPP] {
        let twin = twin();
        twin.refuse_if(move |request| {
            let op = request.command().shape().op;
            (op > 54 && op != 80).then_some(errno)
        });
        let services = survey::services(Commands::to(&twin), &BTreeMap::new()).unwrap();
        assert_eq!(services.len(), 1);
        assert_eq!(services[0].origin, Origin::Default);
        assert!(services[0].usage.is_ok());
    }
    // One that does not list services at all.
    let twin = twin();
    twin.refuse_if(|_| Some(Errno::EOPNOTSUPP));
    let refused = survey::services(Commands::to(&twin), &BTreeMap::new()).unwrap_err();
    assert!(refused.may_be_unknown());
}

/// Says yes to everything, and does this to the answer.
struct Yes(fn(&mut [u8], &mut [u8]));

impl Driver for Yes {
    fn exchange(&self, _: &Request, answer: &mut [u8], list: &mut [u8]) -> Result<(), Errno> {
        (self.0)(answer, list);
        Ok(())
    }
}

#[test]
fn a_yes_without_an_answer_is_no_drivers() {
    let swallows = Yes(|_, _| {});
    let commands = Commands::to(&swallows);
    let refused = [
        commands.services().map(drop),
        commands.service(1).map(drop),
        commands.uses().map(drop),
        commands.usage(1).map(drop),
        commands.device_info().map(drop),
        commands.netns(1).map(drop),
        commands.vni_range(1).map(drop),
        commands.lnis_per_rgid(1).map(drop),
        commands.exclusive_cp(1).map(drop),
        work::switch(commands, 1, true).map(drop),
        commands
            .alloc(&Descriptor::default())
            .map(drop)
            .map_err(|(refused, _)| refused),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(Refused::NotAnswered { .. })), "{refused:?}");
    }
}

#[test]
fn an_answer_that_is_cut_or_absurd_is_no_answer() {
    let cut = Yes(|answer, _| {
        let half = answer.len() / 2;
        answer[..half].fill(1);
    });
    let commands = Commands::to(&cut);
    assert!(matches!(commands.service(1), Err(Refused::Odd { .. })));
    assert!(matches!(commands.usage(1), Err(Refused::Odd { .. })));
    let endless = Yes(|answer, _| answer.fill(0xff));
    assert!(matches!(Commands::to(&endless).services(), Err(Refused::Odd { .. })));
    let never_listed = Yes(|answer, _| answer.copy_from_slice(&[3, 0, 0, 0]));
    assert!(matches!(
        Commands::to(&never_listed).services(),
        Err(Refused::NotAnswered { .. })
    ));
    let unheeded = Yes(|answer, _| answer.fill(0));
    assert!(matches!(
        work::switch(Commands::to(&unheeded), 1, true),
        Err(Refused::Odd { .. })
    ));
}

#[test]
fn a_list_that_grows_between_two_looks_is_asked_for_again() {
    let twin = twin();
    let grown = Cell::new(0);
    twin.refuse_if({
        let nic = twin.shared();
        move |request| {
            if request.command() == Command::ServiceList && grown.get() < 3 {
                grown.set(grown.get() + 1);
                nic.borrow_mut().add_group(&[], false);
            }
            None
        }
    });
    assert_eq!(Commands::to(&twin).services().unwrap().len(), 4);
}

#[test]
fn random_answers_are_never_more_than_an_error() {
    let seed = std::env::var("CXI_RANDOM_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("CXI_RANDOM_SEED={seed}");
    struct Noise(RefCell<fastrand::Rng>);
    impl Driver for Noise {
        fn exchange(&self, _: &Request, answer: &mut [u8], list: &mut [u8]) -> Result<(), Errno> {
            let mut random = self.0.borrow_mut();
            if random.bool() {
                return Err(Errno::from_raw(random.i32(1..130)));
            }
            let length = random.usize(..=answer.len());
            random.fill(&mut answer[..length]);
            // Now and then a count that is believed.
            if answer.len() == 4 && random.bool() {
                answer.copy_from_slice(&u32::from(random.u8(..8)).to_le_bytes());
            }
            random.fill(list);
            Ok(())
        }
    }
    let noise = Noise(RefCell::new(fastrand::Rng::with_seed(seed)));
    let commands = Commands::to(&noise);
    for _ in 0..400 {
        let _ = survey::services(commands, &BTreeMap::new()).map(|services| {
            room::pools_left(&services);
            serde_json::to_string(&services).unwrap()
        });
        let _ = work::switch(commands, 1, true);
        let wanted = template::parse("vnis: {vni_min: 64, vni_max: 127}").unwrap();
        let _ = work::create(commands, &wanted, &clock());
    }
}

/// The rules of the driver that our emulation has to keep (D1, D2, D3, D4, D7, D8, D9, D12, D16).
#[test]
fn the_driver_in_memory_keeps_the_drivers_odd_rules() {
    let twin = twin();
    let commands = Commands::to(&twin);
    let make = |text: &str| work::create(commands, &template::parse(text).unwrap(), &clock()).unwrap();
    let netns = "restricted_members: 1\nvnis: {vni: 20}\nmembers: [{type: netns, id: 70}]\n";
    let id = make(netns);
    // D2: a second namespace is admitted beside the first; the lowest is told.
    assert_eq!(number(commands.set_netns(id, 50)), Some(errno::EBUSY));
    commands.enable(id, false).unwrap();
    assert_eq!(number(commands.set_netns(id, 70)), Some(errno::EEXIST));
    commands.set_netns(id, 50).unwrap();
    assert_eq!(number(commands.set_netns(id, u32::MAX)), Some(errno::EBADR));
    assert_eq!(commands.netns(id), Ok(50));
    commands.enable(id, true).unwrap();
    for netns in [50, 70] {
        assert!(lni(&twin, 5, Caller { netns, ..ROOT }, id).is_ok());
    }
    twin.nic().close(5);
    // D3: members are all different, and none is -1.
    let members = |first, second| Descriptor {
        restricted_members: true,
        restricted_vnis: true,
        vnis: vec![30],
        members: vec![first, second],
        ..Descriptor::default()
    };
    let refused = |made: &Descriptor| commands.alloc(made).unwrap_err().0.number();
    assert_eq!(refused(&members(Member::Uid(1), Member::Uid(1))), Some(errno::EEXIST));
    assert_eq!(
        refused(&members(Member::Uid(u32::MAX), Member::Gid(1))),
        Some(errno::EBADR)
    );
    // D4: a namespace in the descriptor has the number of the user before it.
    let mut bytes = members(Member::Uid(77), Member::Gid(1)).to_bytes();
    bytes[28] = 3;
    let mut answer = [0; 24];
    twin.exchange(&Request::alloc(&bytes), &mut answer, &mut []).unwrap();
    assert_eq!(commands.netns(u32::from(answer[0])), Ok(77));
    // D7: a second range that overlaps leaves none.
    let ranged = make("vnis: {vni_min: 64, vni_max: 127}");
    let again = VniRange { first: 64, last: 127 };
    assert_eq!(number(commands.set_vni_range(ranged, again)), Some(errno::EEXIST));
    assert_eq!(number(commands.vni_range(ranged)), Some(errno::ENOENT));
    // D8: a range of one may be another service's single VNI.
    let single = commands.alloc(&Descriptor {
        resource_limits: true,
        ..Descriptor::default()
    });
    commands
        .set_vni_range(single.unwrap(), VniRange { first: 20, last: 20 })
        .unwrap();
    // D12: pools are counted from 0.
    assert_eq!(commands.usage(1).unwrap().tle_pool, 0);
    assert_eq!(commands.usage(id).unwrap().tle_pool, 1);
    // D16: 254 LNIs without sharing beside a retry handler, and as many times more with it.
    commands.enable(1, true).unwrap();
    for _ in 0..254 {
        lni(&twin, 6, ROOT, 1).unwrap();
    }
    assert_eq!(lni(&twin, 6, ROOT, 1), Err(errno::ENOSPC));
    twin.nic().close(6);
    commands.set_lnis_per_rgid(1, 2).unwrap();
    for _ in 0..508 {
        lni(&twin, 6, ROOT, 1).unwrap();
    }
    assert_eq!(lni(&twin, 6, ROOT, 1), Err(errno::ENOSPC));
}

#[test]
fn two_services_with_one_vni_are_as_the_drivers_age_has_it() {
    for (shares, expected) in [(true, None), (false, Some(errno::EEXIST))] {
        let twin = Twin::new(Parameters {
            shares_single_vnis: shares,
            ..Parameters::default()
        });
        let wanted = template::parse("vnis: {vni: 20}").unwrap();
        work::create(Commands::to(&twin), &wanted, &clock()).unwrap();
        let second = work::create(Commands::to(&twin), &wanted, &clock());
        let refused = second.err().map(|refused| match refused {
            CreateError::Alloc(refused, _) => refused.number().unwrap(),
            other => panic!("{other:?}"),
        });
        assert_eq!(refused, expected);
    }
}

#[test]
fn a_virtual_function_is_asked_and_not_changed() {
    let twin = twin();
    twin.nic().make_virtual();
    let commands = Commands::to(&twin);
    assert_eq!(survey::services(commands, &BTreeMap::new()).unwrap().len(), 1);
    assert_eq!(number(work::switch(commands, 1, true)), Some(errno::EPERM));
    let _: &Nic = &twin.nic();
}
