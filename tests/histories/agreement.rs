//! Whether kubelet's list, the CDI file, the daemon's own record and a fresh look at the node say the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::world::World;
use crate::common::Generator;
use crate::common::daemon::{Daemon, RESOURCE};

/// Within this time after the last fault has ended.
const LIMIT: Duration = Duration::from_secs(10);
/// What both say of a NIC.
const KEYS: [&str; 10] = [
    "address", "cxi", "netdev", "mac", "nid", "numa", "function", "driver", "withheld", "healthy",
];
/// Conditions that rest on what was before, and so on who looked then.
const OF_HISTORY: [&str; 2] = ["pcie-errors", "link-flaps"];

/// What a look at the node finds that knows nothing of what was before.
struct Fresh {
    nics: Vec<Value>,
    list: Vec<(String, bool)>,
    spec: String,
}

impl Fresh {
    fn new(world: &World) -> Self {
        let said = world.admin(&["devices", "--output", "json"]);
        let said: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
        let nics = said["nics"].as_array().unwrap().clone();
        let offered = nics.iter().filter(|nic| nic["withheld"].is_null());
        let one = |nic: &Value| (nic["address"].as_str().unwrap().to_owned(), nic["healthy"] == true);
        // Without a NIC there is no spec, and no file.
        let spec = Generator::below(world.node.root()).dry_run();
        Self {
            list: offered.map(one).collect(),
            spec: if spec.starts_with("cdiVersion") {
                spec
            } else {
                String::new()
            },
            nics,
        }
    }

    /// The first of what is not as it should be.
    fn differs(&self, world: &World) -> Result<(), String> {
        let pid = world.daemon.as_ref().map(Daemon::pid).ok_or("there is no daemon")?;
        let devices = world.kubelet.devices(RESOURCE);
        let list: Vec<_> = devices
            .iter()
            .map(|device| (device.id.clone(), device.is_healthy()))
            .collect();
        equal("kubelet's list", &list, &self.list)?;
        equal("streams to kubelet", &world.kubelet.open_streams(RESOURCE), &1)?;
        let socket = world.kubelet.endpoint(RESOURCE).unwrap_or_default();
        if !socket.to_string_lossy().contains(&format!("-{pid}-")) {
            return Err(format!("kubelet's plugin is {}, not process {pid}", socket.display()));
        }
        equal("the CDI file", &world.host.spec(), &self.spec)?;
        let record = fs::read_to_string(world.host.path("run/status.json")).map_err(|error| error.to_string())?;
        let record: Value = serde_json::from_str(&record).map_err(|error| error.to_string())?;
        equal("the record's process", &record["pid"], &pid.into())?;
        equal(
            "the record on kubelet",
            &record["kubelet"]["state"],
            &"registered".into(),
        )?;
        equal("why the node cannot be looked at", &record["blind"], &Value::Null)?;
        equal("why there is no CDI file", &record["cdi"]["error"], &Value::Null)?;
        let recorded = record["nics"].as_array().ok_or("no NICs in the record")?;
        equal("the record's NICs", &recorded.len(), &self.nics.len())?;
        for (recorded, fresh) in recorded.iter().zip(&self.nics) {
            for key in KEYS {
                let what = format!("{key} of {} in the record", fresh["address"]);
                equal(&what, &recorded[key], &fresh[key])?;
            }
            let (recorded, found) = (verdicts(recorded), verdicts(fresh));
            for (check, found) in found {
                let what = format!("{check} of {} in the record", fresh["address"]);
                equal(&what, &recorded.get(check), &Some(&found))?;
            }
        }
        Ok(())
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, fresh: &T) -> Result<(), String> {
    if is == fresh {
        Ok(())
    } else {
        Err(format!("{what}: {is:?}\n  a fresh look: {fresh:?}"))
    }
}

/// How each condition came out.
fn verdicts(nic: &Value) -> BTreeMap<&str, &Value> {
    let conditions = nic["conditions"].as_array().into_iter().flatten();
    let verdicts = conditions.filter_map(|condition| Some((condition["check"].as_str()?, &condition["verdict"])));
    verdicts.filter(|(check, _)| !OF_HISTORY.contains(check)).collect()
}

/// Waits for it; the time since `end` counts. Returns how long it took.
pub fn reach(world: &mut World, end: Instant) -> Duration {
    let fresh = Fresh::new(world);
    loop {
        world.assert_running();
        let differs = match fresh.differs(world) {
            Ok(()) => break,
            Err(differs) => differs,
        };
        assert!(
            end.elapsed() < LIMIT,
            "no agreement {LIMIT:?} after the last fault: {differs}"
        );
        // Those who wait leave the processors to those they wait for.
        thread::sleep(Duration::from_millis(5));
    }
    let took = end.elapsed();
    // And a pod gets what the list says.
    for nic in fresh
        .nics
        .iter()
        .filter(|nic| nic["withheld"].is_null() && nic["healthy"] == true)
    {
        let (address, cxi) = (
            nic["address"].as_str().unwrap(),
            nic["cxi"].as_str().unwrap_or_default(),
        );
        let got = world
            .allocate(address)
            .unwrap_or_else(|error| panic!("Allocate of {address}: {error}"));
        let by_pci = format!("/dev/cxi-by-pci/{address}");
        assert!(
            [&by_pci, &format!("hpe.com/cxi={address}")].contains(&&got),
            "Allocate of {address}, which is {cxi}: {got}"
        );
        let link = world.node.root().join(by_pci.trim_start_matches('/'));
        let leads = fs::read_link(&link);
        assert!(
            leads.as_ref().is_ok_and(|to| to == Path::new(&format!("../{cxi}"))),
            "{address} is {cxi}: {leads:?}"
        );
    }
    took
}
