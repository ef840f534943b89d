//! How the running daemon gives containers their NICs, and what their runtime has told it.

use super::facts::NodeFacts;
use super::finding::{Evidence, Examination, FindingId, Level};
use crate::model::alloc::strategy::StrategySetting;
use crate::model::runtime::cdi::CdiSupport;
use crate::model::runtime::record::{RuntimeStatus, StrategyStatus};

/// What to type for containerd 1.7, which has the switch; containerd 2 has it on.
const SWITCH_ON: &str = "set enable_cdi = true under [plugins.'io.containerd.grpc.v1.cri'], of containerd 2 under \
                         [plugins.'io.containerd.cri.v1.runtime'] ; systemctl restart containerd";

pub(super) fn examine(facts: &NodeFacts, examination: &mut Examination) {
    let Some((strategy, runtime)) = told(facts) else { return };
    let called = format!("{} {}", runtime.name, runtime.version);
    let insists_on = |setting: StrategySetting| strategy.setting == setting.name();
    let evidence = |said: String| vec![Evidence::new(&facts.daemon.status_file, said)];
    match runtime.cdi {
        CdiSupport::Never | CdiSupport::Off if insists_on(StrategySetting::Cdi) => {
            let remedy = "set [allocation] strategy = \"auto\", and leave out --enable-cdi ; systemctl restart cxi-device-plugin";
            let or = match runtime.cdi {
                CdiSupport::Off => format!(". Or: {SWITCH_ON}"),
                _ => String::new(),
            };
            examination.found(
                (FindingId::StrategyNotHonoured, Level::Problem),
                called,
                "drops CDI names without an error, and the daemon is told to give pods nothing else: they start without \
                 their NICs",
                evidence(format!("strategy {}", strategy.setting)),
                format!("{remedy}{or}"),
            );
        }
        CdiSupport::Off => examination.found(
            (FindingId::RuntimeCdiOff, Level::Warning),
            called,
            "knows CDI and has it off: pods that ask by annotation get no NIC, and the daemon gives device nodes instead of \
             names, which kubelet repeats after a reboot",
            evidence(strategy.reason.clone()),
            SWITCH_ON,
        ),
        CdiSupport::On if insists_on(StrategySetting::Direct) => examination.found(
            (FindingId::StrategyDirect, Level::Note),
            called,
            "honours CDI names, and the daemon is told to give device nodes, which kubelet repeats after a reboot",
            evidence(format!("strategy {}", strategy.setting)),
            "set [allocation] strategy = \"auto\" ; systemctl reload cxi-device-plugin",
        ),
        CdiSupport::On | CdiSupport::Never | CdiSupport::Unknown => {}
    }
}

/// Whether the running daemon knows from a runtime of this name what becomes of CDI names.
pub(super) fn is_told(facts: &NodeFacts, name: &str) -> bool {
    told(facts).is_some_and(|(_, runtime)| runtime.name == name && runtime.cdi != CdiSupport::Unknown)
}

/// Whether it knows of any at all.
pub(super) fn is_told_of_any(facts: &NodeFacts) -> bool {
    told(facts).is_some()
}

fn told(facts: &NodeFacts) -> Option<(&StrategyStatus, &RuntimeStatus)> {
    let strategy = &facts.daemon.known()?.node.strategy;
    Some((strategy, strategy.runtime.as_ref()?))
}
