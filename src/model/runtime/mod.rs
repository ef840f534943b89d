//! Container runtimes: where they show on a node, what one says of itself when it is asked, and which strategy follows.

pub mod answer;
pub mod cdi;
pub mod choice;
pub mod places;
pub mod record;
