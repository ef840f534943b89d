//! Which of the values of a command line were given, and how: clap fills in its defaults where nothing was.

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use crate::model::config::Origin;

/// The arguments that were given. As a field of a struct of arguments it knows the others; it must be the first one.
#[derive(Debug, Clone, Default)]
pub struct ArgSources(BTreeMap<String, ValueSource>);

impl ArgSources {
    /// How an argument was given; none for one that was not.
    pub fn origin(&self, id: &str, variable: &str) -> Option<Origin> {
        match self.0.get(id)? {
            ValueSource::CommandLine => Some(Origin::Flag {
                name: format!("--{}", id.replace('_', "-")),
            }),
            ValueSource::EnvVariable => Some(Origin::Environment {
                name: variable.to_owned(),
            }),
            _ => None,
        }
    }
}

impl FromArgMatches for ArgSources {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let ids = matches.ids().map(clap::Id::as_str);
        let sources = ids.filter_map(|id| Some((id.to_owned(), matches.value_source(id)?)));
        Ok(Self(sources.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for ArgSources {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
