//! Which strategy follows from what the site says and what the runtime says.

use std::path::Path;

use super::answer::{RuntimeAnswer, RuntimeFacts};
use super::cdi::CdiSupport;
use crate::model::alloc::strategy::{Strategy, StrategySetting};
use crate::model::cdi::naming::{NameKind, Naming};

/// A strategy, and why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// How containers get their NICs.
    pub strategy: Strategy,
    /// Why.
    pub reason: String,
    /// Whether containers are likely to lack their NICs.
    pub is_doubtful: bool,
}

/// What follows. Only a runtime that is known to honour CDI names is given any, unless the site insists: others drop them
/// without an error, and a pod starts without its NIC.
pub fn choose(setting: StrategySetting, answer: &RuntimeAnswer, naming: &Naming, cdi_dir: &Path) -> Choice {
    let (support, said) = match answer {
        RuntimeAnswer::Awaited => (
            CdiSupport::Unknown,
            "the container runtime has not answered yet".to_owned(),
        ),
        RuntimeAnswer::Silent(reason) => (CdiSupport::Unknown, reason.clone()),
        RuntimeAnswer::Known(facts) => facts.cdi(),
    };
    let is_on = support == CdiSupport::On;
    let obstacle = match answer {
        _ if !naming.kinds.contains(&NameKind::Pci) => {
            Some("cdi.names leaves out pci, the name that pods are given".to_owned())
        }
        RuntimeAnswer::Known(facts) => reads_elsewhere(facts, cdi_dir),
        RuntimeAnswer::Awaited | RuntimeAnswer::Silent(_) => None,
    };
    match setting {
        StrategySetting::Auto => Choice {
            strategy: if is_on && obstacle.is_none() {
                Strategy::Cdi
            } else {
                Strategy::Direct
            },
            reason: match obstacle {
                Some(obstacle) if is_on => format!("{said}, but {obstacle}"),
                _ => said,
            },
            is_doubtful: false,
        },
        StrategySetting::Cdi => Choice {
            strategy: Strategy::Cdi,
            reason: format!("allocation.strategy says so; {said}"),
            is_doubtful: matches!(support, CdiSupport::Never | CdiSupport::Off),
        },
        StrategySetting::Direct => Choice {
            strategy: Strategy::Direct,
            reason: format!("allocation.strategy says so; {said}"),
            is_doubtful: false,
        },
    }
}

/// Of several runtimes nobody says which one is kubelet's: the one that does least with CDI names counts.
pub fn weakest(answers: Vec<RuntimeFacts>) -> Option<RuntimeFacts> {
    let is_on = |facts: &RuntimeFacts| facts.cdi().0 == CdiSupport::On;
    answers.into_iter().min_by_key(is_on)
}

fn reads_elsewhere(facts: &RuntimeFacts, cdi_dir: &Path) -> Option<String> {
    let dirs = facts.settings.cdi_spec_dirs.as_ref()?;
    let reads = dirs.iter().any(|dir| is_same_directory(dir, cdi_dir));
    let reason = || format!("it does not read CDI specs in {}", cdi_dir.display());
    (!reads).then(reason)
}

/// `/var/run` is `/run`.
pub fn is_same_directory(one: &Path, other: &Path) -> bool {
    let short = |path: &Path| match path.strip_prefix("/var/run") {
        Ok(rest) => Path::new("/run").join(rest),
        Err(_) => path.to_owned(),
    };
    short(one) == short(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIR: &str = "/var/run/cdi";

    fn known(name: &str, version: &str, settings: &str) -> RuntimeAnswer {
        let mut facts = RuntimeFacts::new(Path::new("/run/x.sock"), name, version);
        facts.settings = super::super::answer::RuntimeSettings::parse(settings).unwrap();
        RuntimeAnswer::Known(facts)
    }

    fn answers() -> Vec<(RuntimeAnswer, Strategy)> {
        use Strategy::{Cdi, Direct};
        vec![
            (RuntimeAnswer::Awaited, Direct),
            (RuntimeAnswer::Silent("no socket".into()), Direct),
            (known("containerd", "1.6.20", "{}"), Direct),
            (known("containerd", "1.7.24", "{}"), Direct),
            (known("containerd", "1.7.24", r#"{"enableCDI":false}"#), Direct),
            (known("containerd", "1.7.24", r#"{"enableCDI":true,"other":[1]}"#), Cdi),
            (
                known(
                    "containerd",
                    "2.0.1",
                    r#"{"enableCDI":true,"cdiSpecDirs":["/etc/cdi","/run/cdi"]}"#,
                ),
                Cdi,
            ),
            (
                known(
                    "containerd",
                    "2.0.1",
                    r#"{"enableCDI":true,"cdiSpecDirs":["/etc/cdi"]}"#,
                ),
                Direct,
            ),
            (
                known("containerd", "2.0.1", r#"{"enableCDI":true,"cdiSpecDirs":[]}"#),
                Direct,
            ),
            (known("containerd", "2.4.2", "{}"), Cdi),
            (known("cri-o", "1.30.1", "{}"), Cdi),
            (known("docker", "28.3.0", "{}"), Direct),
        ]
    }

    #[test]
    fn auto_goes_by_the_answer_and_the_others_do_not() {
        for (answer, expected) in answers() {
            let by = |setting| choose(setting, &answer, &Naming::default(), Path::new(DIR));
            let auto = by(StrategySetting::Auto);
            assert_eq!(auto.strategy, expected, "{answer:?}");
            assert!(!auto.is_doubtful && !auto.reason.is_empty());
            assert_eq!(by(StrategySetting::Cdi).strategy, Strategy::Cdi, "{answer:?}");
            assert_eq!(by(StrategySetting::Direct).strategy, Strategy::Direct, "{answer:?}");
        }
    }

    #[test]
    fn names_that_are_not_written_are_not_given() {
        let naming = Naming {
            kinds: vec![NameKind::Cxi],
            all: true,
        };
        let choice = choose(
            StrategySetting::Auto,
            &known("cri-o", "1.30.1", "{}"),
            &naming,
            Path::new(DIR),
        );
        assert_eq!(choice.strategy, Strategy::Direct);
        assert!(choice.reason.contains("cdi.names"), "{}", choice.reason);
    }

    #[test]
    fn to_insist_on_a_runtime_that_drops_names_is_doubtful() {
        for (answer, expected) in [
            (known("containerd", "1.6.20", "{}"), true),
            (known("containerd", "1.7.24", "{}"), true),
            (known("containerd", "2.4.2", "{}"), false),
            (known("docker", "28.3.0", "{}"), false),
            (RuntimeAnswer::Awaited, false),
        ] {
            let choice = choose(StrategySetting::Cdi, &answer, &Naming::default(), Path::new(DIR));
            assert_eq!(choice.is_doubtful, expected, "{answer:?}");
        }
    }

    #[test]
    fn of_several_runtimes_the_one_that_does_least_counts() {
        let facts = |version| RuntimeFacts::new(Path::new("/x"), "containerd", version);
        for order in [["2.4.2", "1.6.1"], ["1.6.1", "2.4.2"]] {
            let weakest = weakest(order.map(facts).into()).unwrap();
            assert_eq!(weakest.version, "1.6.1");
        }
        assert_eq!(weakest(vec![]), None);
    }
}
