//! What a CDI spec says of each NIC: which device node it is.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    devices: Vec<Device>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    name: String,
    container_edits: Edits,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Edits {
    #[serde(default)]
    device_nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    path: String,
}

/// PCI address and name of the device node of each NIC. A spec that is not there names none.
pub fn device_nodes(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let spec: Spec = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    // The other names of a NIC have no colon.
    let nics = spec.devices.into_iter().filter(|device| device.name.contains(':'));
    let node = |device: Device| {
        let first = device.container_edits.device_nodes.into_iter().next();
        let path = first.map(|node| node.path).unwrap_or_default();
        (device.name, path.trim_start_matches("/dev/").to_owned())
    };
    Ok(nics.map(node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nics_are_told_by_their_address() {
        let text = "devices:\n\
            - name: 0000:21:00.0\n  containerEdits: {deviceNodes: [{path: /dev/cxi2}]}\n\
            - name: cxi2\n  containerEdits: {deviceNodes: [{path: /dev/cxi2}]}\n";
        let found = device_nodes(text).expect("parses");
        assert_eq!(found, [("0000:21:00.0".to_owned(), "cxi2".to_owned())].into());
        assert_eq!(device_nodes(""), Ok(BTreeMap::new()));
    }
}
