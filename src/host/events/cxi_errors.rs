//! The driver's error messages (generic netlink family `cxierr`): logged and counted, and nothing rests on them. The
//! driver multicasts them in the first network namespace only.

use std::io;
use std::time::{Duration, Instant};

use netlink_sys::protocols::NETLINK_GENERIC;

use super::listener::{Listener, Received};
use super::source::Listen;
use crate::model::message_id;
use crate::model::netlink::generic::{self, CxiError, Heard};
use crate::model::rate_limit::RateLimit;
use crate::model::trigger::Trigger;

const FAMILY: &str = "cxierr";
/// A dying NIC raises thousands of interrupts.
const BURST: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(10);

/// Hears the driver's error messages, whenever the driver is there.
#[derive(Debug)]
pub struct CxiErrors {
    listener: Listener,
    name: &'static str,
    family: Option<u16>,
    began: Instant,
    limit: RateLimit,
    count: u64,
}

impl CxiErrors {
    fn of(name: &'static str) -> io::Result<Self> {
        let listener = Listener::open(NETLINK_GENERIC, 0)?;
        // First the news of families, then the question, so that none is missed between.
        listener.join(generic::CONTROLLER_GROUP)?;
        listener.ask(&generic::request(name))?;
        Ok(Self {
            listener,
            name,
            family: None,
            began: Instant::now(),
            limit: RateLimit::new(BURST, INTERVAL),
            count: 0,
        })
    }

    async fn hear(&mut self) -> io::Result<Received<Vec<Heard>>> {
        let (name, family) = (self.name, self.family);
        let parse = |bytes: &[u8]| {
            let heard: Vec<Heard> = generic::parse(bytes, name, family).collect();
            (!heard.is_empty()).then_some(heard)
        };
        self.listener.receive(parse).await
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Family { id, group } => match self.listener.join(group) {
                Ok(()) => {
                    self.family = Some(id);
                    tracing::debug!("hearing the driver's error messages ({})", self.name);
                }
                Err(error) => tracing::warn!("cannot hear the driver's error messages ({}): {error}", self.name),
            },
            Heard::FamilyGone => self.family = None,
            Heard::Error(error) => self.log(&error),
        }
    }

    fn log(&mut self, error: &CxiError) {
        self.count += 1;
        let Some(left_out) = self.limit.say(self.began.elapsed()) else {
            return;
        };
        let csr = error
            .csr
            .map_or_else(|| "unknown".to_owned(), |csr| format!("{csr:#010x}"));
        let bit = error.bit.map_or_else(|| "unknown".to_owned(), |bit| bit.to_string());
        tracing::warn!(
            message_id = message_id::NIC_ERROR,
            cxi = error.cxi,
            count = self.count,
            left_out,
            "cxi{}: the driver reports an error: register {csr}, bit {bit}",
            error.cxi
        );
    }
}

impl Listen for CxiErrors {
    const NAME: &'static str = "driver error messages";

    fn open() -> io::Result<Self> {
        Self::of(FAMILY)
    }

    /// Never a trigger but for what was lost, since the family could have come with it.
    async fn next(&mut self) -> io::Result<Trigger> {
        loop {
            match self.hear().await? {
                Received::Message(heard) => heard.into_iter().for_each(|heard| self.take(heard)),
                Received::Overflow => self.listener.ask(&generic::request(self.name))?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The controller is a family as well, and there on every machine.
    #[tokio::test]
    async fn a_family_that_is_there_is_found() {
        let mut errors = CxiErrors::of("nlctrl").unwrap();
        let Received::Message(heard) = errors.hear().await.unwrap() else {
            panic!("nothing to overflow");
        };
        assert_eq!(
            heard,
            [Heard::Family {
                id: 0x10,
                group: generic::CONTROLLER_GROUP
            }]
        );
        heard.into_iter().for_each(|heard| errors.take(heard));
        assert_eq!(errors.family, Some(0x10));
    }
}
