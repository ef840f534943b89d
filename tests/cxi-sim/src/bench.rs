//! How fast and how large the device plugin is, seen from an emulated kubelet. Figures, not verdicts: a busy machine is no
//! defect of the plugin.

mod calls;
mod events;
mod idle;
mod isolation;
mod namespace;
mod process;
mod renames;
mod sample;
mod stage;
mod starts;
mod storm;
mod table;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use table::Table;

const RESOURCE: &str = "beta.hpe.com/cxi";
const PATIENCE: Duration = Duration::from_secs(30);

/// How much is measured. By default all of it takes five to six minutes.
#[derive(Debug, Clone, clap::Args)]
pub struct Counts {
    /// Starts of each kind, and calls of --version between them
    #[arg(long, value_name = "N", default_value_t = 31)]
    pub starts: usize,
    /// Allocates before the memory is measured, and as many empty calls
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub allocates: usize,
    /// Pods that get services of their own
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub pods: usize,
    /// Restarts of kubelet
    #[arg(long, value_name = "N", default_value_t = 21)]
    pub restarts: usize,
    /// Times that a driver is lost and back
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub rounds: usize,
    /// Renames of each kind, 780 a second
    #[arg(long, value_name = "N", default_value_t = 3_900)]
    pub renames: u32,
    /// The numbers of NICs in storms of events
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [8, 64, 512])]
    pub nics: Vec<usize>,
    /// How long each storm is
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub storm_seconds: u64,
    /// How long to wait before idling counts: helper threads end after 10 s without work
    #[arg(long, value_name = "SECONDS", default_value_t = 12)]
    pub settle: u64,
    /// How many slow polls an idle plugin makes
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub polls: u64,
    /// One poll each so many seconds; its cost is told as that of two in a minute. Less than the default costs more: files that
    /// have just changed are read again, and what the daemon has rested from is at hand again
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub pulse: u64,
}

/// What of it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// From exec to Register
    Starts,
    /// Allocate, memory, and restarts of kubelet
    Calls,
    /// What renames in kubelet's directory cost
    Renames,
    /// From events to kubelet's list and to the CDI file
    Events,
    /// What events cost as long as they come
    Storm,
    /// What idling costs
    Idle,
    /// How long pods wait for services of their own
    Isolation,
}

impl Part {
    /// All of them in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Starts,
        Self::Calls,
        Self::Renames,
        Self::Events,
        Self::Storm,
        Self::Idle,
        Self::Isolation,
    ];

    /// Whether it takes a network namespace of our own.
    fn sends_events(self) -> bool {
        matches!(self, Self::Events | Self::Storm)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Starts => "starts",
            Self::Calls => "calls",
            Self::Renames => "renames",
            Self::Events => "events to list and file",
            Self::Storm => "storms of events",
            Self::Idle => "idling",
            Self::Isolation => "services for pods",
        }
    }
}

/// A device plugin to be measured.
#[derive(Debug, Clone)]
pub struct Bench {
    /// The program.
    pub plugin: PathBuf,
    /// How much.
    pub counts: Counts,
}

impl Bench {
    /// Measures these parts, tells the figures to `out`, and to `progress` how far it is.
    ///
    /// # Errors
    /// What could not be done.
    pub async fn run(
        &self,
        parts: &[Part],
        out: &mut dyn Write,
        progress: &mut dyn Write,
    ) -> Result<(), Box<dyn Error>> {
        writeln!(out, "{}", machine())?;
        let mut table = Table::new(out, progress)?;
        let place = namespace::enter(&self.plugin);
        if let Err(why) = &place.memory {
            table.skipped(
                "a quiet /dev/shm",
                format!("{why}; what others do there costs CPU here"),
            )?;
        }
        for &part in parts {
            match &place.network {
                Err(why) if part.sends_events() => table.skipped(part.name(), why)?,
                _ => self.part(part, &mut table).await?,
            }
        }
        writeln!(out, "{}", machine())?;
        Ok(())
    }

    async fn part(&self, part: Part, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
        let (plugin, counts) = (self.plugin.as_path(), &self.counts);
        match part {
            Part::Starts => starts::run(plugin, counts, table).await,
            Part::Calls => calls::run(plugin, counts, table).await,
            Part::Renames => renames::run(plugin, counts, table).await,
            Part::Events => events::on_tree(plugin, counts, table).await,
            Part::Storm => storm::run(plugin, counts, table).await,
            Part::Idle => idle::run(plugin, counts, table).await,
            Part::Isolation => isolation::run(plugin, counts, table),
        }
    }

    /// Measures how long events take to kubelet and to the CDI file on this machine's kernel, with the modules in `modules`.
    ///
    /// # Errors
    /// What could not be done.
    pub async fn guest_events(
        &self,
        modules: &Path,
        out: &mut dyn Write,
        progress: &mut dyn Write,
    ) -> Result<(), Box<dyn Error>> {
        let mut table = Table::new(out, progress)?;
        events::on_guest(&self.plugin, modules, &self.counts, &mut table).await
    }
}

/// What else the machine has to do; figures of a busy one are worse.
fn machine() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    format!("load average {} on {cpus} CPUs", load.join(" "))
}
