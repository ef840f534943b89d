//! Files of the host: where they are, how they are read and written safely, who else holds them.

pub mod atomic_file;
pub mod config;
pub mod configured_roots;
pub mod lock;
pub mod patience;
pub mod read;
pub mod roots;
pub mod sandbox;
pub mod unix_socket;
pub mod untrusted;
pub mod watch;
