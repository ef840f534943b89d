//! `[cxi_service]`: what a site wants of the services of its NICs.

use super::fragment::Content;
use super::inputs::{Effective, Reader};
use super::problem::{Origin, Problem};
use super::settings::{CxiServiceSettings, DefaultService, Settings};
use super::value::Value;
use crate::model::health::Check;
use crate::model::services::admission::Asker;
use crate::model::services::retry::LINGERS_AFTER;

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
    policy.is_isolation_required = settings.isolation.required;
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
    // It goes over both.
    if settings.isolation.required {
        return None;
    }
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
