//! The cards' own texts. Reading them may wake the NIC's microcontroller, so each NIC's are read once in its life, on a
//! thread of their own: a read that hangs leaves them unknown and harms nobody.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::host::files::roots::Roots;
use crate::model::nic::attributes::{CxiName, Fru};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// One life of a NIC: an address under one kernel name.
type CardKey = (PciAddress, CxiName);

/// What has been read so far.
#[derive(Clone)]
pub struct FruTexts {
    known: Arc<Mutex<BTreeMap<CardKey, Reading<Fru>>>>,
    is_put_off: Arc<AtomicBool>,
    on_news: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for FruTexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FruTexts")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

impl FruTexts {
    /// Calls `on_news` whenever a card's texts have come.
    pub fn new(on_news: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            known: Arc::default(),
            is_put_off: Arc::default(),
            on_news: Arc::new(on_news),
        }
    }

    /// Whether reading begins later: nothing that kubelet is told depends on the texts.
    pub fn put_off(&self, is_put_off: bool) {
        self.is_put_off.store(is_put_off, Ordering::Relaxed);
    }

    /// The texts of a NIC, or that they are still being read; the first call in a NIC's life begins to read.
    pub fn texts(&self, address: PciAddress, name: CxiName, roots: &Roots, directory: &Path) -> Reading<Fru> {
        let card = (address, name);
        if let Some(known) = self.lock().get(&card) {
            return known.clone();
        }
        let pending = Err(ReadError::new(directory, "no answer yet"));
        if self.is_put_off.load(Ordering::Relaxed) {
            return pending;
        }
        self.lock().insert(card, pending.clone());
        let (texts, roots, place) = (self.clone(), roots.clone(), directory.to_owned());
        let reader = thread::Builder::new().name(format!("fru-{name}")).spawn(move || {
            let fru = read(&roots, &place);
            if let Some(known) = texts.lock().get_mut(&card) {
                *known = fru;
            }
            (texts.on_news)();
        });
        match reader {
            Ok(_) => pending,
            Err(error) => {
                // The next look tries again.
                self.lock().remove(&card);
                Err(ReadError::new(directory, error))
            }
        }
    }

    /// Forgets driver instances that are gone.
    pub fn keep_only(&self, living: &BTreeMap<PciAddress, CxiName>) {
        self.lock()
            .retain(|(address, name), _| living.get(address) == Some(name));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CardKey, Reading<Fru>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(roots: &Roots, directory: &Path) -> Reading<Fru> {
    let text = |name: &str| roots.text(&directory.join(name));
    Ok(Fru {
        description: text("description")?,
        part_number: text("part_number")?,
        serial_number: text("serial_number")?,
    })
}
