//! Text that others may have written, fit for a log: bounded, and it steers no terminal.

use std::fmt::{self, Debug, Write};

/// Of one field. A line has a few of them.
const LIMIT: usize = 4096;

/// Takes text up to the limit, and counts what it leaves out.
#[derive(Debug, Default)]
struct Bounded {
    text: String,
    left_out: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let mut rest = more.chars();
        while self.left_out == 0 && self.text.len() < LIMIT {
            match rest.next() {
                None => return Ok(()),
                Some(c @ ('\n' | '"' | '\'' | '\\')) => self.text.push(c),
                Some(c) => self.text.extend(c.escape_debug()),
            }
        }
        self.left_out += rest.as_str().len();
        Ok(())
    }
}

impl Bounded {
    fn end(self) -> String {
        match self.left_out {
            0 => self.text,
            left_out => format!("{}… ({left_out} more bytes)", self.text),
        }
    }
}

/// Line feeds stay: who shows the text indents what comes after one.
pub fn of_str(text: &str) -> String {
    let mut bounded = Bounded::default();
    // It never fails.
    let _ = bounded.write_str(text);
    bounded.end()
}

/// Of what shows itself; what is too much is never held.
pub fn of_debug(value: &dyn Debug) -> String {
    let mut bounded = Bounded::default();
    if write!(bounded, "{value:?}").is_err() {
        bounded.text.push('…');
    }
    bounded.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_bounded_and_says_how_much_is_left_out() {
        assert_eq!(of_str(&"x".repeat(LIMIT)), "x".repeat(LIMIT));
        let long = of_str(&"x".repeat(LIMIT + 10));
        assert_eq!(long, format!("{}… (10 more bytes)", "x".repeat(LIMIT)));
        let pieces = of_debug(&format_args!("{}{}", "x".repeat(LIMIT + 1), "äö"));
        assert!(pieces.ends_with("x… (5 more bytes)"), "{pieces}");
        assert!(of_str(&"\u{202e}".repeat(LIMIT)).len() < LIMIT + 64);
    }

    #[test]
    fn a_text_steers_no_terminal() {
        let hostile = "a\x1b[2J\u{202e}\u{9b}\r\x08\x7f\t\0";
        let shown = of_str(hostile);
        assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{shown:?}");
        assert_eq!(of_str("it's \"ä\" = C:\\ …\n"), "it's \"ä\" = C:\\ …\n");
    }
}
