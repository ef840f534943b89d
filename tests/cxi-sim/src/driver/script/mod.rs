//! Scripts of commands for `/dev/cxiN`: one and the same is sent to the driver in memory and to one in a kernel, and what both
//! answer is held against each other, byte by byte.
//!
//! A line is `open FILE`, `close FILE`, or `FILE CALLER COMMAND [ARGUMENT...]`, with `N*` before it for N times. What follows a `#`
//! is for people.

mod kernel;
mod line;
mod memory;
mod random;

use std::error::Error;
use std::fmt::Write;

pub use kernel::Kernel;
pub use memory::Memory;
pub use random::generate;

use line::{Line, Step};

/// Namespaces that scripts name beside the host's own, in the order of their numbers.
const NAMESPACES: [&str; 2] = ["a", "b"];
/// What is in a buffer that nobody has written to.
const UNTOUCHED: u8 = 0xa5;

/// Somebody who sends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Who {
    uid: u32,
    gid: u32,
    /// With all capabilities, or without any.
    is_admin: bool,
    /// One of [`NAMESPACES`], or the host's.
    namespace: Option<usize>,
}

/// One command that is sent.
#[derive(Debug, Clone)]
struct Call {
    who: Who,
    /// Without the places of its answers, which are at 8 and at 24.
    request: Vec<u8>,
    has_answer: bool,
    has_list: bool,
    /// It is the last that can be read where it stands.
    at_edge: bool,
}

impl Call {
    /// Buffers for the answer and for the list, longer than what may come.
    fn buffers(&self) -> (Vec<u8>, Vec<u8>) {
        let buffer = |is_there, size| vec![UNTOUCHED; if is_there { size } else { 0 }];
        (buffer(self.has_answer, 256), buffer(self.has_list, 64 * 1024))
    }
}

/// What came back, with buffers that were [`UNTOUCHED`] before.
#[derive(Debug)]
struct Answer {
    result: Result<(), i32>,
    answer: Vec<u8>,
    list: Vec<u8>,
}

/// Whoever carries commands out.
pub trait Side {
    /// A new open file.
    ///
    /// # Errors
    /// It cannot be opened.
    fn open(&mut self, file: &str) -> Result<(), Box<dyn Error>>;
    /// Its end.
    fn close(&mut self, file: &str);
    /// Numbers of the host's namespace and of the others.
    fn namespaces(&self) -> [u32; 3];
    #[doc(hidden)]
    fn call(&mut self, file: &str, call: &Sent) -> Result<Received, Box<dyn Error>>;
}

/// What a [`Side`] is given.
#[derive(Debug)]
pub struct Sent(Call);

/// What a [`Side`] gives back.
#[derive(Debug)]
pub struct Received(Answer);

/// Runs a script: each of its lines with what came of it. Numbers that differ from run to run are named.
///
/// # Errors
/// A line that is none, with its number; or a side that cannot go on.
pub fn run(script: &str, side: &mut dyn Side) -> Result<String, Box<dyn Error>> {
    let mut transcript = String::new();
    for (number, text) in script.lines().enumerate() {
        let what = text.split('#').next().unwrap_or_default().trim();
        if what.is_empty() {
            continue;
        }
        let namespaces = side.namespaces();
        let line = Line::parse(what, &namespaces).map_err(|error| format!("line {}: {error}: {what}", number + 1))?;
        let came = step(&line, side, &namespaces)?;
        writeln!(transcript, "{what} -> {came}")?;
    }
    Ok(transcript)
}

fn step(line: &Line, side: &mut dyn Side, namespaces: &[u32]) -> Result<String, Box<dyn Error>> {
    let call = match &line.step {
        Step::Open => {
            side.open(&line.file)?;
            return Ok("ok".to_owned());
        }
        Step::Close => {
            side.close(&line.file);
            return Ok("ok".to_owned());
        }
        Step::Call(call) => Sent(call.clone()),
    };
    let mut worked = 0;
    let mut last = String::new();
    for _ in 0..line.times {
        let Received(answer) = side.call(&line.file, &call)?;
        worked += u32::from(answer.result.is_ok());
        last = words(&call.0, &answer, namespaces);
    }
    Ok(match line.times {
        1 => last,
        times => format!("{worked} of {times} ok, the last: {last}"),
    })
}

/// The number of a namespace has a name instead.
fn words(call: &Call, answer: &Answer, namespaces: &[u32]) -> String {
    let mut words = match answer.result {
        Ok(()) => "ok".to_owned(),
        Err(errno) => format!("{:?}", nix::errno::Errno::from_raw(errno)),
    };
    let bytes = touched(&answer.answer);
    let is_netns = call.request.first() == Some(&85) && bytes.len() == 4;
    let inode = super::bytes::u32_at(bytes, 0);
    let names = ["host"].into_iter().chain(NAMESPACES);
    let known = namespaces
        .iter()
        .zip(names)
        .find(|(number, _)| is_netns && **number == inode);
    match known {
        Some((_, name)) => words += &format!(" {name}"),
        None if !bytes.is_empty() => words += &format!(" {}", hex(bytes)),
        None => {}
    }
    if !touched(&answer.list).is_empty() {
        words += &format!(" | {}", hex(touched(&answer.list)));
    }
    words
}

fn touched(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != UNTOUCHED)
        .map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
