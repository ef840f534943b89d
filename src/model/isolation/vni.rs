//! Which VNI a pod gets: the same file on all nodes names a range for each namespace, so that nobody has to be asked.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// By which a pod asks for another VNI of its namespace's range.
pub const ANNOTATION: &str = "beta.hpe.com/vni";
/// In the place of a namespace: all that have no range of their own.
pub const ALL_OTHERS: &str = "*";
/// The driver's default service has these two, and admits everybody when it is on.
const OF_DEFAULT_SERVICE: [u16; 2] = [1, 10];

/// A range of VNIs, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vnis {
    first: u16,
    last: u16,
}

/// Why a text is no range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct NoVnis(String);

impl Vnis {
    /// Whether it has this one.
    pub fn contains(self, vni: u16) -> bool {
        (self.first..=self.last).contains(&vni)
    }

    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for Vnis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for Vnis {
    type Err = NoVnis;

    fn from_str(text: &str) -> Result<Self, NoVnis> {
        let wrong = |reason: &str| NoVnis(reason.to_owned());
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(wrong("not VNIs such as \"1024-1031\" or \"1024\", of 2 to 65535"));
        };
        let vnis = Self { first, last };
        if first > last {
            return Err(wrong("its first VNI is above its last"));
        }
        if first == 0 {
            return Err(wrong("VNI 0 is none"));
        }
        match OF_DEFAULT_SERVICE.into_iter().find(|vni| vnis.contains(*vni)) {
            Some(vni) => Err(NoVnis(format!(
                "VNI {vni} is the default service's, which admits everybody when it is on: leave it out"
            ))),
            None => Ok(vnis),
        }
    }
}

/// Digits only, and no zeros before them: another spelling is a slip.
fn number(text: &str) -> Option<u16> {
    let number: u16 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The ranges of all namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VniPlan(BTreeMap<String, Vnis>);

/// Two namespaces whose ranges have a VNI in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The one that comes later by name.
    pub namespace: String,
    /// The other.
    pub other: String,
    /// The other's range.
    pub vnis: Vnis,
}

/// Why a pod gets no VNI, in words for its author and the node's admin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoVni {
    /// The site has none for it.
    #[error("namespace {0} has no VNIs: [isolation.vnis] of this node names none for it")]
    Namespace(String),
    /// The pod asks for something else.
    #[error("annotation {ANNOTATION}: '{wanted}' is no VNI of namespace {namespace}, which has {vnis}")]
    Annotation {
        /// What it says.
        wanted: String,
        /// The pod's namespace.
        namespace: String,
        /// What it may say.
        vnis: Vnis,
    },
}

impl VniPlan {
    /// Of these ranges.
    pub fn new(ranges: impl IntoIterator<Item = (String, Vnis)>) -> Self {
        Self(ranges.into_iter().collect())
    }

    /// Whether no pod gets one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each range with its namespace.
    pub fn ranges(&self) -> impl Iterator<Item = (&str, Vnis)> {
        self.0.iter().map(|(namespace, vnis)| (namespace.as_str(), *vnis))
    }

    /// Those that are not apart from each other.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let mut overlaps = Vec::new();
        for (place, (namespace, vnis)) in self.ranges().enumerate() {
            let before = self.ranges().take(place);
            overlaps.extend(
                before
                    .filter(|(_, other)| other.overlaps(vnis))
                    .map(|(other, range)| Overlap {
                        namespace: namespace.to_owned(),
                        other: other.to_owned(),
                        vnis: range,
                    }),
            );
        }
        overlaps
    }

    /// The range of a namespace.
    pub fn of(&self, namespace: &str) -> Option<Vnis> {
        // What is called so is no namespace.
        let own = self.0.get(namespace).filter(|_| namespace != ALL_OTHERS);
        own.or_else(|| self.0.get(ALL_OTHERS)).copied()
    }

    /// Who shares VNIs with a namespace: nobody, or all that have no range of their own.
    pub fn group<'name>(&self, namespace: &'name str) -> &'name str {
        if namespace != ALL_OTHERS && self.0.contains_key(namespace) {
            namespace
        } else {
            ALL_OTHERS
        }
    }

    /// The VNI of a pod: the first of its namespace's range, or the one that it asks for.
    ///
    /// # Errors
    /// There is none, or the pod asks for one that is not its namespace's.
    pub fn choose(&self, namespace: &str, wanted: Option<&str>) -> Result<u16, NoVni> {
        let vnis = self
            .of(namespace)
            .ok_or_else(|| NoVni::Namespace(namespace.to_owned()))?;
        let Some(wanted) = wanted else {
            return Ok(vnis.first);
        };
        number(wanted)
            .filter(|vni| vnis.contains(*vni))
            .ok_or_else(|| NoVni::Annotation {
                wanted: wanted.chars().take(40).collect(),
                namespace: namespace.to_owned(),
                vnis,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ranges: &[(&str, &str)]) -> VniPlan {
        VniPlan::new(
            ranges
                .iter()
                .map(|(namespace, vnis)| ((*namespace).to_owned(), vnis.parse().unwrap())),
        )
    }

    #[test]
    fn a_range_has_two_ends_and_none_of_the_default_services() {
        for text in ["1024-1031", "1024", "2-9", "11-65535", "65535"] {
            assert_eq!(text.parse::<Vnis>().unwrap().to_string(), text);
        }
        assert_eq!("5-5".parse::<Vnis>().unwrap().to_string(), "5");
        for (text, words) in [
            ("", "not VNIs"),
            ("a", "not VNIs"),
            ("1024-", "not VNIs"),
            ("-5", "not VNIs"),
            ("1024 - 1031", "not VNIs"),
            ("+5", "not VNIs"),
            ("0x10", "not VNIs"),
            ("01024", "not VNIs"),
            ("65536", "not VNIs"),
            ("1031-1024", "above"),
            ("0", "VNI 0"),
            ("0-3", "VNI 0"),
            ("1", "VNI 1 is the default"),
            ("2-10", "VNI 10 is the default"),
            ("10-12", "VNI 10 is the default"),
        ] {
            let error = text.parse::<Vnis>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_pod_gets_the_first_of_its_namespace_or_the_one_it_names() {
        let plan = plan(&[("blue", "1024-1031"), ("red", "1032-1039")]);
        assert_eq!(plan.choose("blue", None), Ok(1024));
        assert_eq!(plan.choose("red", None), Ok(1032));
        assert_eq!(plan.choose("red", Some("1039")), Ok(1039));
        for wanted in ["1024", "1040", "", " 1033", "0", "1e3", "01033", "-1"] {
            let error = plan.choose("red", Some(wanted)).unwrap_err().to_string();
            assert!(
                error.contains("1032-1039") && error.contains(ANNOTATION),
                "{wanted}: {error}"
            );
        }
        let error = plan.choose("green", None).unwrap_err().to_string();
        assert!(error.contains("green"), "{error}");
    }

    #[test]
    fn a_range_for_all_others_is_for_those_without_one() {
        let plan = plan(&[("blue", "1024-1031"), ("*", "2000-2001")]);
        assert_eq!(plan.choose("blue", None), Ok(1024));
        assert_eq!(plan.choose("green", None), Ok(2000));
        assert_eq!(plan.choose("green", Some("2001")), Ok(2001));
        assert!(plan.choose("blue", Some("2000")).is_err());
    }

    #[test]
    fn overlaps_are_found_in_each_pair() {
        let plan = plan(&[("a", "100-110"), ("b", "110-120"), ("c", "121"), ("*", "105-130")]);
        let pairs: Vec<(String, String)> = plan
            .overlaps()
            .into_iter()
            .map(|overlap| (overlap.namespace, overlap.other))
            .collect();
        let expected = [("a", "*"), ("b", "*"), ("b", "a"), ("c", "*")];
        assert_eq!(pairs, expected.map(|(one, other)| (one.to_owned(), other.to_owned())));
    }
}
