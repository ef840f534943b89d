//! The driver's commands with their values. Every answer is looked for in a buffer that holds something else before: a command
//! that "succeeds" without an answer has met no driver.

use super::driver::Driver;
use crate::model::services::abi::{Command, Request};
use crate::model::services::answers::{self, AllocAnswer, DeviceInfo, Use};
use crate::model::services::descriptor::{self, Descriptor};
use crate::model::services::refused::Refused;
use crate::model::services::service::VniRange;

/// What stands in a buffer before the answer; no answer is made of it: it is no truth, no count and no id that there can be.
const SENTINEL: u8 = 0xa5;
/// So many of them at the end of a longer answer say that it was cut.
const TAIL: usize = 4;

/// Services and resource groups that a NIC can have, with room to spare: stops a driver that counts on and on.
const MOST_SERVICES: u32 = 4096;
/// So often the number of services may grow while they are listed.
const ATTEMPTS: usize = 8;

type Answer<T> = Result<T, Refused>;

/// Commands to one NIC.
#[derive(Clone, Copy)]
pub struct Commands<'a>(&'a dyn Driver);

impl std::fmt::Debug for Commands<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Commands").finish_non_exhaustive()
    }
}

impl<'a> Commands<'a> {
    /// That this one carries out.
    pub fn to(driver: &'a dyn Driver) -> Self {
        Self(driver)
    }

    /// The NIC by its own word. It may wake the NIC's microcontroller: never in a look that is repeated.
    ///
    /// # Errors
    /// As of every command.
    pub fn device_info(self) -> Answer<DeviceInfo> {
        let command = Command::DeviceInfo;
        parsed(command, DeviceInfo::from_bytes(&self.ask(&Request::device_info())?))
    }

    /// All services and resource groups.
    ///
    /// # Errors
    /// As of every command.
    pub fn services(self) -> Answer<Vec<Descriptor>> {
        self.list(Command::ServiceList, descriptor::SIZE, Descriptor::from_bytes)
    }

    /// What each of them uses.
    ///
    /// # Errors
    /// As of every command.
    pub fn uses(self) -> Answer<Vec<Use>> {
        self.list(Command::UseList, answers::USE_SIZE, Use::from_bytes)
    }

    /// One service. A group made by configfs is none to this command.
    ///
    /// # Errors
    /// As of every command; EINVAL without such a service.
    pub fn service(self, id: u32) -> Answer<Descriptor> {
        let command = Command::ServiceGet;
        parsed(
            command,
            Descriptor::from_bytes(&self.ask(&Request::of_service(command, id))?),
        )
    }

    /// What one service uses.
    ///
    /// # Errors
    /// As of every command.
    pub fn usage(self, id: u32) -> Answer<Use> {
        let command = Command::UseGet;
        parsed(command, Use::from_bytes(&self.ask(&Request::of_service(command, id))?))
    }

    /// How many LNIs share a resource group.
    ///
    /// # Errors
    /// As of every command.
    pub fn lnis_per_rgid(self, id: u32) -> Answer<u32> {
        let [value] = self.numbers(Command::GetLnisPerRgid, id)?;
        Ok(value)
    }

    /// Whether a service has its communication profiles for itself.
    ///
    /// # Errors
    /// As of every command; ENOENT without VNIs.
    pub fn exclusive_cp(self, id: u32) -> Answer<bool> {
        let command = Command::GetExclusiveCp;
        match self.ask(&Request::of_service(command, id))?.first() {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            other => Err(Refused::Odd {
                command: command.shape().name,
                reason: format!("{other:?} is neither yes nor no"),
            }),
        }
    }

    /// The range of VNIs.
    ///
    /// # Errors
    /// As of every command; EINVAL without one, EOPNOTSUPP for a group.
    pub fn vni_range(self, id: u32) -> Answer<VniRange> {
        let [first, last] = self.numbers(Command::GetVniRange, id)?;
        Ok(VniRange { first, last })
    }

    /// The network namespace, the lowest of several.
    ///
    /// # Errors
    /// As of every command; EINVAL without one.
    pub fn netns(self, id: u32) -> Answer<u32> {
        let [value] = self.numbers(Command::GetNetns, id)?;
        Ok(value)
    }

    /// Switches a service on or off.
    ///
    /// # Errors
    /// As of every command; EBUSY while it is in use.
    pub fn enable(self, id: u32, on: bool) -> Answer<()> {
        self.tell(&Request::with_value(Command::ServiceEnable, id, u32::from(on)))
    }

    /// Makes a service.
    ///
    /// # Errors
    /// As of every command, with what was missing.
    pub fn alloc(self, descriptor: &Descriptor) -> Result<u32, (Refused, AllocAnswer)> {
        let command = Command::ServiceAlloc;
        let mut answer = vec![SENTINEL; command.shape().answer];
        let sent = self.send(&Request::alloc(&descriptor.to_bytes()), &mut answer, &mut []);
        // It says what was missing, too.
        let said = checked(command, &answer).map(|()| AllocAnswer::from_bytes(&answer).unwrap_or_default());
        match (sent, said) {
            (Err(refused), said) => Err((refused, said.unwrap_or_default())),
            (Ok(()), Err(refused)) => Err((refused, AllocAnswer::default())),
            (Ok(()), Ok(said)) if said.id == 0 => {
                let refused = Refused::Odd {
                    command: command.shape().name,
                    reason: "made, and without a number".to_owned(),
                };
                Err((refused, said))
            }
            (Ok(()), Ok(said)) => Ok(said.id),
        }
    }

    /// Ends a service.
    ///
    /// # Errors
    /// As of every command; EBUSY while it is in use.
    pub fn destroy(self, id: u32) -> Answer<()> {
        self.tell(&Request::of_service(Command::ServiceDestroy, id))
    }

    /// Admits a network namespace, beside those that are admitted already.
    ///
    /// # Errors
    /// As of every command; EBUSY while the service is on, EEXIST if it is for users or groups.
    pub fn set_netns(self, id: u32, netns: u32) -> Answer<()> {
        self.tell(&Request::with_value(Command::SetNetns, id, netns))
    }

    /// Gives a service without single VNIs its range.
    ///
    /// # Errors
    /// As of every command; EEXIST if others have some of them.
    pub fn set_vni_range(self, id: u32, range: VniRange) -> Answer<()> {
        self.tell(&Request::vni_range(id, range.first, range.last))
    }

    /// Gives a service with a range its communication profiles for itself.
    ///
    /// # Errors
    /// As of every command; EBUSY while it is on.
    pub fn set_exclusive_cp(self, id: u32, on: bool) -> Answer<()> {
        self.tell(&Request::with_value(Command::SetExclusiveCp, id, u32::from(on)))
    }

    /// How many LNIs are to share a resource group.
    ///
    /// # Errors
    /// As of every command; EBUSY while the service is in use.
    pub fn set_lnis_per_rgid(self, id: u32, count: u32) -> Answer<()> {
        self.tell(&Request::with_value(Command::SetLnisPerRgid, id, count))
    }

    fn list<T>(self, command: Command, size: usize, read: impl Fn(&[u8]) -> Option<T>) -> Answer<Vec<T>> {
        let odd = |reason: String| Refused::Odd {
            command: command.shape().name,
            reason,
        };
        let mut list = Vec::new();
        for _ in 0..ATTEMPTS {
            let room = u32::try_from(list.len() / size).unwrap_or(MOST_SERVICES);
            let mut answer = vec![SENTINEL; command.shape().answer];
            self.send(&Request::list(command, room), &mut answer, &mut list)?;
            checked(command, &answer)?;
            let [count] = read_numbers(command, &answer)?;
            if count > MOST_SERVICES {
                return Err(odd(format!("{count} of them: no NIC has so many")));
            }
            let entries = usize::try_from(count).unwrap_or(0);
            if room >= count {
                let chunks = list.chunks_exact(size).take(entries);
                let entries = chunks.map(|bytes| checked(command, bytes).map(|()| read(bytes)));
                let entries = entries.collect::<Answer<Option<Vec<T>>>>()?;
                return entries.ok_or_else(|| odd("cut short".to_owned()));
            }
            list = vec![SENTINEL; entries * size];
        }
        Err(odd("their number grew with each look".to_owned()))
    }

    fn numbers<const N: usize>(self, command: Command, id: u32) -> Answer<[u32; N]> {
        read_numbers(command, &self.ask(&Request::of_service(command, id))?)
    }

    /// A command with an answer.
    fn ask(self, request: &Request) -> Answer<Vec<u8>> {
        let command = request.command();
        let mut answer = vec![SENTINEL; command.shape().answer];
        self.send(request, &mut answer, &mut [])?;
        checked(command, &answer)?;
        Ok(answer)
    }

    /// One without.
    fn tell(self, request: &Request) -> Answer<()> {
        self.send(request, &mut [], &mut [])
    }

    fn send(self, request: &Request, answer: &mut [u8], list: &mut [u8]) -> Answer<()> {
        self.0.exchange(request, answer, list).map_err(|errno| Refused::Errno {
            command: request.command().shape().name,
            number: errno as i32,
        })
    }
}

/// Whether something was written, and up to its end.
fn checked(command: Command, bytes: &[u8]) -> Answer<()> {
    let command = command.shape().name;
    let untouched = |bytes: &[u8]| bytes.iter().all(|byte| *byte == SENTINEL);
    if untouched(bytes) {
        return Err(Refused::NotAnswered { command });
    }
    let tail = bytes.len().saturating_sub(TAIL);
    if bytes.len() > TAIL && bytes.get(tail..).is_some_and(untouched) {
        let reason = "answered in part: this driver's answer is shorter than it was".to_owned();
        return Err(Refused::Odd { command, reason });
    }
    Ok(())
}

fn parsed<T>(command: Command, value: Option<T>) -> Answer<T> {
    value.ok_or_else(|| Refused::Odd {
        command: command.shape().name,
        reason: "cut short".to_owned(),
    })
}

fn read_numbers<const N: usize>(command: Command, bytes: &[u8]) -> Answer<[u32; N]> {
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(4)) {
        *number = parsed(command, bytes.try_into().ok().map(u32::from_le_bytes))?;
    }
    Ok(numbers)
}
