//! Files of the host: where they are, how they are read and written safely, who else holds them.

pub mod atomic_file;
pub mod config;
pub mod configured_roots;
pub mod held_dir;
pub mod instance;
pub mod isolation;
pub mod lock;
pub mod path_watch;
pub mod patience;
pub mod places;
pub mod read;
pub mod roots;
pub mod sandbox;
pub mod stamp;
pub mod unix_socket;
pub mod unread;
pub mod untrusted;
pub mod watch;
