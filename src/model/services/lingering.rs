//! Services that are to end and do not: what is noted of an end that the driver refuses, and which of those linger. The daemon
//! ends no service and cannot see that somebody tries to, since a service that is in use is like any other one; so whoever
//! tries leaves a note.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::default_service::Life;
use super::descriptor::{Descriptor, SIZE};
use super::service::Service;

/// The note of whoever tries to end a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Of the NIC.
    pub life: Life,
    /// The service as it was then, but off: its number is given to another one soon after its end.
    descriptor: Descriptor,
    /// When the first try was refused, in Unix seconds.
    pub since: u64,
}

/// A service whose end has been refused for too long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lingering {
    /// Its number.
    pub service: u32,
    /// When its end was refused first, in Unix seconds.
    pub since: u64,
}

impl Ending {
    /// Of this service.
    pub fn new(life: Life, service: &Service, since: u64) -> Self {
        Self {
            life,
            descriptor: off(&service.descriptor),
            since,
        }
    }

    /// The number of the service.
    pub fn id(&self) -> u32 {
        self.descriptor.id
    }

    /// As a file has it.
    pub fn text(&self) -> String {
        let Life { cxi, instance } = &self.life;
        let bytes = self.descriptor.to_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{cxi} {instance} {} {hex}\n", self.since)
    }

    /// From such a text; none if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let life = Life {
            cxi: words.next()?.to_owned(),
            instance: words.next()?.parse().ok()?,
        };
        let since = words.next()?.parse().ok()?;
        let hex = words.next().filter(|hex| hex.len() == 2 * SIZE && hex.is_ascii())?;
        let bytes: Option<Vec<u8>> = (0..SIZE)
            .map(|place| u8::from_str_radix(hex.get(2 * place..2 * place + 2)?, 16).ok())
            .collect();
        Some(Self {
            life,
            descriptor: Descriptor::from_bytes(&bytes?)?,
            since,
        })
    }

    /// Whether this is the service, in this life of the NIC.
    pub fn is_of(&self, life: &Life, service: &Service) -> bool {
        self.life == *life && self.descriptor == off(&service.descriptor)
    }
}

/// Whoever waits for its end may have switched it off meanwhile.
fn off(descriptor: &Descriptor) -> Descriptor {
    Descriptor {
        enabled: false,
        ..descriptor.clone()
    }
}

/// Those of the services that are to end, with the times of their notes. What has ended by somebody else's hand is not there.
pub fn ending<'a>(
    notes: &'a [Ending],
    life: &'a Life,
    services: &'a [Service],
) -> impl Iterator<Item = Lingering> + 'a {
    services.iter().filter_map(move |service| {
        let note = notes.iter().find(|note| note.is_of(life, service))?;
        Some(Lingering {
            service: service.id(),
            since: note.since,
        })
    })
}

/// Those of them that have been refused for so long, now.
pub fn lingering(notes: &[Ending], life: &Life, services: &[Service], now: u64, after: Duration) -> Vec<Lingering> {
    let ending = ending(notes, life, services);
    ending
        .filter(|ending| now.saturating_sub(ending.since) >= after.as_secs())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::services::refused::{Refused, errno};
    use crate::model::services::service::Origin;

    fn service(id: u32, vni: u16, enabled: bool) -> Service {
        Service {
            descriptor: Descriptor {
                id,
                enabled,
                restricted_vnis: true,
                vnis: vec![vni],
                ..Descriptor::default()
            },
            origin: Origin::Command,
            vni_range: Ok(None),
            netns: Ok(None),
            exclusive_cp: Ok(None),
            lnis_per_rgid: Ok(1),
            usage: Err(Refused::Errno {
                command: "SVC_RSRC_GET",
                number: errno::EOPNOTSUPP,
            }),
        }
    }

    fn life(instance: u64) -> Life {
        Life {
            cxi: "cxi0".to_owned(),
            instance,
        }
    }

    #[test]
    fn it_lingers_from_its_time_on_in_its_life_and_as_the_service_it_was() {
        let note = Ending::new(life(7), &service(3, 20, true), 1000);
        let notes = [Ending::parse(&note.text()).unwrap()];
        assert_eq!(notes[0], note);
        let after = Duration::from_secs(300);
        let found = |life, service, now| lingering(&notes, &life, &[service], now, after).len();
        assert_eq!(found(life(7), service(3, 20, true), 1299), 0);
        assert_eq!(found(life(7), service(3, 20, true), 1300), 1);
        assert_eq!(found(life(7), service(3, 20, false), 1300), 1);
        // The number was given to another one, the driver was bound anew, the clock was set back.
        assert_eq!(found(life(7), service(3, 21, true), 1300), 0);
        assert_eq!(found(life(7), service(4, 20, true), 1300), 0);
        assert_eq!(found(life(8), service(3, 20, true), 1300), 0);
        assert_eq!(found(life(7), service(3, 20, true), 10), 0);
    }

    #[test]
    fn what_is_no_note_is_none() {
        let text = Ending::new(life(7), &service(3, 20, true), 1000).text();
        for length in 0..text.trim_end().len() {
            assert_eq!(Ending::parse(text.get(..length).unwrap()), None, "{length}");
        }
        for text in [
            "cxi0 7 now 00",
            "é é é é",
            &text.replace(" 1000 ", " -1 "),
            &text.replace('0', "g"),
        ] {
            assert_eq!(Ending::parse(text), None, "{text}");
        }
    }
}
