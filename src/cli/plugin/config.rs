//! `config`: what the daemon would run by, and where each value comes from.

use super::args::{ConfigArgs, Form};
use crate::cli::exit::Ended;
use crate::cli::terminal::output::{self, GOOD};
use crate::cli::terminal::table::{Cell, plain, table};
use crate::model::config::Origin;
use crate::model::config::inputs::Effective;
use crate::model::config::show;

/// Shows it.
pub fn run(args: &ConfigArgs) -> anyhow::Result<Ended> {
    let effective = args.run.configuration()?.effective;
    match args.output {
        Form::Table => output::styled(&described(&effective))?,
        Form::Json => output::json(&effective)?,
        Form::Toml => output::raw(&show::as_file(&effective))?,
    }
    Ok(Ended::Done)
}

fn described(effective: &[Effective]) -> String {
    let row = |effective: &Effective| -> [Cell; 3] {
        let origin = effective.origin.to_string();
        let origin = match effective.origin {
            Origin::Default => plain(origin),
            _ => (GOOD, origin),
        };
        [plain(&effective.key), plain(&effective.value), origin]
    };
    table(["KEY", "VALUE", "FROM"], effective.iter().map(row).collect())
}
