//! What `/sys` and `/dev` show of one NIC, as text, so that an emulated tree and a kernel can be compared.

mod compare;
mod known;
mod listing;

pub use compare::{Difference, Kind, compare};
pub use known::{Known, KnownError, Verdict};
pub use listing::{Listing, list};
