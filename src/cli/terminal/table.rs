//! A table for people.

use anstyle::Style;

use super::output::{HEADING, paint, visible};

/// A text and how it looks.
pub type Cell = (Style, String);

/// Columns side by side under their headings, each as wide as its longest text; the last one is not filled up.
pub fn table<const N: usize>(headings: [&str; N], rows: Vec<[Cell; N]>) -> String {
    let headings = headings.map(|heading| (HEADING, heading.to_owned()));
    let rows: Vec<[Cell; N]> = [headings].into_iter().chain(rows).collect();
    let shown = |(style, text): &Cell| (*style, visible(text));
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    let width = |column: usize| {
        let texts = rows.iter().filter_map(|row| row.get(column));
        texts.map(|(_, text)| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[Cell], widths: &[usize]) -> String {
    let mut line = String::new();
    let mut owed = 0; // blanks before the next text; after the last one they stay owed
    for ((style, text), width) in row.iter().zip(widths) {
        if !text.is_empty() {
            line += &" ".repeat(owed);
            line += &paint(*style, text);
            owed = 0;
        }
        owed += width - text.chars().count() + 2;
    }
    line + "\n"
}

/// A text that looks like any other.
pub fn plain(text: impl ToString) -> Cell {
    (Style::new(), text.to_string())
}
