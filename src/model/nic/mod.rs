//! The NICs of a node: their addresses, what one scan finds of them, and which of them are on offer.

pub mod attributes;
pub mod companion;
pub mod inventory;
pub mod node_link;
pub mod numa;
pub mod offer;
pub mod pci;
pub mod selection;
