//! The record of what happened between kubelet and a plugin: one JSON object a line, the same for every run of a scenario.
//!
//! Core events are those that a real kubelet can show too: that it started or stopped (whoever drives it knows), and the
//! registrations, lists and answers of Allocate, which a recording proxy on the plugin's socket sees. Everything else has
//! `"detail":true`; two kubelets are compared by their core lines. No line has a time, a process number or a host path.

use std::collections::BTreeMap;

use serde::Serialize;

use super::devices::Device;
use super::pb;
use super::rules::Rule;
use super::scrub::Scrub;

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Core: a life of kubelet began.
    KubeletStarted,
    /// Core: it ended, with (`graceful`) or without removing its socket.
    Stopped { graceful: bool },
    /// Core: a registration succeeded.
    Registered {
        resource: String,
        version: String,
        endpoint: String,
        options: Options,
    },
    /// Detail: a registration failed with this text.
    RegistrationRefused { resource: String, reason: String },
    /// Detail: the answer to GetDevicePluginOptions.
    Options { resource: String, options: Options },
    /// Core: a ListAndWatch message.
    List { resource: String, devices: Vec<Listed> },
    /// Detail: a ListAndWatch stream ended.
    StreamEnded { resource: String, reason: String },
    /// Detail: one Allocate call, the device IDs by container.
    AllocateRequest {
        resource: String,
        containers: Vec<Vec<String>>,
    },
    /// Core: its answer.
    AllocateResponse { resource: String, containers: Vec<Answer> },
    /// Detail: the allocation failed, in kubelet or in the plugin.
    AllocateRefused { resource: String, reason: String },
    /// Detail: a call of GetPreferredAllocation.
    PreferredRequest {
        resource: String,
        available: Vec<String>,
        size: usize,
    },
    /// Detail: its answer.
    PreferredResponse { resource: String, devices: Vec<String> },
    /// Detail: kubelet dropped its connection to the plugin.
    Forgot { resource: String },
    /// Detail: a rule was broken.
    Violation { rule: Rule, text: String },
}

impl Event {
    /// Whether a real kubelet can show this event too.
    pub fn is_core(&self) -> bool {
        matches!(
            self,
            Event::KubeletStarted
                | Event::Stopped { .. }
                | Event::Registered { .. }
                | Event::List { .. }
                | Event::AllocateResponse { .. }
        )
    }
}

/// `DevicePluginOptions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Options {
    /// Kubelet shall call PreStartContainer.
    pub pre_start_required: bool,
    /// Kubelet may call GetPreferredAllocation.
    pub get_preferred_allocation_available: bool,
}

impl From<pb::DevicePluginOptions> for Options {
    fn from(options: pb::DevicePluginOptions) -> Options {
        let pb::DevicePluginOptions {
            pre_start_required,
            get_preferred_allocation_available,
        } = options;
        Options {
            pre_start_required,
            get_preferred_allocation_available,
        }
    }
}

/// A device of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its ID.
    pub id: String,
    /// The plugin's word.
    pub health: String,
    /// NUMA nodes; empty without topology.
    pub numa: Vec<i64>,
}

impl From<Device> for Listed {
    fn from(Device { id, health, numa }: Device) -> Listed {
        Listed { id, health, numa }
    }
}

/// `ContainerAllocateResponse`, with everything sorted: kubelet gives the IDs in no order, so the answer has none either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    envs: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    devices: Vec<Node>,
    mounts: Vec<Mount>,
    cdi_devices: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Node {
    container_path: String,
    host_path: String,
    permissions: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Mount {
    container_path: String,
    host_path: String,
    read_only: bool,
}

impl From<&pb::ContainerAllocateResponse> for Answer {
    fn from(response: &pb::ContainerAllocateResponse) -> Answer {
        let response = response.clone();
        let node = |pb::DeviceSpec {
                        container_path,
                        host_path,
                        permissions,
                    }| Node {
            container_path,
            host_path,
            permissions,
        };
        let mount = |pb::Mount {
                         container_path,
                         host_path,
                         read_only,
                     }| Mount {
            container_path,
            host_path,
            read_only,
        };
        Answer {
            envs: response.envs.into_iter().collect(),
            annotations: response.annotations.into_iter().collect(),
            devices: sorted(response.devices.into_iter().map(node)),
            mounts: sorted(response.mounts.into_iter().map(mount)),
            cdi_devices: sorted(response.cdi_devices.into_iter().map(|cdi| cdi.name)),
        }
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    items
}

/// One line of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The JSON object, without a line end.
    pub text: String,
    /// Whether a real kubelet can show it too.
    pub core: bool,
}

/// The lines so far.
#[derive(Debug, Default)]
pub struct Transcript {
    scrub: Scrub,
    lines: Vec<Line>,
}

impl Transcript {
    pub(super) fn new(scrub: Scrub) -> Transcript {
        Transcript {
            scrub,
            lines: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, event: &Event) {
        #[derive(Serialize)]
        struct Marked<'a> {
            #[serde(flatten)]
            event: &'a Event,
            #[serde(skip_serializing_if = "is_false")]
            detail: bool,
        }
        let core = event.is_core();
        // Only a map with keys that are no strings can fail, and no event has one.
        if let Ok(text) = serde_json::to_string(&Marked { event, detail: !core }) {
            self.lines.push(Line {
                text: self.scrub.clean(&text),
                core,
            });
        }
    }

    /// The lines from number `from` on.
    pub fn after(&self, from: usize) -> &[Line] {
        self.lines.get(from..).unwrap_or_default()
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_fixed_order_and_marks_detail() {
        let mut transcript = Transcript::default();
        let devices = vec![Listed {
            id: "a".to_owned(),
            health: "Healthy".to_owned(),
            numa: vec![0],
        }];
        transcript.push(&Event::List {
            resource: "hpe.com/x".to_owned(),
            devices,
        });
        transcript.push(&Event::Forgot {
            resource: "hpe.com/x".to_owned(),
        });
        let lines: Vec<&str> = transcript.after(0).iter().map(|line| line.text.as_str()).collect();
        let list = r#"{"event":"list","resource":"hpe.com/x","devices":[{"id":"a","health":"Healthy","numa":[0]}]}"#;
        assert_eq!(
            lines,
            [list, r#"{"event":"forgot","resource":"hpe.com/x","detail":true}"#]
        );
    }

    #[test]
    fn an_answer_is_sorted() {
        let name = |name: &str| pb::CdiDevice { name: name.to_owned() };
        let response = pb::ContainerAllocateResponse {
            cdi_devices: vec![name("b"), name("a")],
            ..Default::default()
        };
        assert_eq!(Answer::from(&response).cdi_devices, ["a", "b"]);
    }
}
