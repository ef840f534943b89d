//! Text from outside (names of netdevs and drivers, files, arguments) as a terminal or a log may get it: nothing in it moves
//! the cursor, hides other text, or turns the order of letters. What is for programs keeps the exact data.

use std::borrow::Cow;
use std::fmt::Write;

/// The looks of our own texts and of clap's: bold, underlined, three colours, and none again. A sequence with more, such as one
/// that hides text, is not ours.
const OWN_LOOKS: [&str; 6] = [
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[4m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
];

/// In one line: also ends of lines are shown and not made.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| 0)
}

/// In as many lines as it has.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |rest| usize::from(rest.starts_with('\n')))
}

/// In as many lines as it has, and with the looks that our programs give to their own words.
pub fn styled(text: &str) -> Cow<'_, str> {
    escaped(text, |rest| {
        let look = OWN_LOOKS.iter().find(|look| rest.starts_with(**look));
        look.map_or(usize::from(rest.starts_with('\n')), |look| look.len())
    })
}

/// A JSON text, whose strings alone can hold such characters: the same value, by escapes of JSON.
pub fn json(text: &str) -> Cow<'_, str> {
    let may_stay = |c: char| !steers(c) || c == '\n';
    if text.chars().all(may_stay) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if may_stay(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

/// One word of a command line that an admin may copy: whatever is in it stays an argument.
pub fn shell_word(text: impl ToString) -> String {
    let text = text.to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@%+,".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text;
    }
    if text.chars().any(steers) {
        // What no terminal should get, bash and its kin can spell.
        let spelled = text.chars().map(|c| match c {
            '\\' | '\'' => format!("\\{c}"),
            c if steers(c) => format!("\\U{:08x}", u32::from(c)),
            c => c.to_string(),
        });
        return format!("$'{}'", spelled.collect::<String>());
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// `kept` says how many bytes at the beginning of a rest stay as they are.
fn escaped(text: &str, kept: impl Fn(&str) -> usize) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (own, others) = rest.split_at_checked(kept(rest)).unwrap_or(("", rest));
        if !own.is_empty() {
            out.push_str(own);
            rest = others;
            continue;
        }
        if steers(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// Whether a character does something else than to be seen. A tab is harmless.
fn steers(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && c != '\t';
    }
    matches!(c,
        '\u{80}'..='\u{9f}' // C1, such as the one-character CSI
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' // of no width; left to right, right to left
        | '\u{2028}'..='\u{202e}' // ends of lines; embedded and overridden directions
        | '\u{2060}'..='\u{206f}' // invisible operators; isolated directions
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' // tags
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_instead() {
        let table = [
            ("hsn0", "hsn0"),
            ("a\tb", "a\tb"),
            ("naïve ✓ 網", "naïve ✓ 網"),
            ("\u{1b}[2Jx", "\\u{1b}[2Jx"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("a\nb\rc", "a\\nb\\rc"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("\u{7f}\0", "\\u{7f}\\u{0}"),
            ("\u{200b}\u{feff}\u{2028}", "\\u{200b}\\u{feff}\\u{2028}"),
            ("\u{e0041}", "\\u{e0041}"),
        ];
        for (text, shown) in table {
            assert_eq!(line(text), shown, "{text:?}");
        }
    }

    #[test]
    fn lines_stay_lines_where_they_may() {
        assert_eq!(lines("a\n\u{1b}b\n"), "a\n\\u{1b}b\n");
        assert_eq!(lines("a\r\n"), "a\\r\n");
    }

    #[test]
    fn only_our_own_looks_stay() {
        let ours = "\u{1b}[1m\u{1b}[31mbad\u{1b}[0m\n";
        assert_eq!(styled(ours), ours);
        assert_eq!(styled("\u{1b}[8mhidden"), "\\u{1b}[8mhidden");
        assert_eq!(styled("\u{1b}[1;31m"), "\\u{1b}[1;31m");
        assert_eq!(styled("\u{1b}"), "\\u{1b}");
    }

    #[test]
    fn what_an_admin_copies_stays_one_word() {
        let table = [
            ("/etc/cdi/x.yaml", "/etc/cdi/x.yaml"),
            ("/etc/cdi/x;reboot", "'/etc/cdi/x;reboot'"),
            ("it's", "'it'\\''s'"),
            ("$(reboot)", "'$(reboot)'"),
            ("-rf", "'-rf'"),
            ("", "''"),
            ("a\n'\u{1b}\\", "$'a\\U0000000a\\'\\U0000001b\\\\'"),
        ];
        for (text, word) in table {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({"name\u{9b}": "a\u{1b}\u{7f}\u{202e}\u{e0041}\n"});
        let text = serde_json::to_string_pretty(&value).unwrap_or_default();
        let shown = json(&text);
        assert!(!shown.chars().any(|c| steers(c) && c != '\n'), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).ok(), Some(value));
    }
}
