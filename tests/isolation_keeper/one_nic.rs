//! Services are made, ended, and found again after a crash.

use std::time::Duration;

use cxi_device_plugin::model::isolation::ledger::State;
use cxi_device_plugin::model::services::descriptor::{Limit, Resource};
use cxi_sim::driver::{Parameters, errno};

use super::{CHANGING, Host, admits, alloc, destroy, services_of, want, want_in};

#[test]
fn a_pod_gets_a_service_that_is_its_own() {
    let host = Host::new();
    let service = host.bind(&want("a", 700)).unwrap();
    let made = &host.services()[0];
    assert_eq!((made.id(), made.netns.clone()), (service, Ok(Some(700))));
    let descriptor = &made.descriptor;
    assert!(descriptor.enabled && descriptor.restricted_members && descriptor.restricted_vnis);
    assert!(descriptor.resource_limits && !descriptor.system && descriptor.members.is_empty());
    assert_eq!(descriptor.vnis, [1024]);
    // No trigger list entries: their pools are for four services of a NIC.
    assert_eq!(descriptor.limit(Resource::Tle), Limit { max: 0, reserved: 0 });
    assert_eq!(descriptor.limit(Resource::Ac), Limit { max: 1022, reserved: 0 });
    assert_eq!(
        descriptor.limit(Resource::Le),
        Limit {
            max: 16384,
            reserved: 0
        }
    );
    assert_eq!(host.admits(700, service), Ok(()));
    assert_eq!(host.admits(701, service), Err(errno::EPERM));
    // In the order of which the driver never admits anybody else.
    let changing: Vec<u32> = host
        .sent
        .borrow()
        .iter()
        .copied()
        .filter(|op| CHANGING.contains(op))
        .collect();
    assert_eq!(changing, [28, 80, 84, 80]);
    // Ten pods of one namespace have room on one NIC, and share its VNI.
    for pod in 0..9 {
        host.bind(&want(&format!("more-{pod}"), 710 + pod)).unwrap();
    }
    assert_eq!(host.ids().len(), 10);
}

#[test]
fn while_it_is_made_nobody_is_admitted_but_the_pod() {
    let watch = |nic: &mut cxi_sim::driver::Nic| {
        for service in services_of(nic) {
            for outsider in [701, 4_026_531_840] {
                assert!(admits(nic, outsider, service.id()).is_err(), "{service:?}");
            }
        }
    };
    let host = Host::with(Parameters::default(), Box::new(watch));
    let service = host.bind(&want("a", 700)).unwrap();
    assert_eq!(host.admits(700, service), Ok(()));
    host.release("a");
    assert_eq!(host.ids(), [0_u32; 0]);
}

#[test]
fn a_pod_that_has_its_service_keeps_it() {
    let host = Host::new();
    let service = host.bind(&want("a", 700)).unwrap();
    host.open(1, 700, service);
    host.sent.borrow_mut().clear();
    assert_eq!(host.bind(&want("a", 700)), Ok(service));
    let changing = host.sent.borrow().iter().any(|op| CHANGING.contains(op));
    assert!(!changing, "{:?}", host.sent);
    host.restart();
    assert_eq!(host.bind(&want("a", 700)), Ok(service));
    assert_eq!(host.ids(), [service]);
}

#[test]
fn one_that_somebody_has_taken_away_is_made_anew_and_one_that_was_changed_is_said() {
    let host = Host::new();
    let service = host.bind(&want("a", 700)).unwrap();
    destroy(&mut host.twin.nic(), service).unwrap();
    let foreign = host.foreign(&[500], 7);
    assert_eq!(foreign, service, "the number is used again");
    let next = host.bind(&want("a", 700)).unwrap();
    assert_ne!(next, foreign);
    assert_eq!(host.ids(), [foreign, next]);
    host.release("a");
    assert_eq!(host.ids(), [foreign]);
    let service = host.bind(&want("b", 701)).unwrap();
    let off = cxi_device_plugin::model::services::abi::Request::with_value(
        cxi_device_plugin::model::services::abi::Command::ServiceEnable,
        service,
        0,
    );
    host.twin
        .nic()
        .command(88, &super::ROOT, &off.bytes(0, 0))
        .result
        .unwrap();
    let refusal = host.bind(&want("b", 701)).unwrap_err().to_string();
    assert!(refusal.contains("is off"), "{refusal}");
}

#[test]
fn a_pod_that_is_gone_leaves_nothing_and_what_is_in_use_goes_later() {
    let host = Host::new();
    let service = host.bind(&want("a", 700)).unwrap();
    host.open(1, 700, service);
    host.release("a");
    assert_eq!(host.ids(), [service]);
    assert_eq!(host.keeper.borrow().shown()[0].state, "ending");
    // Nothing is asked before it is due, and it is due ever more rarely.
    let mut tries = 0;
    for _ in 0..600 {
        host.sent.borrow_mut().clear();
        host.pass(Duration::from_secs(1));
        tries += usize::from(!host.sent.borrow().is_empty());
    }
    assert!((15..60).contains(&tries), "{tries}");
    host.twin.nic().close(1);
    host.pass(Duration::from_secs(30));
    assert_eq!(host.ids(), [0_u32; 0]);
    assert!(host.keeper.borrow().ledger().entries.is_empty());
}

#[test]
fn an_old_pods_service_does_not_admit_the_next_owner_of_its_namespaces_number() {
    let host = Host::new();
    let old = host.bind(&want("old", 700)).unwrap();
    host.open(1, 700, old);
    host.release("old");
    let refusal = host.bind(&want_in("red", 2000, "new", 700)).unwrap_err().to_string();
    assert!(
        refusal.contains(&format!("service {old} of pod blue/pod-old")),
        "{refusal}"
    );
    // The very moment that it can go, it goes.
    host.twin.nic().close(1);
    let new = host.bind(&want_in("red", 2000, "new", 700)).unwrap();
    let services = host.services();
    assert_eq!(services.len(), 1);
    assert_eq!(
        (services[0].id(), services[0].descriptor.vnis.as_slice()),
        (new, [2000].as_slice())
    );
}

#[test]
fn what_no_living_pod_has_is_swept() {
    let host = Host::new();
    let (a, b) = (host.bind(&want("a", 700)).unwrap(), host.bind(&want("b", 701)).unwrap());
    let foreign = host.foreign(&[500], 7);
    host.restart();
    host.sweep(&["b", "unknown"]);
    assert_eq!(host.ids(), [b, foreign]);
    assert_ne!(a, b);
    host.sweep(&[]);
    assert_eq!(host.ids(), [foreign]);
}

#[test]
fn a_number_that_is_somebody_elses_by_now_is_left_alone() {
    let host = Host::new();
    let service = host.bind(&want("a", 700)).unwrap();
    host.open(1, 700, service);
    host.release("a");
    host.twin.nic().close(1);
    destroy(&mut host.twin.nic(), service).unwrap();
    let foreign = host.foreign(&[1024], 7);
    assert_eq!(foreign, service);
    host.pass(Duration::from_secs(600));
    assert_eq!(host.ids(), [foreign]);
    assert!(host.keeper.borrow().ledger().entries.is_empty());
}

#[test]
fn with_the_driver_bound_anew_services_are_made_anew() {
    let host = Host::new();
    host.bind(&want("a", 700)).unwrap();
    host.rebind(Parameters::default());
    let foreign = host.foreign(&[1024], 7);
    host.sweep(&[]);
    assert_eq!(host.ids(), [foreign], "what is there is not ours");
    destroy(&mut host.twin.nic(), foreign).unwrap();
    let service = host.bind(&want("a", 700)).unwrap();
    assert_eq!(host.admits(700, service), Ok(()));
}

#[test]
fn killed_after_any_command_it_leaves_nothing_and_touches_nobody_elses() {
    let mut commands = 0;
    for work in ["bind", "release"] {
        for limit in 1.. {
            let host = Host::new();
            let foreign = host.foreign(&[500], 7);
            if work == "release" {
                host.bind(&want("a", 700)).unwrap();
            }
            host.kill_after(limit);
            match work {
                "bind" => drop(host.bind(&want("a", 700))),
                _ => host.release("a"),
            }
            if !host.was_killed() {
                assert!(limit > 3, "{work} was killed {limit} times");
                break;
            }
            commands += 1;
            host.restart();
            match (work, limit % 2) {
                // The pod is tried again, by a new sandbox or by the same one; or it is gone.
                ("bind", 0) => {
                    let service = host.bind(&want("a", 700)).unwrap();
                    assert_eq!(host.ids(), [foreign, service], "after {limit} of {work}");
                    host.release("a");
                }
                ("bind", _) => host.sweep(&[]),
                _ => host.sweep(&[]),
            }
            assert_eq!(host.ids(), [foreign], "after {limit} of {work}");
            assert!(host.keeper.borrow().ledger().entries.is_empty());
        }
    }
    assert!(commands > 15, "{commands}");
}

#[test]
fn of_two_that_look_alike_after_a_crash_neither_is_touched_and_both_are_named() {
    // After the command that makes it, before it is written down.
    let host = Host::new();
    let made = (1..40)
        .find(|limit| {
            host.kill_after(*limit);
            let _ = host.bind(&want("a", 700));
            let is_made = host.ids().len() == 1 && host.was_killed();
            host.restart();
            if !is_made {
                host.sweep(&[]);
            }
            is_made
        })
        .unwrap();
    assert!(made > 1);
    let ours = host.services()[0].clone();
    let state = host.kept.ledger.lock().unwrap().entries[0].state.clone();
    assert!(matches!(state, State::Intended { .. }), "{state:?}");
    let twin = alloc(&mut host.twin.nic(), &ours.descriptor).unwrap();
    host.sweep(&[]);
    let both = vec![ours.id(), twin];
    assert_eq!(host.ids(), both);
    let refusal = host.bind(&want("a", 700)).unwrap_err().to_string();
    for service in &both {
        assert!(refusal.contains(&service.to_string()), "{refusal}");
    }
    assert_eq!(host.ids(), both);
    // An admin decides.
    for service in both {
        destroy(&mut host.twin.nic(), service).unwrap();
    }
    let service = host.bind(&want("a", 700)).unwrap();
    assert_eq!(host.ids(), [service]);
}
