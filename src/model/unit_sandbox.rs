//! What the sandbox of our unit hides or makes read-only, by the unit's own text, and the drop-in that gives it back.

use std::path::{Path, PathBuf};

/// What is to be done at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Only read.
    Read,
    /// Written, too.
    Write,
}

/// A place that the daemon was told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Who has told it: a key of the configuration, or a flag.
    pub told_by: String,
    /// The place.
    pub path: PathBuf,
    /// What for.
    pub access: Access,
}

impl Need {
    /// `access` at `path`.
    pub fn new(told_by: impl Into<String>, path: impl Into<PathBuf>, access: Access) -> Self {
        Self {
            told_by: told_by.into(),
            path: path.into(),
            access,
        }
    }
}

/// The unit as it is packaged.
pub const PACKAGED: &str = include_str!("../../systemd/cxi-device-plugin.service");

/// Flags of the daemon that name places.
const FLAGS: [(&str, Access); 8] = [
    ("--kubelet-dir", Access::Write),
    ("--cdi-dir", Access::Write),
    ("--run-dir", Access::Write),
    ("--env-vars", Access::Read),
    ("--ofi-root", Access::Read),
    ("--cxi-root", Access::Read),
    ("--sysfs-root", Access::Read),
    ("--devfs-root", Access::Read),
];
/// The other settings that are read.
const KEYS: [&str; 9] = [
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "ReadWritePaths",
    "ReadWriteDirectories",
    "RuntimeDirectory",
    "StateDirectory",
    "BindPaths",
    "BindReadOnlyPaths",
];
/// What `ProtectHome=` is about.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];
/// What `PrivateTmp=` is about.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];
/// What `ProtectSystem=strict` leaves as it is.
const OF_KERNEL: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The settings of a unit that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitSandbox {
    is_strict: bool,
    home: Home,
    has_private_tmp: bool,
    writable: Vec<PathBuf>,
    bound: Vec<(PathBuf, Access)>,
    flags: Vec<Need>,
}

/// What becomes of home directories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Home {
    #[default]
    Seen,
    ReadOnly,
    /// Nothing can be bound below them.
    Closed,
    /// They are empty, and what is bound below them is there.
    Empty,
}

impl UnitSandbox {
    /// Of a unit and its drop-ins, in the order in which they count.
    pub fn read<'text>(texts: impl IntoIterator<Item = &'text str>) -> Self {
        let mut sandbox = Self::default();
        for line in texts.into_iter().flat_map(str::lines) {
            if let Some((key, value)) = line.trim().split_once('=') {
                sandbox.set(key.trim_end(), value.trim());
            }
        }
        sandbox
    }

    fn set(&mut self, key: &str, value: &str) {
        match key {
            "ProtectSystem" => self.is_strict = value == "strict",
            "ProtectHome" => {
                self.home = match value {
                    "read-only" => Home::ReadOnly,
                    "tmpfs" => Home::Empty,
                    "yes" | "true" | "on" | "1" => Home::Closed,
                    _ => Home::Seen,
                };
            }
            "PrivateTmp" => self.has_private_tmp = !["no", "false", "off", "0", ""].contains(&value),
            "ReadWritePaths" | "ReadWriteDirectories" => add(&mut self.writable, value, |path| path),
            "RuntimeDirectory" => add(&mut self.writable, value, |path| Path::new("/run").join(path)),
            "StateDirectory" => add(&mut self.writable, value, |path| Path::new("/var/lib").join(path)),
            "BindPaths" => add(&mut self.bound, value, |path| (path, Access::Write)),
            "BindReadOnlyPaths" => add(&mut self.bound, value, |path| (path, Access::Read)),
            "ExecStart" if value.is_empty() => self.flags.clear(),
            "ExecStart" => self.flags.extend(flags(value)),
            _ => {}
        }
    }

    /// What the daemon's own flags in the unit ask for.
    pub fn flags(&self) -> &[Need] {
        &self.flags
    }

    /// The lines of a unit or drop-in that matter here, as they count, and nothing else that may be in them.
    pub fn reduced(text: &str) -> String {
        let mut lines = String::new();
        for line in text.lines().map(str::trim) {
            let Some((key, value)) = line.split_once('=') else {
                if line.starts_with('[') {
                    lines += &format!("{line}\n");
                }
                continue;
            };
            match key.trim_end() {
                "ExecStart" if value.is_empty() => lines += "ExecStart=\n",
                "ExecStart" => {
                    let flags = flags(value);
                    let flags = flags
                        .iter()
                        .map(|need| format!(" {}={}", need.told_by, need.path.display()));
                    lines += &format!(
                        "ExecStart=/usr/bin/cxi-device-plugin run{}\n",
                        flags.collect::<String>()
                    );
                }
                key if KEYS.contains(&key) => lines += &format!("{line}\n"),
                _ => {}
            }
        }
        lines
    }

    /// Whether the daemon has no such access there.
    pub fn denies(&self, need: &Need) -> bool {
        let path = short(&need.path);
        let is_below = |place: &Path| path.starts_with(short(place));
        let is_bound = |access: Access| {
            self.bound
                .iter()
                .any(|(place, bound)| *bound >= access && is_below(place))
        };
        if is_bound(need.access) {
            return false;
        }
        if self.hides(&path) {
            return true;
        }
        let is_home = HOMES.iter().any(|home| path.starts_with(home));
        let is_read_only = self.is_strict || (self.home == Home::ReadOnly && is_home);
        let is_left = OF_KERNEL.iter().any(|place| path.starts_with(place));
        need.access == Access::Write && is_read_only && !is_left && !self.writable.iter().any(|place| is_below(place))
    }

    fn hides(&self, path: &Path) -> bool {
        let is_in = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
        (matches!(self.home, Home::Closed | Home::Empty) && is_in(&HOMES))
            || (self.has_private_tmp && is_in(&TEMPORARY))
    }

    /// The text of the drop-in that gives access to all of these that are denied; none where nothing is.
    pub fn drop_in<'a>(&self, needs: impl IntoIterator<Item = &'a Need>) -> Option<String> {
        let mut lines: Vec<String> = Vec::new();
        for need in needs.into_iter().filter(|need| self.denies(need)) {
            let is_hidden = self.hides(&short(&need.path));
            let is_home = HOMES.iter().any(|home| need.path.starts_with(home));
            if is_hidden && is_home && self.home == Home::Closed {
                // Below what is closed nothing can be bound.
                lines.push("ProtectHome=tmpfs".to_owned());
            }
            let setting = match (is_hidden, need.access) {
                (true, Access::Write) => "BindPaths",
                (true, Access::Read) => "BindReadOnlyPaths",
                (false, _) => "ReadWritePaths",
            };
            lines.push(format!("{setting}=-{}", quoted(&need.path)));
        }
        let mut said = Vec::new();
        lines.retain(|line| {
            let is_new = !said.contains(line);
            said.push(line.clone());
            is_new
        });
        (!lines.is_empty()).then(|| format!("[Service]\n{}\n", lines.join("\n")))
    }
}

/// As systemd has lists: an empty value begins anew.
fn add<T>(list: &mut Vec<T>, value: &str, make: impl Fn(PathBuf) -> T) {
    if value.is_empty() {
        list.clear();
    }
    // Of a binding `SOURCE:DESTINATION:OPTIONS` the destination is what the service sees.
    let paths = words(value).into_iter().map(|word| {
        let word = word.trim_start_matches(['-', '+']).replace("%%", "%");
        let mut parts = word.split(':');
        let source = parts.next().unwrap_or_default();
        let destination = parts.next().filter(|destination| destination.starts_with('/'));
        PathBuf::from(destination.unwrap_or(source))
    });
    list.extend(paths.map(make));
}

/// Words between spaces; what stands in quotes is in one word.
fn words(value: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in value.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            c if c.is_whitespace() && !is_quoted => words.push(String::new()),
            c => words.iter_mut().next_back().into_iter().for_each(|word| word.push(c)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn flags(command: &str) -> Vec<Need> {
    let mut words = command.split_whitespace().peekable();
    let mut needs = Vec::new();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some((flag, access)) = FLAGS.iter().find(|(flag, _)| *flag == name) else {
            continue;
        };
        if let Some(path) = value.or_else(|| words.peek().copied()) {
            needs.push(Need::new(*flag, path.trim_matches('"'), *access));
        }
    }
    needs
}

/// `/var/run` is `/run`.
fn short(path: &Path) -> PathBuf {
    match path.strip_prefix("/var/run") {
        Ok(rest) => Path::new("/run").join(rest),
        Err(_) => path.to_owned(),
    }
}

/// As a list of paths in a unit takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string().replace('%', "%%");
    if text.contains(char::is_whitespace) {
        format!("\"{text}\"")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: &str =
        "[Service]\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nReadWritePaths=-/run/cdi -/a\n";

    fn denies(texts: &[&str], path: &str, access: Access) -> bool {
        UnitSandbox::read(texts.iter().copied()).denies(&Need::new("x", path, access))
    }

    #[test]
    fn what_is_denied_follows_from_the_unit_and_its_drop_ins() {
        use Access::{Read, Write};
        for (drop_in, path, access, is_denied) in [
            ("", "/data", Write, true),
            ("", "/data", Read, false),
            ("", "/a/b", Write, false),
            ("", "/ab", Write, true),
            ("", "/var/run/cdi", Write, false),
            ("", "/dev", Write, false),
            ("", "/home/x", Read, true),
            ("", "/root/x", Read, true),
            ("", "/tmp/x", Read, true),
            ("", "/homes/x", Read, false),
            ("ProtectSystem=full", "/data", Write, false),
            ("ReadWritePaths=", "/a/b", Write, true),
            ("ReadWritePaths=/data", "/data/x", Write, false),
            ("ReadWritePaths=/home/x", "/home/x", Write, true),
            ("BindReadOnlyPaths=-/home/x", "/home/x/y", Read, false),
            ("BindReadOnlyPaths=-/home/x", "/home/x/y", Write, true),
            ("BindPaths=/srv:/home/x", "/home/x", Write, false),
            ("BindPaths=/home/x\nBindPaths=", "/home/x", Write, true),
            ("ProtectHome=no", "/home/x", Read, false),
            ("ProtectHome=read-only", "/home/x", Read, false),
            ("PrivateTmp=no", "/tmp/x", Read, false),
            ("RuntimeDirectory=us", "/run/us/x", Write, false),
        ] {
            assert_eq!(denies(&[STRICT, drop_in], path, access), is_denied, "{drop_in} {path}");
        }
        assert!(!denies(&[], "/home/x", Write));
    }

    #[test]
    fn a_drop_in_gives_what_it_was_made_for() {
        let unit = UnitSandbox::read([STRICT]);
        let needs = [
            Need::new("a", "/data", Access::Write),
            Need::new("b", "/home/x", Access::Read),
            Need::new("c", "/home/y", Access::Write),
            Need::new("d", "/tmp/a b%", Access::Write),
            Need::new("e", "/data", Access::Write),
            Need::new("f", "/run/cdi", Access::Write),
        ];
        let text = unit.drop_in(&needs).unwrap();
        let expected = "[Service]\nReadWritePaths=-/data\nProtectHome=tmpfs\nBindReadOnlyPaths=-/home/x\nBindPaths=-/home/y\n\
                        BindPaths=-\"/tmp/a b%%\"\n";
        assert_eq!(text, expected);
        assert_eq!(UnitSandbox::read([STRICT, &text]).drop_in(&needs), None);
    }
}
