//! The table of figures: each beside its limit and its aim, where it has them.

use std::fmt;
use std::io::{self, Write};

use super::sample::Sample;

/// In what a figure is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Times as much.
    Ratio,
    /// Percent of one CPU.
    Cpu,
    /// Millions of bytes.
    Megabytes,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Us => "us",
            Self::Ms => "ms",
            Self::Ratio => "x",
            Self::Cpu => "% CPU",
            Self::Megabytes => "MB",
        })
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    what: String,
    measured: f64,
    unit: Unit,
    limit: Option<f64>,
    aim: Option<f64>,
    more: String,
}

impl Figure {
    pub fn new(what: impl Into<String>, measured: f64, unit: Unit) -> Self {
        Self {
            what: what.into(),
            measured,
            unit,
            limit: None,
            aim: None,
            more: String::new(),
        }
    }

    /// The median of these times in `unit`, and how they spread.
    pub fn median(what: impl Into<String>, times: &Sample, unit: Unit) -> Self {
        let in_unit = match unit {
            Unit::Ms => times.median() / 1000.0,
            _ => times.median(),
        };
        Self::new(what, in_unit, unit).more(times.spread())
    }

    /// More than this is over the budget.
    pub fn limit(self, limit: f64) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// Less than the limit: where it should get to.
    pub fn aim(self, aim: f64) -> Self {
        Self { aim: Some(aim), ..self }
    }

    /// What else is to be said of it.
    pub fn more(self, more: impl Into<String>) -> Self {
        Self {
            more: more.into(),
            ..self
        }
    }

    /// What is measured is compared, not what is shown. What could not be measured is within nothing.
    fn verdict(&self) -> &'static str {
        let within = |bound: f64| self.measured <= bound;
        match (self.limit, self.aim) {
            _ if self.measured.is_nan() => "?",
            (Some(limit), _) if !within(limit) => "OVER",
            (_, Some(aim)) if !within(aim) => "not yet",
            (None, None) => "",
            _ => "ok",
        }
    }

    fn shown(&self, value: f64) -> String {
        let decimals = match self.unit {
            Unit::Ms | Unit::Ratio | Unit::Megabytes => 3,
            Unit::Cpu => 1,
            Unit::Us => 0,
        };
        format!("{value:.decimals$} {}", self.unit)
    }

    fn bound(&self, bound: Option<f64>) -> String {
        bound.map_or_else(|| "-".to_owned(), |bound| format!("{bound} {}", self.unit))
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!(
            "{:<44} {:>14} {:>10} {:>10} {:>8}  {}",
            self.what,
            self.shown(self.measured),
            self.bound(self.limit),
            self.bound(self.aim),
            self.verdict(),
            self.more
        );
        f.write_str(line.trim_end())
    }
}

/// Where figures go as they come, and what may be said of how far it is.
pub(super) struct Table<'a> {
    out: &'a mut dyn Write,
    progress: &'a mut dyn Write,
}

impl<'a> Table<'a> {
    /// Begins with the heading.
    pub fn new(out: &'a mut dyn Write, progress: &'a mut dyn Write) -> io::Result<Self> {
        writeln!(
            out,
            "{:<44} {:>14} {:>10} {:>10} {:>8}",
            "figure", "measured", "limit", "aim", ""
        )?;
        Ok(Self { out, progress })
    }

    pub fn row(&mut self, figure: &Figure) -> io::Result<()> {
        writeln!(self.out, "{figure}")
    }

    /// What could not be measured, and why.
    pub fn skipped(&mut self, what: &str, why: impl fmt::Display) -> io::Result<()> {
        writeln!(self.out, "SKIPPED {what}: {why}")
    }

    /// What comes now, for who waits. It is no part of the table.
    pub fn progress(&mut self, now: impl fmt::Display) -> io::Result<()> {
        writeln!(self.progress, "... {now}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_figure_is_shown_beside_its_limit_and_aim() {
        let figure = Figure::new("RSS", 5.4321, Unit::Megabytes).limit(6.0).aim(5.0);
        assert_eq!(
            figure.more("anonymous 1 MB").to_string(),
            "RSS                                                5.432 MB       6 MB       5 MB  not yet  anonymous 1 MB"
        );
        assert_eq!(
            Figure::new("Allocate", 96.4, Unit::Us).to_string(),
            "Allocate                                              96 us          -          -"
        );
    }

    #[test]
    fn a_verdict_is_by_the_measured_value() {
        let ratio = |measured: f64| Figure::new("ratio", measured, Unit::Ratio);
        assert_eq!(ratio(1.3).limit(1.3).verdict(), "ok");
        assert_eq!(ratio(1.300_01).limit(1.3).verdict(), "OVER");
        assert_eq!(ratio(5.0).limit(6.0).aim(5.0).verdict(), "ok");
        assert_eq!(ratio(5.1).limit(6.0).aim(5.0).verdict(), "not yet");
        assert_eq!(ratio(6.1).limit(6.0).aim(5.0).verdict(), "OVER");
        assert_eq!(ratio(6.1).aim(5.0).verdict(), "not yet");
        assert_eq!(ratio(6.1).verdict(), "");
        assert_eq!(ratio(f64::NAN).limit(1.3).verdict(), "?");
    }

    #[test]
    fn times_are_told_in_the_unit_of_their_limit() {
        let times: Sample = [1_000, 2_500, 9_000].map(Duration::from_micros).into_iter().collect();
        assert!(
            Figure::median("start", &times, Unit::Ms)
                .to_string()
                .contains(" 2.500 ms ")
        );
        assert!(
            Figure::median("start", &times, Unit::Us)
                .to_string()
                .contains(" 2500 us ")
        );
    }
}
