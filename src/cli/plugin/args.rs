//! The command line of `cxi-device-plugin`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::doctor::DoctorArgs;
use super::help;
use super::host_settings::ConfiguredNode;
use super::isolation::IsolationArgs;
pub use super::node_args::NodeArgs;
use super::pods::PodArgs;
use super::run::RunArgs;
use super::services::{self, ServicesArgs};
use crate::cli::terminal::output::Audience;
use crate::host::files::config::CONFIG_FILE;
use crate::host::files::roots::RootArgs;

/// Offers the HPE Slingshot (CXI) NICs of this node to Kubernetes and keeps their CDI spec true
#[derive(Debug, Parser)]
#[command(
    name = "cxi-device-plugin",
    version,
    after_help = help::PLUGIN,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground (the default)
    #[command(after_help = help::RUN)]
    Run(RunArgs),
    /// Show what the running daemon says of itself and of the NICs
    #[command(after_help = help::STATUS)]
    Status(StatusArgs),
    /// List the NICs of this node as they look now
    #[command(after_help = help::DEVICES)]
    Devices(DevicesArgs),
    /// Say why a NIC is as it is, or whether libfabric in a container would accept it, and what to do
    #[command(after_help = help::EXPLAIN)]
    Explain(ExplainArgs),
    /// Keep a NIC from new pods
    #[command(after_help = help::CORDON)]
    Cordon(CordonArgs),
    /// Let new pods have a NIC again
    #[command(after_help = help::UNCORDON)]
    Uncordon(UncordonArgs),
    /// Say what is wrong with this node, and what to type
    #[command(after_help = help::DOCTOR)]
    Doctor(DoctorArgs),
    /// Show the CXI services of the NICs, and change them
    #[command(after_help = services::SERVICES)]
    Services(ServicesArgs),
    /// Make a CXI service for each pod, so that nobody else can use its VNI on its NICs
    #[command(after_help = help::ISOLATION)]
    Isolation(IsolationArgs),
    /// Show what the daemon would run by, and where each value comes from
    #[command(after_help = help::CONFIG)]
    Config(ConfigArgs),
    /// Check a configuration file with its drop-ins
    #[command(after_help = help::CHECK_CONFIG)]
    CheckConfig(CheckConfigArgs),
}

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// The daemon's own flags
    #[command(flatten)]
    pub run: RunArgs,
    /// For whom to write
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: Form,
}

/// For whom to write a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Form {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// As a configuration file
    Toml,
}

/// Arguments of `check-config`.
#[derive(Debug, clap::Args)]
pub struct CheckConfigArgs {
    /// The file; drop-ins are in config.d beside it
    #[arg(value_name = "FILE", default_value = CONFIG_FILE)]
    pub file: PathBuf,
}

/// Arguments of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {
    /// The daemon's own directory [default: the daemon's, by the host's configuration]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Where the host's file system is mounted; the default directory lies below it
    #[arg(long = "root", value_name = "PREFIX")]
    pub prefix: Option<PathBuf>,
    /// Kubelet, about pods.
    #[command(flatten)]
    pub pods: PodArgs,
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Audience,
}

/// Arguments of `devices`.
#[derive(Debug, Clone, clap::Args)]
pub struct DevicesArgs {
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Audience,
    /// Kubelet, about pods.
    #[command(flatten)]
    pub pods: PodArgs,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// Arguments of `explain`.
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainArgs {
    /// PCI address, cxiN, N or network interface
    #[arg(
        value_name = "NIC",
        required_unless_present = "pid",
        conflicts_with = "pid",
        default_value = "",
        hide_default_value = true
    )]
    nic: String,
    /// Instead of a NIC: a process in a container, as the host numbers it
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Audience,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// What to explain.
#[derive(Debug)]
pub enum Subject<'a> {
    /// A NIC, by one of its names.
    Nic(&'a str),
    /// A process in a container.
    Process(u32),
}

impl StatusArgs {
    /// The node by these flags and its configuration.
    ///
    /// # Errors
    /// The prefix is no directory.
    pub fn configured(&self) -> anyhow::Result<ConfiguredNode> {
        let roots = RootArgs {
            prefix: self.prefix.clone(),
            ..RootArgs::default()
        };
        Ok(ConfiguredNode::new(roots, self.run_dir.as_deref())?.or_warn())
    }
}

impl ExplainArgs {
    /// What to explain.
    pub fn subject(&self) -> Subject<'_> {
        match self.pid {
            Some(pid) => Subject::Process(pid),
            None => Subject::Nic(&self.nic),
        }
    }
}

/// Arguments of `cordon`.
#[derive(Debug, Clone, clap::Args)]
pub struct CordonArgs {
    /// PCI address, cxiN, N or network interface
    #[arg(value_name = "NIC")]
    pub nic: String,
    /// Why, in one line; it shows wherever the NIC's state does
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// Arguments of `uncordon`.
#[derive(Debug, Clone, clap::Args)]
pub struct UncordonArgs {
    /// PCI address, cxiN, N or network interface
    #[arg(value_name = "NIC")]
    pub nic: String,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
}

impl Args {
    /// The subcommand, or the default one.
    pub fn action(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}
