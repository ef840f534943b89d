//! The command line of `services`.

use std::path::PathBuf;

use clap::Subcommand;

use super::help;
use crate::cli::plugin::node_args::NodeArgs;
use crate::cli::terminal::output::Audience;

/// Arguments of `services`.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct ServicesArgs {
    #[command(subcommand)]
    pub(super) action: Option<Action>,
    #[command(flatten)]
    pub(super) list: ListArgs,
}

/// What to do with services.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum Action {
    /// List the services of the NICs (the default)
    #[command(after_help = help::LIST)]
    List(ListSomeArgs),
    /// Switch the default service (1) on, which admits everybody
    #[command(after_help = help::ENABLE_DEFAULT)]
    EnableDefault(EnableArgs),
    /// Switch the default service (1) off
    #[command(after_help = help::DISABLE_DEFAULT)]
    DisableDefault(DisableArgs),
    /// Make a service as a file describes it, or none
    #[command(after_help = help::CREATE)]
    Create(CreateArgs),
    /// End a service; one that is still in use is waited for
    #[command(after_help = help::DELETE)]
    Delete(DeleteArgs),
}

/// Arguments of the list.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListArgs {
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) output: Audience,
    /// The node.
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

/// Arguments of `list`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListSomeArgs {
    /// PCI address, cxiN, N or network interface [default: every NIC]
    #[arg(value_name = "NIC")]
    pub(super) nics: Vec<String>,
    #[command(flatten)]
    pub(super) list: ListArgs,
}

/// Where it is kept what was done.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StampArgs {
    /// Directory where it is kept for which life of a NIC its default service was switched [default: /run/cxi-default-service]
    #[arg(long, value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
}

/// Arguments of `enable-default`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct EnableArgs {
    /// PCI address, cxiN, N or network interface [default: every physical function]
    #[arg(value_name = "NIC")]
    pub(super) nics: Vec<String>,
    /// Only once in a NIC's life: where it was switched off since, leave it off
    #[arg(long)]
    pub(super) once: bool,
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) output: Audience,
    #[command(flatten)]
    pub(super) stamps: StampArgs,
    /// The node.
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

/// Arguments of `disable-default`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DisableArgs {
    /// PCI address, cxiN, N or network interface [default: every physical function]
    #[arg(value_name = "NIC")]
    pub(super) nics: Vec<String>,
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) output: Audience,
    #[command(flatten)]
    pub(super) stamps: StampArgs,
    /// The node.
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

/// Arguments of `create`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CreateArgs {
    /// What it is to be: the YAML of HPE's cxi_service create
    #[arg(short, long, value_name = "YAML")]
    pub(super) file: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// PCI address, cxiN, N or network interface; on several, on all of them or on none
    #[arg(value_name = "NIC", required = true)]
    pub(super) nics: Vec<String>,
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) output: Audience,
    /// The node.
    #[command(flatten)]
    pub(super) node: NodeArgs,
}

/// Arguments of `delete`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DeleteArgs {
    /// PCI address, cxiN, N or network interface
    #[arg(
        value_name = "NIC",
        required_unless_present = "ours",
        default_value = "",
        hide_default_value = true
    )]
    pub(super) nic: String,
    /// Number of the service
    #[arg(
        value_name = "ID",
        required_unless_present = "ours",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(super) id: u32,
    /// Instead of one service: all that cxi-isolation.service has made, those of living pods, too; stop it first
    #[arg(long, conflicts_with_all = ["nic", "id"])]
    pub(super) ours: bool,
    /// Seconds to wait for a service that is in use
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub(super) wait: u64,
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) output: Audience,
    /// The node.
    #[command(flatten)]
    pub(super) node: NodeArgs,
}
