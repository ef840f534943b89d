//! The kinds of values that keys take: how each is read and shown.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::fragment::{Content, ValueNode};
use super::problem::Origin;
use super::settings::Enabled;
use crate::model::alloc::resource::ResourceName;
use crate::model::health::Action;
use crate::model::libs::given::ExtraLibrary;
use crate::model::runtime::places::RuntimeEndpoint;

/// A kind of value. What it shows it reads as the same.
pub trait Value: Sized {
    /// What was written, or what is wrong and what to write instead.
    fn read(node: &ValueNode) -> Result<Self, Faults>;

    /// As it would be written.
    fn show(&self) -> Content;
}

/// All that is wrong with a value.
pub type Faults = Vec<Fault>;

/// What is wrong with a value or a part of it, and where.
#[derive(Debug)]
pub struct Fault {
    /// Where.
    pub origin: Origin,
    /// What, and what to do.
    pub reason: String,
}

impl Fault {
    /// Something else than was expected.
    pub fn expected(node: &ValueNode, expected: &str) -> Faults {
        let found = match &node.content {
            Content::Text(text) => format!("'{}'", excerpt(text)),
            Content::Truth(truth) => truth.to_string(),
            Content::Number(number) => number.to_string(),
            Content::List(_) => "a list".to_owned(),
            Content::Table(_) => "a table".to_owned(),
            Content::Other(name) => (*name).to_owned(),
        };
        Self::at(node, format!("{found} is not {expected}"))
    }

    /// This is wrong.
    pub fn at(node: &ValueNode, reason: String) -> Faults {
        vec![Self {
            origin: node.origin.clone(),
            reason,
        }]
    }
}

/// The beginning of a text, such that it cannot steer a terminal.
fn excerpt(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

fn text<'node>(node: &'node ValueNode, expected: &str) -> Result<&'node str, Faults> {
    match &node.content {
        Content::Text(text) => Ok(text),
        _ => Err(Fault::expected(node, expected)),
    }
}

impl Value for bool {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        match node.content {
            Content::Truth(truth) => Ok(truth),
            _ => Err(Fault::expected(node, "true or false (without quotes)")),
        }
    }

    fn show(&self) -> Content {
        Content::Truth(*self)
    }
}

impl Value for String {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        text(node, "a text in quotes").map(str::to_owned)
    }

    fn show(&self) -> Content {
        Content::Text(self.clone())
    }
}

impl Value for i64 {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        match node.content {
            Content::Number(number) => Ok(number),
            _ => Err(Fault::expected(node, "a whole number (without quotes)")),
        }
    }

    fn show(&self) -> Content {
        Content::Number(*self)
    }
}

impl Value for PathBuf {
    /// Absolute in a file, since nobody knows from where a daemon is started.
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        let expected = "an absolute path in quotes";
        let path = Self::from(text(node, expected)?);
        let is_right = match node.origin {
            Origin::Flag { .. } | Origin::Environment { .. } => true,
            Origin::File { .. } | Origin::Preset { .. } | Origin::Default => path.is_absolute(),
        };
        if is_right && !path.as_os_str().as_encoded_bytes().contains(&0) {
            Ok(path)
        } else {
            Err(Fault::expected(node, expected))
        }
    }

    fn show(&self) -> Content {
        let text = self.to_str().map(str::to_owned);
        text.map_or(Content::Other("a path that is not UTF-8"), Content::Text)
    }
}

impl Value for ExtraLibrary {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        let path = PathBuf::read(node)?;
        let shown = excerpt(&path.to_string_lossy());
        Self::new(path).map_err(|reason| {
            let reason = format!("'{shown}' cannot be given to containers, {reason}: leave it out");
            Fault::at(node, reason)
        })
    }

    fn show(&self) -> Content {
        self.path().to_owned().show()
    }
}

/// A path, or the empty text for none.
impl Value for Option<PathBuf> {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        match &node.content {
            Content::Text(text) if text.is_empty() => Ok(None),
            _ => PathBuf::read(node).map(Some),
        }
    }

    fn show(&self) -> Content {
        self.clone().unwrap_or_default().show()
    }
}

/// A user or a group, or any.
impl Value for Option<u32> {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        // The highest is -1, which the kernel gives to nobody.
        let id = |number: i64| u32::try_from(number).ok().filter(|id| *id != u32::MAX);
        let known = match &node.content {
            Content::Text(text) if text == "any" => Some(None),
            Content::Number(number) => id(*number).map(Some),
            _ => None,
        };
        known.ok_or_else(|| Fault::expected(node, "a number from 0 to 4294967294, or \"any\""))
    }

    fn show(&self) -> Content {
        self.map_or_else(|| Content::Text("any".to_owned()), |id| Content::Number(id.into()))
    }
}

impl Value for Duration {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        let expected = "a duration such as \"500ms\", \"5s\", \"2m\" or \"1h\"";
        let text = text(node, expected)?;
        parse_duration(text).ok_or_else(|| Fault::expected(node, expected))
    }

    fn show(&self) -> Content {
        let ms = self.as_millis();
        let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s")];
        let whole = units.iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit));
        Content::Text(match whole {
            Some((unit, name)) => format!("{}{name}", ms / unit),
            None if ms == 0 => "0s".to_owned(),
            None => format!("{ms}ms"),
        })
    }
}

/// A year is more than any of our durations means.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().ok()?;
    let ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let duration = Duration::from_millis(number.checked_mul(ms)?);
    (duration <= LONGEST).then_some(duration)
}

/// One of a few words.
pub fn choice<T: ValueEnum>(node: &ValueNode) -> Result<T, Faults> {
    let choices = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let quoted: Vec<String> = choices.map(|choice| format!("\"{}\"", choice.get_name())).collect();
    let expected = format!("one of {}", quoted.join(", "));
    let text = text(node, &expected)?;
    T::from_str(text, false).map_err(|_| Fault::expected(node, &expected))
}

/// The word for it.
pub fn word<T: ValueEnum>(value: &T) -> Content {
    let name = value.to_possible_value();
    Content::Text(name.map_or_else(String::new, |name| name.get_name().to_owned()))
}

/// Makes values of types that the command line knows by words, too.
macro_rules! words {
    ($($word:ty),*) => {$(
        impl Value for $word {
            fn read(node: &ValueNode) -> Result<Self, Faults> {
                choice(node)
            }

            fn show(&self) -> Content {
                word(self)
            }
        }
    )*};
}

words!(
    crate::model::alloc::strategy::StrategySetting,
    crate::model::cdi::format::SpecFormat,
    crate::model::cdi::naming::NameKind,
    crate::model::cdi::netdev_view::NetdevView,
    crate::model::cdi::render::Expose,
    crate::model::libs::library_mode::LibraryMode,
    super::preset::Preset,
    super::settings::HostNetwork,
    super::settings::LogFormat,
    super::settings::LogTarget,
    super::settings::DefaultService,
    crate::model::nic::offer::Functions
);

/// Several values of a kind.
impl<T: Value> Value for Vec<T> {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        match &node.content {
            Content::List(nodes) => {
                let (mut values, mut faults) = (Self::new(), Faults::new());
                for node in nodes {
                    match T::read(node) {
                        Ok(value) => values.push(value),
                        Err(more) => faults.extend(more),
                    }
                }
                if faults.is_empty() { Ok(values) } else { Err(faults) }
            }
            _ => Err(Fault::expected(node, "a list, as [\"one\", \"other\"]")),
        }
    }

    fn show(&self) -> Content {
        Content::list(&Origin::Default, self.iter().map(T::show))
    }
}

/// Makes values of types that are read from a text and show as it.
macro_rules! texts {
    ($($text:ty: $expected:literal),*) => {$(
        impl Value for $text {
            fn read(node: &ValueNode) -> Result<Self, Faults> {
                text(node, $expected)?.parse().map_err(|error| Fault::at(node, format!("{error}")))
            }

            fn show(&self) -> Content {
                Content::Text(self.to_string())
            }
        }
    )*};
}

texts!(
    ResourceName: "a name in quotes, such as \"beta.hpe.com/cxi\"",
    crate::model::nic::companion::Companion: "a path in quotes, such as \"/dev/xpmem?\"",
    crate::model::nic::offer::Exclusion: "a PCI address or the name of a network interface, in quotes"
);

/// What the bad state of a condition does.
impl Value for Action {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        let expected = "one of \"fail\", \"warn\", \"ignore\"";
        text(node, expected)?
            .parse()
            .map_err(|()| Fault::expected(node, expected))
    }

    fn show(&self) -> Content {
        Content::Text(self.name().to_owned())
    }
}

/// Where the node's runtime is asked.
impl Value for RuntimeEndpoint {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        let expected = "\"auto\", or a socket such as \"unix:///run/containerd/containerd.sock\"";
        Self::parse(text(node, expected)?).ok_or_else(|| Fault::expected(node, expected))
    }

    fn show(&self) -> Content {
        Content::Text(self.to_string())
    }
}

impl Value for Enabled {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        match &node.content {
            Content::Text(text) if text == "auto" => Ok(Self::Auto),
            Content::Truth(true) => Ok(Self::Yes),
            Content::Truth(false) => Ok(Self::No),
            _ => Err(Fault::expected(node, "one of \"auto\", true, false")),
        }
    }

    fn show(&self) -> Content {
        match self {
            Self::Auto => Content::Text("auto".to_owned()),
            Self::Yes => Content::Truth(true),
            Self::No => Content::Truth(false),
        }
    }
}

impl Value for tracing::Level {
    fn read(node: &ValueNode) -> Result<Self, Faults> {
        let expected = "one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"";
        let levels = [Self::ERROR, Self::WARN, Self::INFO, Self::DEBUG, Self::TRACE];
        let text = text(node, expected)?;
        let level = levels.into_iter().find(|level| level.as_str().to_lowercase() == text);
        level.ok_or_else(|| Fault::expected(node, expected))
    }

    fn show(&self) -> Content {
        Content::Text(self.as_str().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        for (text, ms) in [
            ("0s", 0),
            ("500ms", 500),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
            assert_eq!(Duration::from_millis(ms).show(), Content::Text(text.to_owned()));
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "1.5s",
            "5d",
            "5s5",
            "99999999999999999999s",
            "9000h",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
