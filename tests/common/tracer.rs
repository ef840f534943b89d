//! A program that runs under ptrace, to be killed between any two of its system calls.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// `PTRACE_EVENT_EXEC`: from here on it is the program itself.
const EXEC: i32 = nix::libc::PTRACE_EVENT_EXEC;

/// How a traced run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Killed at the stop that was asked for.
    Killed,
    /// It was over before that stop.
    Exited(i32),
}

/// Runs `arguments` (the program first) and kills it at stop number `point`, counted from its first system call that
/// names something in `directory`. Each system call has two stops: before it has done anything, and when it is done.
///
/// # Errors
/// ptrace is not allowed here.
pub fn kill_at(arguments: &[&str], directory: &Path, point: usize) -> Result<End, Errno> {
    let pid = start_stopped(arguments);
    if let Err(error) = ptrace::seize(
        pid,
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL,
    ) {
        kill(pid, Signal::SIGKILL).unwrap();
        waitpid(pid, None).unwrap();
        return Err(error);
    }
    kill(pid, Signal::SIGCONT).unwrap();
    let (mut is_program, mut seen) = (false, None);
    loop {
        let mut signal = None;
        match waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::Exited(_, code) => return Ok(End::Exited(code)),
            WaitStatus::Signaled(_, Signal::SIGKILL, _) => return Ok(End::Killed),
            WaitStatus::PtraceEvent(_, _, EXEC) => is_program = true,
            WaitStatus::PtraceSyscall(_) if is_program => {
                seen = seen.map_or_else(
                    || names_something_in(pid, directory).then_some(0),
                    |seen| Some(seen + 1),
                );
                if seen == Some(point) {
                    assert_eq!(
                        threads(pid),
                        1,
                        "another thread would be killed at a point nobody chose"
                    );
                    kill(pid, Signal::SIGKILL).unwrap();
                    continue; // the kernel lets a killed process go by itself
                }
            }
            WaitStatus::Stopped(_, sent) if sent != Signal::SIGSTOP => signal = Some(sent),
            _ => {}
        }
        ptrace::syscall(pid, signal).unwrap();
    }
}

/// A shell that stops itself and then becomes the program: to be traced from its beginning.
#[expect(clippy::zombie_processes, reason = "whoever traces it waits for it by its id")]
fn start_stopped(arguments: &[&str]) -> Pid {
    let child = Command::new("sh")
        .args(["-c", "kill -STOP $$; exec \"$@\"", "sh"])
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    let status = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(status, WaitStatus::Stopped(pid, Signal::SIGSTOP));
    pid
}

/// Whether one of the first two arguments of the system call is a path in the directory, or of the directory itself.
fn names_something_in(pid: Pid, directory: &Path) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap();
    let wanted = directory.to_str().unwrap().as_bytes();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    call.split_whitespace().skip(1).take(2).any(|argument| {
        let address = u64::from_str_radix(argument.trim_start_matches("0x"), 16).unwrap();
        let mut text = vec![0; wanted.len()];
        memory.read_exact_at(&mut text, address).is_ok() && text == wanted
    })
}

fn threads(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}
