//! Changes of our NICs' network interfaces: carrier, up and down, address.

use std::collections::BTreeSet;
use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;

use super::listener::{Listener, Received};
use super::source::Listen;
use crate::model::netlink::link;
use crate::model::trigger::Trigger;

const RTMGRP_LINK: u32 = 1;

/// Hears the link messages of some interfaces.
#[derive(Debug)]
pub struct Links {
    listener: Listener,
    ours: BTreeSet<String>,
}

impl Links {
    /// Hears these interfaces from now on. A new one is known by the scan that its uevent asked for.
    pub fn follow(&mut self, interfaces: BTreeSet<String>) {
        self.ours = interfaces;
    }
}

impl Listen for Links {
    const NAME: &'static str = "link messages";

    fn open() -> io::Result<Self> {
        Ok(Self {
            listener: Listener::open(NETLINK_ROUTE, RTMGRP_LINK)?,
            ours: BTreeSet::new(),
        })
    }

    async fn next(&mut self) -> io::Result<Trigger> {
        let ours = &self.ours;
        let of_ours = |bytes: &[u8]| link::interfaces(bytes).find(|interface| ours.contains(interface));
        Ok(match self.listener.receive(of_ours).await? {
            Received::Message(interface) => Trigger::Link(interface),
            Received::Overflow => Trigger::Overflow(Self::NAME),
        })
    }
}
