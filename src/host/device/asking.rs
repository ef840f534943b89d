//! Each NIC is asked on a thread of its own, all at once, and waited for so long: one whose driver is stuck leaves the others
//! untouched. Its thread stays until the driver lets go of it.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::model::services::refused::Refused;

/// How long a NIC may take over all that it is asked. The driver answers from memory, or with a read of the NIC's registers; the
/// first question of all may wake its microcontroller.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Asks each of them, and gives the answers in their order.
pub fn each<K, T, F>(asked: Vec<K>, patience: Duration, ask: F) -> Vec<(K, Result<T, Refused>)>
where
    K: Clone + Send + 'static,
    T: Send + 'static,
    F: Fn(&K) -> Result<T, Refused> + Clone + Send + 'static,
{
    let until = Instant::now() + patience;
    let begun: Vec<_> = asked
        .into_iter()
        .map(|nic| (nic.clone(), begin(nic, ask.clone())))
        .collect();
    let answers = begun.into_iter().map(|(nic, begun)| {
        let answer = match begun {
            Err(error) => Err(Refused::Node(format!("cannot start a thread: {error}"))),
            Ok(answer) => match answer.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => Err(Refused::Hangs(patience.as_secs())),
                Err(RecvTimeoutError::Disconnected) => Err(Refused::Node("its thread ended".to_owned())),
            },
        };
        (nic, answer)
    });
    answers.collect()
}

fn begin<K, T, F>(nic: K, ask: F) -> io::Result<mpsc::Receiver<Result<T, Refused>>>
where
    K: Send + 'static,
    T: Send + 'static,
    F: FnOnce(&K) -> Result<T, Refused> + Send + 'static,
{
    let (tell, told) = mpsc::channel();
    thread::Builder::new().name("commands".to_owned()).spawn(move || {
        // Nobody may be waiting any more.
        let _ = tell.send(ask(&nic));
    })?;
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_hangs_costs_its_own_answer_only() {
        let (release, held) = mpsc::channel::<()>();
        let held = std::sync::Arc::new(std::sync::Mutex::new(held));
        let ask = move |nic: &u32| {
            if *nic == 2 {
                let _ = held.lock().unwrap().recv();
            }
            Ok(*nic * 10)
        };
        let answers = each(vec![1, 2, 3], Duration::from_millis(200), ask);
        assert_eq!(answers[0], (1, Ok(10)));
        assert!(matches!(answers[1], (2, Err(Refused::Hangs(_)))));
        assert_eq!(answers[2], (3, Ok(30)));
        drop(release);
    }
}
