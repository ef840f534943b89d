//! What the demonstration shows: headings, tables and texts, with bold type only on a terminal.

use std::fmt::Debug;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::Done;
use crate::kubelet::{Device, pb};

/// Far above what any step takes; only a plugin that hangs meets it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Where the demonstration is told.
pub struct DemoOutput<'a> {
    out: &'a mut dyn Write,
    step: usize,
    bold: bool,
}

/// Fails unless the two are equal.
pub fn check<E: Debug, S: Debug + PartialEq<E>>(what: &str, expected: E, seen: S) -> Done {
    if seen == expected {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, saw {seen:?}").into())
    }
}

impl<'a> DemoOutput<'a> {
    /// A stage on `out`.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            step: 0,
            bold: io::stdout().is_terminal(),
        }
    }

    /// Begins a step.
    pub fn heading(&mut self, text: &str) -> Done {
        self.step += 1;
        let (on, off) = if self.bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        Ok(writeln!(self.out, "\n{on}{}. {text}{off}", self.step)?)
    }

    /// The last words.
    pub fn end(&mut self, text: &str) -> Done {
        let (on, off) = if self.bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        Ok(writeln!(self.out, "\n{on}{text}{off}")?)
    }

    /// One line.
    pub fn line(&mut self, text: &str) -> Done {
        Ok(writeln!(self.out, "   {text}")?)
    }

    /// A text of many lines.
    pub fn text(&mut self, text: &str) -> Done {
        text.lines().try_for_each(|line| self.line(line))
    }

    /// The devices as kubelet sees them.
    pub fn devices(&mut self, devices: &[Device]) -> Done {
        self.line(&format!("{:<14} {:<10} NUMA", "DEVICE", "HEALTH"))?;
        devices.iter().try_for_each(|device| {
            let numa: Vec<String> = device.numa.iter().map(ToString::to_string).collect();
            self.line(&format!("{:<14} {:<10} {}", device.id, device.health, numa.join(",")))
        })
    }

    /// What the plugin answered for each container.
    pub fn answer(&mut self, response: &pb::AllocateResponse) -> Done {
        for container in &response.container_responses {
            let mut envs: Vec<_> = container.envs.iter().collect();
            envs.sort();
            envs.iter()
                .try_for_each(|(key, value)| self.line(&format!("env     {key}={value}")))?;
            container.devices.iter().try_for_each(|device| {
                self.line(&format!(
                    "device  {} from {} ({})",
                    device.container_path, device.host_path, device.permissions
                ))
            })?;
            container.mounts.iter().try_for_each(|mount| {
                self.line(&format!("mount   {} from {}", mount.container_path, mount.host_path))
            })?;
            container
                .cdi_devices
                .iter()
                .try_for_each(|device| self.line(&format!("CDI     {}", device.name)))?;
        }
        Ok(())
    }
}
