//! inotify on paths: on what a path leads to, and on each directory that holds a name on the way there, links included. So
//! a directory that is renamed away and made anew, or a link that is re-pointed, is news at whatever place of the path.
//!
//! inotify sees neither mounts nor what happens on another machine, so whoever asks for the watches again hears whether a
//! path leads elsewhere than before.

mod events;
mod ledger;
mod place;
mod watcher;

pub use self::events::PathEvents;
pub use self::place::{Change, Content, Place};
pub use self::watcher::PathWatcher;
