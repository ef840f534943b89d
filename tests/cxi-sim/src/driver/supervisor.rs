//! Runs a real program whose writes to a device node are answered by the emulated driver, in place of the kernel: the program's
//! writes stop at a seccomp filter, and whoever runs it looks which file each goes to. One to an emulated node is carried out
//! here, and its answer is put into the program's memory, where the driver would have put it; all others go on to the kernel.
//! Needs no root.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::nic::Nic;
use super::service::Caller;
use super::wire::Outcome;

/// The descriptor of the filter in the program; none of its own has this number.
const LISTENER: libc::c_int = 900;
/// `SECCOMP_IOCTL_NOTIF_RECV` and `SECCOMP_IOCTL_NOTIF_SEND`, by the sizes of their structures.
const RECEIVE: u64 = 0xc050_2100;
const SEND: u64 = 0xc018_2101;

/// What stands behind each device node, by the node's path; shared, so that a test can look at it and change it meanwhile.
pub type Nics = Arc<Mutex<BTreeMap<PathBuf, Nic>>>;

/// A program that runs.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    answering: JoinHandle<io::Result<()>>,
}

impl Supervised {
    /// Starts a program. `caller` is who it is to the emulated driver.
    ///
    /// # Errors
    /// It cannot be started, or this system has no such filters.
    pub fn start(mut command: Command, nics: &Nics, caller: Caller) -> io::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[expect(unsafe_code, reason = "a filter is a matter of the new process")]
        // SAFETY: between fork and exec, `filter` makes system calls only, and allocates nothing.
        unsafe {
            command.pre_exec(filter);
        }
        let child = command.spawn()?;
        let listener = listener_of(child.id())?;
        let nics = Arc::clone(nics);
        let answering = thread::Builder::new().name("driver".to_owned()).spawn(move || {
            let mut answering = Answering {
                listener,
                nics,
                caller,
                clients: BTreeMap::new(),
            };
            answering.all()
        })?;
        Ok(Self { child, answering })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Its output cannot be read, or a command could not be answered.
    pub fn output(mut self) -> io::Result<Output> {
        let mut stderr = self.child.stderr.take();
        let reader = thread::spawn(move || {
            let mut text = Vec::new();
            stderr
                .as_mut()
                .map_or(Ok(0), |stderr| stderr.read_to_end(&mut text))
                .map(|_| text)
        });
        let mut stdout = Vec::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_end(&mut stdout)?;
        }
        let status = self.child.wait()?;
        let broken = |_| io::Error::other("a thread has panicked");
        self.answering.join().map_err(broken)??;
        Ok(Output {
            status,
            stdout,
            stderr: reader.join().map_err(broken)??,
        })
    }
}

/// In the new process: from here on its writes are for somebody else to look at.
fn filter() -> io::Result<()> {
    let write = u32::try_from(libc::SYS_write).map_err(io::Error::other)?;
    let program = [
        // The number of the system call is the first field.
        bpf(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        bpf(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, write, 0, 1),
        bpf(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF, 0, 0),
        bpf(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: 4,
        filter: program.as_ptr().cast_mut(),
    };
    #[expect(unsafe_code, reason = "nix has no call for it")]
    // SAFETY: numbers only.
    let told = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    #[expect(unsafe_code, reason = "nix has no call for it")]
    // SAFETY: the kernel reads the program, which lives until the end of this function.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    let listener = i32::try_from(listener).unwrap_or(-1);
    if told != 0 || listener < 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "it must outlive exec under a number that is known")]
    // SAFETY: numbers only; nothing here has that descriptor.
    let kept = unsafe { libc::dup2(listener, LISTENER) };
    if kept == LISTENER {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn bpf(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt,
        jf,
        k,
    }
}

/// Our own copy of the filter's descriptor, and the program's is closed with it.
fn listener_of(pid: u32) -> io::Result<OwnedFd> {
    let pid = libc::c_long::from(pid);
    #[expect(unsafe_code, reason = "nix has no call for it")]
    // SAFETY: numbers only.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let process = owned(process)?;
    #[expect(unsafe_code, reason = "nix has no call for it")]
    // SAFETY: numbers only.
    let listener = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), LISTENER, 0) };
    owned(listener)
}

fn owned(descriptor: libc::c_long) -> io::Result<OwnedFd> {
    let descriptor = i32::try_from(descriptor).unwrap_or(-1);
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "a system call has made it")]
    // SAFETY: it is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

struct Answering {
    listener: OwnedFd,
    nics: Nics,
    caller: Caller,
    /// An open file of the program, as a client of the driver.
    clients: BTreeMap<(PathBuf, u64), u32>,
}

impl Answering {
    /// Until the program has ended.
    fn all(&mut self) -> io::Result<()> {
        loop {
            let mut events = [PollFd::new(std::os::fd::AsFd::as_fd(&self.listener), PollFlags::POLLIN)];
            poll(&mut events, PollTimeout::NONE)?;
            let happened = events.first().and_then(PollFd::revents).unwrap_or(PollFlags::POLLHUP);
            if !happened.contains(PollFlags::POLLIN) {
                break;
            }
            self.one()?;
        }
        let mut nics = self.nics.lock().unwrap_or_else(PoisonError::into_inner);
        for ((path, _), client) in &self.clients {
            if let Some(nic) = nics.get_mut(path) {
                nic.close(*client);
            }
        }
        Ok(())
    }

    fn one(&mut self) -> io::Result<()> {
        let Some(asked) = self.receive()? else { return Ok(()) };
        let [file, address, length, ..] = asked.data.args;
        let link = PathBuf::from(format!("/proc/{}/fd/{file}", asked.pid));
        let path = fs::read_link(&link).unwrap_or_default();
        let is_ours = self
            .nics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&path);
        if !is_ours {
            return self.send(asked.id, 0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE);
        }
        let outcome = self.carry_out(&path, asked.pid, file, address, length)?;
        match outcome {
            Ok(()) => self.send(asked.id, i64::try_from(length).unwrap_or(0), 0, 0),
            Err(errno) => self.send(asked.id, 0, -errno, 0),
        }
    }

    fn carry_out(
        &mut self,
        path: &Path,
        pid: u32,
        file: u64,
        address: u64,
        length: u64,
    ) -> io::Result<Result<(), i32>> {
        let memory = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/{pid}/mem"))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let request = readable(&memory, address, length);
        let next = u32::try_from(self.clients.len()).unwrap_or(0) + 1;
        let client = *self.clients.entry((path.to_owned(), file)).or_insert(next);
        let mut nics = self.nics.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(nic) = nics.get_mut(path) else {
            return Ok(Err(5));
        };
        let outcome = nic.write(client, &self.caller, &request, length);
        Ok(put_into(&memory, outcome))
    }

    fn receive(&self) -> io::Result<Option<libc::seccomp_notif>> {
        #[expect(unsafe_code, reason = "a structure of the kernel's")]
        // SAFETY: it is made of numbers only, for which zero is a value; the kernel asks for zeros.
        let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        #[expect(unsafe_code, reason = "nix has no call for it")]
        // SAFETY: the kernel writes one such structure, which lives as long as the call.
        let received = unsafe { libc::ioctl(self.listener.as_raw_fd(), RECEIVE as _, &raw mut asked) };
        if received == 0 {
            return Ok(Some(asked));
        }
        match io::Error::last_os_error() {
            // The program was killed in between.
            error if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            error if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            error => Err(error),
        }
    }

    fn send(&self, id: u64, val: i64, error: i32, flags: libc::c_ulong) -> io::Result<()> {
        let mut answer = libc::seccomp_notif_resp {
            id,
            val,
            error,
            flags: u32::try_from(flags).map_err(io::Error::other)?,
        };
        #[expect(unsafe_code, reason = "nix has no call for it")]
        // SAFETY: the kernel reads one such structure, which lives as long as the call.
        let sent = unsafe { libc::ioctl(self.listener.as_raw_fd(), SEND as _, &raw mut answer) };
        match io::Error::last_os_error() {
            _ if sent == 0 => Ok(()),
            error if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            error => Err(error),
        }
    }
}

/// What the driver may look at of a command: a header whatever its length, and no more than any command has.
fn readable(memory: &File, address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.clamp(16, 4096)];
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match memory.read_at(rest, address + u64::try_from(read).unwrap_or(u64::MAX)) {
            Ok(0) | Err(_) => break,
            Ok(more) => read += more,
        }
    }
    bytes.truncate(read);
    bytes
}

/// What the driver writes goes into the program's memory, or is a bad address.
fn put_into(memory: &File, outcome: Outcome) -> Result<(), i32> {
    for (address, bytes) in outcome.writes {
        memory.write_all_at(&bytes, address).map_err(|_| libc::EFAULT)?;
    }
    outcome.result
}
