//! Name rules of Kubernetes and of CDI. Pure functions on strings.

/// The longest file name of an endpoint: `sun_path` holds 108 bytes with its NUL, and kubelet's own directory
/// (`/var/lib/kubelet/device-plugins/`) takes 32 of them.
pub const MAX_ENDPOINT: usize = 75;

/// Whether kubelet takes `name` for an extended resource (`IsExtendedResourceName` in `pkg/apis/core/v1/helper`): it has
/// a domain that is not `kubernetes.io`, does not start with `requests.`, and stays a qualified name with
/// `requests.` in front of it (that is how a quota would call it).
pub fn is_extended_resource(name: &str) -> bool {
    let native = !name.contains('/') || name.contains("kubernetes.io/");
    !native && !name.starts_with("requests.") && is_qualified(&format!("requests.{name}"))
}

/// `IsQualifiedName` of apimachinery, for a name with a prefix.
fn is_qualified(name: &str) -> bool {
    name.split_once('/')
        .is_some_and(|(prefix, rest)| is_dns_subdomain(prefix) && is_name_part(rest))
}

/// RFC 1123: labels of lower case letters, digits and inner hyphens, joined by dots.
fn is_dns_subdomain(text: &str) -> bool {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 253
        && text
            .split('.')
            .all(|label| is_framed(label, lower, lower, |c| c == '-'))
}

/// The part after the slash: at most 63 characters, letters and digits at both ends.
fn is_name_part(text: &str) -> bool {
    text.len() <= 63 && is_framed(text, alphanumeric, alphanumeric, |c| matches!(c, '-' | '_' | '.'))
}

/// Whether `name` is `vendor/class=name` as CDI's parser takes it (`pkg/parser/parser.go`): split at the first `=`,
/// then at the first `/`; vendor and class start with a letter.
pub fn is_cdi_name(name: &str) -> bool {
    let inner = |c: char| matches!(c, '_' | '.' | '-');
    let kind = |text: &str| is_framed(text, |c| c.is_ascii_alphabetic(), alphanumeric, inner);
    let Some((prefix, device)) = name.split_once('=') else {
        return false;
    };
    let Some((vendor, class)) = prefix.split_once('/') else {
        return false;
    };
    kind(vendor) && kind(class) && is_framed(device, alphanumeric, alphanumeric, |c| inner(c) || c == ':')
}

/// Whether `text` starts with a `first`, ends with a `last`, and has only alphanumeric or `inner` characters between.
fn is_framed(
    text: &str,
    first: impl Fn(char) -> bool,
    last: impl Fn(char) -> bool,
    inner: impl Fn(char) -> bool,
) -> bool {
    text.starts_with(&first) && text.ends_with(&last) && text.chars().all(|c| first(c) || last(c) || inner(c))
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_resources_need_a_foreign_domain() {
        for good in ["beta.hpe.com/cxi", "a/b", "hpe.com/Cassini_2.x-1"] {
            assert!(is_extended_resource(good), "{good}");
        }
        let long = format!("hpe.com/{}", "a".repeat(64));
        for bad in [
            "",
            "cxi",
            "/cxi",
            "hpe.com/",
            "kubernetes.io/cxi",
            "requests.hpe.com/cxi",
            "HPE.com/cxi",
            "a/b/c",
            "a..b/c",
            "a-/c",
            "hpe.com/-x",
            &long,
        ] {
            assert!(!is_extended_resource(bad), "{bad}");
        }
    }

    #[test]
    fn cdi_names_have_three_parts() {
        for good in ["beta.hpe.com/cxi=0000:21:00.0", "hpe.com/nic_a=all"] {
            assert!(is_cdi_name(good), "{good}");
        }
        for bad in [
            "",
            "cxi0",
            "hpe.com/cxi",
            "hpe.com=cxi",
            "0hpe/cxi=a",
            "hpe.com/cxi=",
            "hpe.com/cxi=a/b",
            "hpe.com/cxi=a=b",
        ] {
            assert!(!is_cdi_name(bad), "{bad}");
        }
    }
}
