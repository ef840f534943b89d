//! `[cxi_service]`: what a site wants of the services of its NICs.

use std::time::Duration;

use super::fragment::{Content, ValueNode};
use super::inputs::{Effective, Reader};
use super::problem::{Origin, Problem};
use super::settings::Settings;
use super::value::{Fault, Faults, Value};
use crate::model::health::{Action, Check};
use crate::model::services::admission::Asker;
use crate::model::services::retry::LINGERS_AFTER;

/// What a NIC is to a site that a pod could not use, by its services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DefaultService {
    /// It is said; the NIC stays Healthy.
    Warn,
    /// The NIC is Unhealthy.
    Require,
    /// Nothing, such as where launchers make a service for each job.
    Ignore,
}

impl DefaultService {
    const ALL: [Self; 3] = [Self::Warn, Self::Require, Self::Ignore];

    /// The same, as of the condition `cxi-service`.
    pub fn action(self) -> Action {
        match self {
            Self::Warn => Action::Warn,
            Self::Require => Action::Fail,
            Self::Ignore => Action::Ignore,
        }
    }
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CxiServiceSettings {
    /// Of a NIC that no pod could use.
    pub default_service: DefaultService,
    /// Whose pod is asked about.
    pub pod: Asker,
    /// How long the end of a service may be refused before that is news.
    pub lingers_after: Duration,
}

/// Reads it.
pub(super) fn read(table: &mut Reader<'_>) -> CxiServiceSettings {
    CxiServiceSettings {
        default_service: table.get("default_service", DefaultService::Warn),
        pod: Asker {
            uid: table.get("uid", None),
            gid: table.get("gid", None),
            netns: None,
        },
        lingers_after: table.get("lingers_after", LINGERS_AFTER),
    }
}

/// A user or a group, or any.
impl Value for Option<u32> {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        // The highest is -1, which the kernel gives to nobody.
        let id = |number: i64| u32::try_from(number).ok().filter(|id| *id != u32::MAX);
        let known = match &node.content {
            Content::Text(text) if text == "any" => Some(None),
            Content::Number(number) => id(*number).map(Some),
            _ => None,
        };
        known.ok_or_else(|| Fault::expected(node, "a number from 0 to 4294967294, or \"any\""))
    }

    fn show(&self) -> Content {
        self.map_or_else(|| Content::Text("any".to_owned()), |id| Content::Number(id.into()))
    }
}

const KEY: &str = "cxi_service.default_service";

fn condition() -> String {
    format!("health.{}", Check::CxiService.name())
}

/// `default_service` and the condition are one setting under two names: whoever is silent says what the other one does.
pub(super) fn unite(settings: &mut Settings, effective: &mut [Effective]) {
    let origin = |key: &str| {
        let found = effective.iter().find(|effective| effective.key == key);
        found.map_or(Origin::Default, |effective| effective.origin.clone())
    };
    let condition = condition();
    let (of_key, of_condition) = (origin(KEY), origin(&condition));
    let mut set = |key: &str, value: Content, origin: Origin| {
        for effective in effective.iter_mut().filter(|effective| effective.key == key) {
            effective.value.clone_from(&value);
            effective.origin = origin.clone();
        }
    };
    let policy = &mut settings.health.policy;
    policy.pod = settings.cxi_service.pod;
    match (of_key, of_condition) {
        (Origin::Default, Origin::Default) => {}
        (Origin::Default, origin) => {
            let action = policy.action(Check::CxiService);
            let same = DefaultService::ALL.into_iter().find(|word| word.action() == action);
            settings.cxi_service.default_service = same.unwrap_or(DefaultService::Warn);
            set(KEY, settings.cxi_service.default_service.show(), origin);
        }
        (origin, Origin::Default) => {
            let action = settings.cxi_service.default_service.action();
            // Its own name is known to it.
            let _ = policy.set(Check::CxiService.name(), action);
            set(&condition, action.show(), origin);
        }
        _ => {}
    }
}

/// Both names are given, and say different things.
pub(super) fn contradiction(settings: &Settings, effective: &[Effective]) -> Option<Problem> {
    let same = settings.cxi_service.default_service.action();
    let other = settings.health.policy.action(Check::CxiService);
    let origin = |key: &str| effective.iter().find(|effective| effective.key == key);
    let condition = condition();
    let where_else = &origin(&condition)?.origin;
    (same != other).then(|| Problem {
        origin: origin(KEY).map_or(Origin::Default, |effective| effective.origin.clone()),
        key: Some(KEY.to_owned()),
        reason: format!(
            "{} is {condition} = \"{same}\", and {where_else} says \"{other}\": leave one of them out",
            settings.cxi_service.default_service.show()
        ),
    })
}
