//! Kernel uevents: devices and modules that come, go or change.

use std::io;

use netlink_sys::protocols::NETLINK_KOBJECT_UEVENT;

use super::listener::{Listener, Received};
use super::source::Listen;
use crate::model::netlink::uevent;
use crate::model::trigger::Trigger;

/// The group in which the kernel speaks; udevd speaks in 2.
const KERNEL_GROUP: u32 = 1;

/// Hears the kernel's uevents.
#[derive(Debug)]
pub struct Uevents(Listener);

impl Listen for Uevents {
    const NAME: &'static str = "kernel uevents";

    fn open() -> io::Result<Self> {
        Listener::open(NETLINK_KOBJECT_UEVENT, KERNEL_GROUP).map(Self)
    }

    async fn next(&mut self) -> io::Result<Trigger> {
        Ok(match self.0.receive(uevent::parse).await? {
            Received::Message(event) => Trigger::Uevent {
                action: event.action,
                device: event.device,
            },
            Received::Overflow => Trigger::Overflow(Self::NAME),
        })
    }
}
