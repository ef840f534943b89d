//! A ListAndWatch stream: the newest list whenever it differs from the one before, but only once that has been read. Kubelet
//! writes its checkpoint at every message, so one that stands still must not find a queue of them.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tonic::Status;

use super::connection::Peer;
use super::pb;
use super::streams::OpenStream;
use crate::model::alloc::snapshot::Snapshot;
use crate::model::pace::Pace;

/// So many lists at once, then one in each interval: a kubelet that reads its connection, but handles nothing of it, cannot
/// be told from a quick one before the stream's window is full.
const AT_ONCE: u32 = 10;
const INTERVAL: Duration = Duration::from_millis(150);
/// Bytes around a message: of gRPC, and of an HTTP/2 frame.
const AROUND: usize = 5 + 9;

/// What goes through a stream.
pub type DeviceList = Result<pb::ListAndWatchResponse, Status>;

/// Sends lists until the client goes, or the streams shall end.
pub async fn pass_on(
    snapshots: watch::Receiver<Arc<Snapshot>>,
    messages: mpsc::Sender<DeviceList>,
    mut closing: watch::Receiver<bool>,
    open: OpenStream,
    peer: Option<Arc<Peer>>,
) {
    tokio::select! {
        None::<()> = send(snapshots, &messages, &open, peer.as_deref()) => {}
        () = messages.closed() => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

async fn send(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    messages: &mpsc::Sender<DeviceList>,
    open: &OpenStream,
    peer: Option<&Peer>,
) -> Option<()> {
    let began = Instant::now();
    let mut pace = Pace::new(AT_ONCE, INTERVAL);
    let mut last = None;
    loop {
        let mut snapshot = Arc::clone(&snapshots.borrow_and_update());
        let mut list = snapshot.listing();
        let wait = pace.wait(began.elapsed());
        if last.as_ref() != Some(&list) && !wait.is_zero() {
            sleep(wait).await;
            // What has become of it meanwhile.
            snapshot = Arc::clone(&snapshots.borrow_and_update());
            list = snapshot.listing();
        }
        if last.as_ref() != Some(&list) {
            pace.gone(began.elapsed());
            let message = pb::ListAndWatchResponse::from(list.as_slice());
            let (bytes, mark) = (message.encoded_len() + AROUND, peer.map(Peer::written));
            messages.send(Ok(message)).await.ok()?;
            // There is room again once the transport has taken the message.
            messages.reserve().await.ok()?;
            if let (Some(peer), Some(mark)) = (peer, mark) {
                peer.has_read(mark, bytes).await;
            }
            last = Some(list);
        }
        open.delivered(snapshot.generation);
        snapshots.changed().await.ok()?;
    }
}
