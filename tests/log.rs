//! The journal's ids: `src/model/message_id.rs`, its documentation and the journal's catalogue say the same, and each is used.
//! That the fields arrive is seen in `tests/e2e/systemd`.
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::daemon::{A, DaemonFixture, RESOURCE, nics, until, wait_for};

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Name and id of each constant.
fn ids() -> Vec<(String, String)> {
    let source = text("src/model/message_id.rs");
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const "));
    let parts = |line: &str| {
        let (name, rest) = line.split_once(": &str = \"").unwrap();
        (name.to_owned(), rest.trim_end_matches("\";").to_owned())
    };
    constants.map(parts).collect()
}

fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: &Path| match path.is_dir() {
        true => sources(path),
        false if path.ends_with("message_id.rs") => String::new(),
        false => fs::read_to_string(path).unwrap(),
    };
    entries.map(|path| text(&path)).collect()
}

#[test]
fn each_id_is_one_of_128_bits_and_used_once() {
    let ids = ids();
    let hex = |id: &str| id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert!(ids.iter().all(|(_, id)| hex(id)), "{ids:?}");
    let different: BTreeSet<_> = ids.iter().map(|(_, id)| id).collect();
    assert_eq!(different.len(), ids.len());
    assert!(ids.len() > 15, "{ids:?}");
}

#[test]
fn each_id_is_used_by_the_programs() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for (name, _) in ids() {
        assert!(
            sources.contains(&format!("message_id::{name}")),
            "{name} is never logged"
        );
    }
}

#[test]
fn documentation_and_catalogue_have_exactly_these_ids() {
    let expected: Vec<String> = ids().into_iter().map(|(_, id)| id).collect();
    let catalog = text("packaging/journald/cxi-device-plugin.catalog");
    let in_catalog: Vec<&str> = catalog.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
    assert_eq!(in_catalog, expected);
    let documentation = text("docs/log.md");
    let rows = documentation
        .lines()
        .filter_map(|line| line.split('`').nth(1).filter(|_| line.starts_with("| ")));
    let in_documentation: Vec<&str> = rows.filter(|id| id.len() == 32).collect();
    assert_eq!(in_documentation, expected);
}

#[test]
fn on_stderr_a_line_has_no_ids_and_says_nothing_twice() {
    let host = DaemonFixture::new(&nics(1));
    host.node.link(A, false).unwrap();
    let daemon = host.start(&[]);
    daemon.wait_for_log("unhealthy");
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("unhealthy")).unwrap();
    let (_, output) = line.split_once("WARN ").unwrap();
    assert!(output.starts_with("cxi0: unhealthy: link: "), "{output}");
    assert!(output.ends_with(&format!(" = 0) pci={A}")), "{output}");
    assert!(ids().iter().all(|(_, id)| !log.contains(id)), "{log}");
}

#[tokio::test]
async fn a_line_is_bounded_and_steers_no_terminal() {
    for format in ["text", "json"] {
        let host = DaemonFixture::new(&nics(1));
        host.configure(&format!("[log]\nformat = \"{format}\"\n"));
        let (daemon, kubelet) = (host.start(&[]), host.kubelet());
        wait_for(&kubelet, &[(A, true)]).await;
        let mut ids: Vec<String> = (0..10_000).map(|number| format!("nobody-{number}")).collect();
        ids.insert(0, "\x1b[2J\u{202e}\n2026-01-01T00:00:00Z ERROR forged".to_owned());
        kubelet.allocate(RESOURCE, vec![ids]).await.unwrap_err();
        daemon.wait_for_log("refused");
        // The next line shows that the one before it is whole.
        let before = daemon.log().lines().count();
        daemon.hang_up();
        until(|| daemon.log().lines().count() > before, || daemon.log());
        let log = daemon.log();
        let longest = log.lines().map(str::len).max().unwrap_or_default();
        assert!(longest < 20_000, "{format}: a line of {longest} bytes");
        assert!(
            !log.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'),
            "{format}"
        );
        assert!(!log.lines().any(|line| line.starts_with("2026-01-01")), "{format}");
        if format == "json" {
            let is_object = |line: &str| {
                serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line["level"].is_string())
            };
            assert!(log.lines().all(is_object), "{log}");
        }
    }
}
