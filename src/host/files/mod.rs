//! Files of the host: where they are, how they are read and written safely, who else holds them.

pub mod config_files;
pub mod configured_roots;
pub mod foreign;
pub mod lock;
pub mod mounts;
pub mod roots;
pub mod store;
pub mod temporary;
pub mod unix_socket;
pub mod watch;
mod whole_file;
