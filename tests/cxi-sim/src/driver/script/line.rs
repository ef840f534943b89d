//! One line of a script, as a command in bytes.

use super::super::bytes::put;
use super::super::service::SIZE;
use super::{Call, NAMESPACES, Who};

/// A line.
pub(super) struct Line {
    pub(super) times: u32,
    pub(super) file: String,
    pub(super) step: Step,
}

pub(super) enum Step {
    Open,
    Close,
    Call(Call),
}

/// Commands: name, number, size, and where their numbers go.
const COMMANDS: [(&str, u32, usize, &[usize]); 24] = [
    ("lni-alloc", 1, 24, &[16]),
    ("lni-free", 2, 8, &[4]),
    ("domain-alloc", 4, 32, &[16, 20, 24]),
    ("domain-free", 5, 8, &[4]),
    ("cp-alloc", 6, 32, &[16, 20, 24, 28]),
    ("cp-free", 7, 8, &[4]),
    ("list", 27, 32, &[16]),
    ("alloc", 28, 88, &[]),
    ("destroy", 29, 8, &[4]),
    ("properties", 34, 16, &[]),
    ("update", 44, 88, &[80]),
    ("get", 45, 24, &[16]),
    ("list-use", 49, 32, &[16]),
    ("use", 50, 24, &[16]),
    ("info", 52, 16, &[]),
    ("set-lpr", 53, 24, &[16, 20]),
    ("get-lpr", 54, 24, &[16]),
    ("set-exclusive", 78, 12, &[4, 8]),
    ("get-exclusive", 79, 24, &[16]),
    ("enable", 80, 24, &[16, 20]),
    ("set-range", 81, 32, &[16, 20, 24]),
    ("get-range", 82, 32, &[16]),
    ("set-netns", 84, 12, &[4, 8]),
    ("get-netns", 85, 24, &[16]),
];
/// Limits by their places.
const RESOURCES: [&str; 8] = ["PTE", "TXQ", "TGQ", "EQ", "CT", "LE", "TLE", "AC"];
const MEMBERS: [&str; 4] = ["ignore", "uid", "gid", "netns"];
/// Where a request has a descriptor.
const DESCRIPTOR: usize = 16;

impl Line {
    pub(super) fn parse(text: &str, namespaces: &[u32]) -> Result<Self, String> {
        let (times, rest) = match text.split_once('*') {
            Some((times, rest)) => (number(times, namespaces)?, rest),
            None => (1, text),
        };
        let mut words = rest.split_whitespace();
        let mut word = || words.next().ok_or("too short");
        let first = word()?;
        let second = word()?.to_owned();
        if let Some(step) = [("open", Step::Open), ("close", Step::Close)]
            .into_iter()
            .find_map(|(name, step)| (first == name).then_some(step))
        {
            let file = second;
            return Ok(Self { times, file, step });
        }
        let file = first.to_owned();
        let who = who(&second)?;
        let name = word()?;
        let arguments: Vec<&str> = words.collect();
        let call = call(who, name, &arguments, namespaces)?;
        let step = Step::Call(call);
        Ok(Self { times, file, step })
    }
}

fn who(text: &str) -> Result<Who, String> {
    let (name, namespace) = match text.split_once('@') {
        Some((name, namespace)) => {
            let place = NAMESPACES.iter().position(|known| *known == namespace);
            (name, Some(place.ok_or("no such namespace")?))
        }
        None => (text, None),
    };
    let (uid, gid, is_admin) = match name {
        "root" => (0, 0, true),
        "bare" => (0, 0, false),
        "alice" => (1000, 100, false),
        "bob" => (1001, 100, false),
        _ => return Err("nobody of this name".to_owned()),
    };
    Ok(Who {
        uid,
        gid,
        is_admin,
        namespace,
    })
}

/// Also the name of a namespace.
fn number(text: &str, namespaces: &[u32]) -> Result<u32, String> {
    let text = text.trim();
    let names = ["host"].into_iter().chain(NAMESPACES);
    if let Some((_, inode)) = names.zip(namespaces).find(|(name, _)| *name == text) {
        return Ok(*inode);
    }
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("\"{text}\" is no number"))
}

fn call(who: Who, name: &str, arguments: &[&str], namespaces: &[u32]) -> Result<Call, String> {
    let (op, mut size, places) = match COMMANDS.iter().find(|(known, ..)| *known == name) {
        Some((_, op, size, places)) => (*op, *size, *places),
        // Any number, for those that there are not.
        None => (
            number(name.strip_prefix("op").ok_or("no such command")?, namespaces)?,
            24,
            &[][..],
        ),
    };
    let mut request = vec![0; 96];
    put(&mut request, 0, &op.to_le_bytes());
    let mut call = Call {
        who,
        request: Vec::new(),
        has_answer: size >= 16,
        has_list: matches!(op, 27 | 49),
        at_edge: false,
    };
    let mut places = places.iter();
    for argument in arguments {
        match argument.split_once('=') {
            None if *argument == "edge" => call.at_edge = true,
            None => {
                let place = places.next().ok_or("too many numbers")?;
                put(&mut request, *place, &number(argument, namespaces)?.to_le_bytes());
            }
            Some(("resp", "none")) => call.has_answer = false,
            Some(("list", "none")) => call.has_list = false,
            Some(("size", text)) => size = usize::try_from(number(text, namespaces)?).map_err(|_| "too long")?,
            Some((field, text)) => {
                let mut desc = request.get(DESCRIPTOR..DESCRIPTOR + SIZE).ok_or("too long")?.to_vec();
                describe(&mut desc, field, text, namespaces)?;
                put(&mut request, DESCRIPTOR, &desc);
            }
        }
    }
    request.resize(size, 0);
    call.request = request;
    call.has_answer &= size >= 16;
    call.has_list &= size >= 32;
    Ok(call)
}

/// A field of a descriptor; some raise the flag that goes with them.
fn describe(desc: &mut [u8], field: &str, text: &str, namespaces: &[u32]) -> Result<(), String> {
    let small = |text: &str| number(text, namespaces)?.try_into().map_err(|_| "above 255".to_owned());
    let mid = |text: &str| {
        number(text, namespaces)?
            .try_into()
            .map_err(|_| "above 65535".to_owned())
    };
    match field {
        "flags" => put(desc, 0, &[small(text)?]),
        "count" => put(desc, 1, &[small(text)?]),
        "byte15" => put(desc, 15, &[small(text)?]),
        "vnis" => {
            raise(desc, 0x02);
            let vnis: Vec<u16> = text.split(',').map(mid).collect::<Result<_, String>>()?;
            put(desc, 1, &[u8::try_from(vnis.len()).map_err(|_| "too many")?]);
            for (place, vni) in vnis.iter().take(4).enumerate() {
                put(desc, 2 + 2 * place, &vni.to_le_bytes());
            }
        }
        "tcs" => {
            raise(desc, 0x04);
            for class in text.split(',') {
                put(desc, 10 + usize::from(small(class)?), &[1]);
            }
        }
        "members" => {
            raise(desc, 0x01);
            for (place, member) in text.split(',').take(2).enumerate() {
                let (kind, id) = member.split_once(':').ok_or("a member is kind:id")?;
                let known = MEMBERS.iter().position(|known| *known == kind);
                let kind = known.map_or_else(
                    || number(kind, namespaces),
                    |kind| u32::try_from(kind).map_err(|e| e.to_string()),
                )?;
                put(desc, 16 + 8 * place, &number(id, namespaces)?.to_le_bytes());
                put(desc, 20 + 8 * place, &kind.to_le_bytes());
            }
        }
        "limits" => {
            raise(desc, 0x08);
            for limit in text.split(',') {
                let mut words = limit.split(':');
                let mut word = || words.next().ok_or("a limit is KIND:max:reserved");
                let kind = word()?;
                let place = RESOURCES
                    .iter()
                    .position(|known| *known == kind)
                    .ok_or("no such resource")?;
                put(desc, 32 + 4 * place, &u16::to_le_bytes(mid(word()?)?));
                put(desc, 34 + 4 * place, &u16::to_le_bytes(mid(word()?)?));
            }
        }
        _ => return Err(format!("no field \"{field}\"")),
    }
    Ok(())
}

fn raise(desc: &mut [u8], flag: u8) {
    if let Some(flags) = desc.first_mut() {
        *flags |= flag;
    }
}
