//! What no API server says of `deploy/`; the rest is with tests/e2e/k8s/stages/deploy.sh.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cxi_device_plugin::model::alloc::resource::ResourceName;
use serde_json::{Value, json};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents(path: impl AsRef<Path>) -> Vec<Value> {
    let text = read(path.as_ref());
    text.split("\n---\n")
        .map(|text| serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display())))
        .collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Every file below a folder; links are not followed.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for name in names(folder) {
        let path = folder.join(name);
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

#[test]
fn the_two_versions_of_the_policy_differ_in_nothing_else() {
    let folder = deploy().join("MutatingAdmissionPolicy");
    assert_eq!(names(&folder.join("v1")), names(&folder.join("v1beta1")));
    for name in names(&folder.join("v1")).iter().filter(|name| name.ends_with(".yaml")) {
        let mut newer = documents(folder.join("v1").join(name));
        let older = documents(folder.join("v1beta1").join(name));
        for document in &mut newer {
            assert_eq!(document["apiVersion"], "admissionregistration.k8s.io/v1", "{name}");
            document["apiVersion"] = json!("admissionregistration.k8s.io/v1beta1");
        }
        assert_eq!(newer, older, "{name}");
    }
}

#[test]
fn names_of_the_go_project_are_kept() {
    let kept = |file: &str| documents(deploy().join(file))[0]["metadata"]["name"].clone();
    for version in ["v1", "v1beta1"] {
        for name in [
            "hpecxi-mutating-admission-policy",
            "hpecxi-mutating-admission-policy-binding",
        ] {
            assert_eq!(kept(&format!("MutatingAdmissionPolicy/{version}/{name}.yaml")), name);
        }
    }
    for number in 0..4 {
        let name = format!("hsn{number}-ipvlan");
        assert_eq!(kept(&format!("NetworkAttachmentDefinition/{name}.yaml")), name.as_str());
    }
}

/// A manifest that nobody applies, or that `kubectl apply -f` of its folder would trip over.
#[test]
fn each_folder_of_manifests_is_whole_for_kubectl_and_for_kustomize() {
    for folder in [
        "MutatingAdmissionPolicy/v1",
        "MutatingAdmissionPolicy/v1beta1",
        "ValidatingAdmissionPolicy",
        "NetworkAttachmentDefinition",
        "DaemonSet",
    ] {
        let folder = deploy().join(folder);
        let listed: BTreeSet<String> =
            serde_json::from_value(documents(folder.join("Kustomization"))[0]["resources"].clone()).unwrap();
        let there: BTreeSet<String> = names(&folder)
            .into_iter()
            .filter(|name| name.ends_with(".yaml"))
            .collect();
        assert_eq!(listed, there, "{}", folder.display());
    }
}

#[test]
fn the_resource_is_the_one_that_the_daemon_offers() {
    let offered = ResourceName::default().to_string();
    let mut all = Vec::new();
    files(&deploy(), &mut all);
    let mut seen = 0;
    for file in all {
        for word in read(&file).split(|c: char| !(c.is_ascii_alphanumeric() || "./-_".contains(c))) {
            if word.starts_with("beta.hpe.com/") {
                seen += 1;
                let known = [
                    offered.as_str(),
                    "beta.hpe.com/cxi-vf",
                    "beta.hpe.com/cxi-networks",
                    "beta.hpe.com/cxi-networks-",
                ];
                assert!(
                    known.contains(&word.trim_end_matches('.')),
                    "{}: {word}",
                    file.display()
                );
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn the_daemon_set_has_probe_limits_and_a_pinned_image_and_no_right_too_many() {
    let set = &documents(deploy().join("DaemonSet/cxi-device-plugin.yaml"))[0];
    let pod = &set["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert!(container["readinessProbe"]["exec"]["command"].is_array());
    assert!(container["resources"]["limits"]["memory"].is_string());
    assert!(container["resources"]["requests"]["cpu"].is_string());
    assert_ne!(container["imagePullPolicy"], "Always");
    assert_eq!(pod["automountServiceAccountToken"], false);
    let rights = &container["securityContext"];
    assert_eq!(rights["privileged"], false);
    assert_eq!(rights["allowPrivilegeEscalation"], false);
    assert_eq!(rights["readOnlyRootFilesystem"], true);
    assert_eq!(rights["capabilities"], json!({"drop": ["ALL"]}));
    // Every other part of the host is to read; the runtime's socket would be root on the node.
    let mounts = container["volumeMounts"].as_array().unwrap();
    let writable: BTreeSet<&str> = mounts
        .iter()
        .filter(|mount| mount["readOnly"] != true)
        .map(|mount| mount["name"].as_str().unwrap())
        .collect();
    assert_eq!(writable, BTreeSet::from(["cdi", "dev", "kubelet", "run"]));
    for volume in pod["volumes"].as_array().unwrap() {
        let path = volume["hostPath"]["path"].as_str().unwrap_or_default();
        assert!(
            !["/", "/run", "/var", "/etc"].contains(&path) && !path.contains("containerd"),
            "{path}"
        );
    }
}

/// What is not `nicolaka/netshoot`, which is the Go project's own.
#[test]
fn no_image_floats() {
    let mut all = Vec::new();
    files(&deploy(), &mut all);
    let mut seen = 0;
    for file in all {
        for line in read(&file).lines().map(str::trim) {
            let image = ["image: ", "Image=", "FROM "]
                .iter()
                .find_map(|key| line.trim_start_matches("- ").strip_prefix(key));
            let Some(image) = image.and_then(|image| image.split(' ').next()) else {
                continue;
            };
            seen += 1;
            let pinned = image
                .rsplit_once(':')
                .is_some_and(|(_, tag)| tag != "latest" && !tag.contains('/'));
            assert!(pinned || image == "nicolaka/netshoot", "{}: {line}", file.display());
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn each_example_says_what_to_expect_and_what_an_admin_has_done() {
    let folder = deploy().join("examples");
    let list = read(folder.join("README.md"));
    let mut seen = 0;
    for name in names(&folder).iter().filter(|name| *name != "README.md") {
        assert!(list.contains(&format!("`{name}`")), "README.md does not name {name}");
        if name.starts_with("Containerfile") {
            continue;
        }
        seen += 1;
        let text = read(folder.join(name));
        assert!(text.contains("# Expect") && text.contains("An admin has"), "{name}");
    }
    assert!(seen >= 10);
}

/// Links of the pages of deploy/ and of the road, and the paths of their commands.
#[test]
fn what_the_pages_name_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for page in [
        "deploy/README.md",
        "deploy/examples/README.md",
        "deploy/node/README.md",
        "docs/kubernetes.md",
        "docs/migration.md",
    ] {
        let text = read(top.join(page));
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next());
        let beside = top.join(page).parent().unwrap().to_owned();
        let linked = links
            .filter(|link| !link.is_empty() && !link.contains("://"))
            .map(|link| beside.join(link));
        let typed = text
            .split([' ', '`', '\n', ','])
            .filter(|word| word.starts_with("deploy/"))
            .map(|word| top.join(word.trim_end_matches(['.', ':', ';', ')'])));
        for path in linked.chain(typed) {
            seen += 1;
            assert!(path.exists(), "{page}: {}", path.display());
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn the_daemon_takes_the_drop_ins_of_its_configuration() {
    let folder = deploy().join("node/config.d");
    for name in names(&folder) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        let output = program.arg("check-config").arg(folder.join(&name)).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }
    assert!(!names(&folder).is_empty());
}
