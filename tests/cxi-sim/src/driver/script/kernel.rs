//! Scripts on a device node: commands by write(2), each from a thread that is whoever it shall be. Others than `root` need root.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{ptr, thread};

use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};

use super::super::bytes::put;
use super::{Answer, Call, Received, Sent, Side, Who};

/// Pages are no larger here.
const PAGE: usize = 4096;

/// A device node, with the files of it that are open and the namespaces that callers are in.
#[derive(Debug)]
pub struct Kernel {
    node: PathBuf,
    files: BTreeMap<String, File>,
    namespaces: Vec<File>,
    inodes: [u32; 3],
}

impl Kernel {
    /// The driver behind a node. Who may make no namespaces has none.
    ///
    /// # Errors
    /// Namespaces cannot be made for another reason, or their numbers are no use.
    pub fn new(node: &Path) -> io::Result<Self> {
        let mut namespaces = match (new_namespace(), new_namespace()) {
            (Ok(one), Ok(two)) => vec![one, two],
            (Err(error), _) if error.kind() == io::ErrorKind::PermissionDenied => Vec::new(),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let inode = |file: &File| Ok::<_, io::Error>(u32::try_from(file.metadata()?.ino()).unwrap_or(0));
        // Names go by numbers: of several, the driver tells the lowest.
        namespaces.sort_by_key(|file| inode(file).unwrap_or(0));
        let mut inodes = [inode(&File::open("/proc/self/ns/net")?)?, u32::MAX, u32::MAX];
        for (to, file) in inodes.iter_mut().skip(1).zip(&namespaces) {
            *to = inode(file)?;
        }
        if !inodes.is_sorted() {
            return Err(io::Error::other(
                "the host's namespace has no lower number than new ones",
            ));
        }
        Ok(Self {
            node: node.to_owned(),
            files: BTreeMap::new(),
            namespaces,
            inodes,
        })
    }
}

fn new_namespace() -> io::Result<File> {
    let make = || {
        unshare(CloneFlags::CLONE_NEWNET)?;
        File::open("/proc/thread-self/ns/net")
    };
    thread::spawn(make)
        .join()
        .map_err(|_| io::Error::other("a thread has panicked"))?
}

impl Side for Kernel {
    fn open(&mut self, file: &str) -> Result<(), Box<dyn Error>> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.node)?;
        self.files.insert(file.to_owned(), opened);
        Ok(())
    }

    fn close(&mut self, file: &str) {
        self.files.remove(file);
    }

    fn namespaces(&self) -> [u32; 3] {
        self.inodes
    }

    fn call(&mut self, file: &str, Sent(call): &Sent) -> Result<Received, Box<dyn Error>> {
        let file = self.files.get(file).ok_or("the file is not open")?;
        let namespace = match call.who.namespace {
            Some(place) => Some(self.namespaces.get(place).ok_or("no namespaces could be made")?),
            None => None,
        };
        let answer = thread::scope(|scope| {
            scope
                .spawn(|| {
                    become_one(call.who, namespace)?;
                    send(file, call)
                })
                .join()
                .map_err(|_| io::Error::other("a thread has panicked"))?
        })?;
        Ok(Received(answer))
    }
}

/// The thread alone: what the C library has for it changes all threads.
fn become_one(who: Who, namespace: Option<&File>) -> io::Result<()> {
    if let Some(namespace) = namespace {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
    }
    if who.uid == 0 && !who.is_admin {
        drop_capabilities()?;
    }
    let [uid, gid] = [who.uid, who.gid].map(libc::c_ulong::from);
    for (call, id) in [(libc::SYS_setresgid, gid), (libc::SYS_setresuid, uid)] {
        if id == 0 {
            continue;
        }
        #[expect(unsafe_code, reason = "nix has no call for one thread")]
        // SAFETY: numbers only.
        let done = unsafe { libc::syscall(call, id, id, id) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn drop_capabilities() -> io::Result<()> {
    // Version 3, this thread; then three sets of 64 bits.
    let header: [u32; 2] = [0x2008_0522, 0];
    let none = [0_u32; 6];
    #[expect(unsafe_code, reason = "nix has no call for it")]
    // SAFETY: the kernel reads eight bytes and twenty-four, which both have.
    let done = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn send(file: &File, call: &Call) -> io::Result<Answer> {
    let (mut answer, mut list) = call.buffers();
    let mut request = call.request.clone();
    if call.has_answer {
        put(&mut request, 8, &address(&mut answer));
    }
    if call.has_list {
        put(&mut request, 24, &address(&mut list));
    }
    let size = request.len();
    let sent = if call.at_edge {
        write_at_edge(file, &request)?
    } else {
        request.resize(size.max(16), 0);
        write(file, request.as_ptr(), size)
    };
    let result = match sent {
        Ok(written) if written == size => Ok(()),
        Ok(written) => return Err(io::Error::other(format!("{written} of {size} bytes were taken"))),
        Err(error) => Err(error.raw_os_error().unwrap_or(0)),
    };
    Ok(Answer { result, answer, list })
}

/// For the kernel to write to while the buffer is borrowed by nobody.
fn address(buffer: &mut [u8]) -> [u8; 8] {
    let address = buffer.as_mut_ptr().expose_provenance();
    u64::try_from(address).unwrap_or(0).to_le_bytes()
}

fn write(file: &File, from: *const u8, size: usize) -> io::Result<usize> {
    #[expect(unsafe_code, reason = "the driver reads a header of 16 bytes, whatever the size")]
    // SAFETY: whoever calls has `size` bytes there; what the kernel cannot read, it refuses.
    let written = unsafe { libc::write(file.as_raw_fd(), from.cast(), size) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// From the last bytes of a page that none follows.
fn write_at_edge(file: &File, request: &[u8]) -> io::Result<io::Result<usize>> {
    #[expect(
        unsafe_code,
        clippy::multiple_unsafe_ops_per_block,
        reason = "two pages, of which the second is given back; one is of no use without the other"
    )]
    // SAFETY: new pages, and a copy into the first of them, which is as long as any request; no other thread runs meanwhile.
    unsafe {
        let (access, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        let pages = libc::mmap(ptr::null_mut(), 2 * PAGE, access, flags, -1, 0);
        if pages == libc::MAP_FAILED || libc::munmap(pages.byte_add(PAGE), PAGE) != 0 {
            return Err(io::Error::last_os_error());
        }
        let at = pages.byte_add(PAGE - request.len()).cast::<u8>();
        ptr::copy_nonoverlapping(request.as_ptr(), at, request.len());
        let written = write(file, at, request.len());
        libc::munmap(pages, PAGE);
        Ok(written)
    }
}
