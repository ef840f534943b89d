//! Changes of files, off the loop.

use tokio::task::spawn_blocking;

/// On a thread of its own, since a slow disk must not keep kubelet waiting; an error with its causes, in one line.
pub async fn on_disk<E>(change: impl FnOnce() -> Result<(), E> + Send + 'static) -> Result<(), String>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match spawn_blocking(change).await {
        Ok(changed) => changed.map_err(|error| format!("{:#}", anyhow::Error::new(error))),
        Err(error) => Err(error.to_string()),
    }
}
