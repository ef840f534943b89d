//! How a service is made: one command makes it, further ones complete it, and one that fails takes it back. Between them it
//! never admits anybody who is not to use it.

use super::template::Wanted;

/// A command after the one that has made the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Switch it off: a namespace is taken by a service that is off only.
    Disable,
    /// Admit the namespace.
    SetNetns(u32),
    /// Give it its range.
    SetVniRange {
        /// The first VNI.
        first: u32,
        /// The last.
        last: u32,
    },
    /// Communication profiles for itself.
    SetExclusiveCp,
    /// Switch it on.
    Enable,
}

impl Step {
    /// For people.
    pub fn words(self) -> String {
        match self {
            Self::Disable => "switch it off".to_owned(),
            Self::SetNetns(netns) => format!("admit the network namespace {netns}"),
            Self::SetVniRange { first, last } => format!("give it the VNIs {first}-{last}"),
            Self::SetExclusiveCp => "give it communication profiles of its own".to_owned(),
            Self::Enable => "switch it on".to_owned(),
        }
    }
}

/// What follows on making it. With single VNIs the driver has switched it on; one that waits for its range is off, and stays off
/// in the drivers of 2026 until somebody switches it on, whatever their manual says.
pub fn steps(wanted: &Wanted) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(netns) = wanted.netns {
        steps.extend([Step::Disable, Step::SetNetns(netns), Step::Enable]);
    }
    if let Some(range) = wanted.vni_range {
        steps.push(Step::SetVniRange {
            first: range.first,
            last: range.last,
        });
        if wanted.exclusive_cp {
            steps.push(Step::SetExclusiveCp);
        }
        steps.push(Step::Enable);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::services::service::VniRange;

    #[test]
    fn a_namespace_is_set_while_the_service_is_off() {
        let wanted = Wanted {
            netns: Some(7),
            ..Wanted::default()
        };
        assert_eq!(steps(&wanted), [Step::Disable, Step::SetNetns(7), Step::Enable]);
        assert_eq!(steps(&Wanted::default()), []);
    }

    #[test]
    fn a_range_is_complete_before_it_is_on() {
        let wanted = Wanted {
            vni_range: Some(VniRange { first: 64, last: 127 }),
            exclusive_cp: true,
            ..Wanted::default()
        };
        let range = Step::SetVniRange { first: 64, last: 127 };
        assert_eq!(steps(&wanted), [range, Step::SetExclusiveCp, Step::Enable]);
    }
}
