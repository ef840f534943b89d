//! Which lines of a transcript are the same on every node. Pure.

use crate::kubelet::Line;

/// How long the transcript was whenever a step had waited for a state and seen it.
#[derive(Debug, Default)]
pub struct Settled(Vec<usize>);

impl Settled {
    /// A step has seen what it waited for, and the transcript has this many lines.
    pub fn mark(&mut self, lines: usize) {
        self.0.push(lines);
    }

    /// The core lines; of lists that follow each other between two marks only the last, and that only if it is news: how
    /// many states a node shows on the way, there and back, depends on its speed.
    pub fn of(&self, transcript: &[Line]) -> Vec<String> {
        let mut settled: Vec<String> = Vec::new();
        // A line that belongs to the stretch before it cannot be replaced any more.
        let mut firm = 0;
        for (number, line) in transcript.iter().enumerate() {
            if self.0.contains(&number) {
                firm = settled.len();
            }
            if !line.core {
                continue;
            }
            if is_list(&line.text) && settled.len() > firm && settled.last().is_some_and(|last| is_list(last)) {
                settled.pop();
            }
            settled.push(line.text.clone());
        }
        without_repeats(settled)
    }
}

/// Without each list that says what the one before it said to the same registration.
fn without_repeats(mut lines: Vec<String>) -> Vec<String> {
    let mut listed = None;
    lines.retain(|line| {
        if is_list(line) {
            return listed.replace(line.clone()).as_ref() != Some(line);
        }
        if is_registration(line) {
            listed = None;
        }
        true
    });
    lines
}

fn is_registration(text: &str) -> bool {
    text.starts_with(r#"{"event":"registered","#)
}

fn is_list(text: &str) -> bool {
    text.starts_with(r#"{"event":"list","#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_nobody_waited_for_goes() {
        let line = |text: &str, core| Line {
            text: text.to_owned(),
            core,
        };
        let list = |n: u32| format!(r#"{{"event":"list","n":{n}}}"#);
        let transcript = [
            line(&list(1), true),
            line("detail", false),
            line(&list(2), true),
            line("other", true),
            line(&list(3), true),
            line(&list(4), true),
        ];
        let settled = |marks: &[usize]| Settled(marks.to_vec()).of(&transcript);
        assert_eq!(settled(&[]), [list(2), "other".into(), list(4)]);
        assert_eq!(settled(&[1, 5]), [list(1), list(2), "other".into(), list(3), list(4)]);
    }

    #[test]
    fn a_list_that_went_and_came_back_is_told_once_per_registration() {
        let lines = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let (one, two, new) = (
            r#"{"event":"list","n":1}"#,
            r#"{"event":"list","n":2}"#,
            r#"{"event":"registered","n":1}"#,
        );
        let all = lines(&[new, one, "other", one, two, one, new, one]);
        assert_eq!(without_repeats(all), lines(&[new, one, "other", two, one, new, one]));
    }
}
