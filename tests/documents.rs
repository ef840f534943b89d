//! The pages: links lead somewhere in the tree and in the package, README is short and says first what a reader must know.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

const IN_THE_PACKAGE: &str = "/usr/share/doc/cxi-device-plugin/";

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every page, by its path from the top.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "deploy", "deploy/examples", "deploy/node"] {
        for entry in fs::read_dir(top().join(folder)).unwrap() {
            let name = PathBuf::from(entry.unwrap().file_name());
            if name.extension().is_some_and(|suffix| suffix == "md") {
                pages.push(Path::new(folder).join(name));
            }
        }
    }
    assert!(pages.len() > 15, "{pages:?}");
    pages
}

/// The text without its blocks of code.
fn prose(text: &str) -> String {
    let mut code = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `(file, anchor)` of each link to another page; the file is empty for one to the same page.
fn links(text: &str) -> Vec<(String, String)> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets
        .filter(|target| !target.contains("://"))
        .map(|target| {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            (file.to_owned(), anchor.to_owned())
        })
        .collect()
}

/// As the usual readers of Markdown make them of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|heading| {
            let kept = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Without `..`, whatever is there.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => assert!(plain.pop(), "{}", path.display()),
            Component::Normal(name) => plain.push(name),
            _ => {}
        }
    }
    plain
}

fn packaged() -> BTreeSet<PathBuf> {
    read(&top().join("rpm/files.txt"))
        .lines()
        .filter_map(|line| Some(line.split_once(IN_THE_PACKAGE)?.1.into()))
        .collect()
}

#[test]
fn links_lead_somewhere_in_the_tree_and_in_the_package() {
    let (packaged, mut seen, mut wrong) = (packaged(), 0, Vec::new());
    for page in pages() {
        let text = prose(&read(&top().join(&page)));
        for (file, anchor) in links(&text) {
            seen += 1;
            let target = match file.as_str() {
                "" => page.clone(),
                file => plain(&page.parent().unwrap().join(file)),
            };
            if !top().join(&target).exists() {
                wrong.push(format!("{}: {file} is not there", page.display()));
            } else if !anchor.is_empty() && !anchors(&prose(&read(&top().join(&target)))).contains(&anchor) {
                wrong.push(format!("{}: {file}#{anchor}: no such heading", page.display()));
            } else if packaged.contains(&page) && !packaged.contains(&target) {
                wrong.push(format!("{}: {file} is not in the package", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 80, "{seen}");
}

/// A page that nobody leads to is not found.
#[test]
fn each_page_is_reached_from_readme() {
    let (mut reached, mut next) = (BTreeSet::new(), vec![PathBuf::from("README.md")]);
    while let Some(page) = next.pop() {
        if page.extension().is_none_or(|suffix| suffix != "md") || !reached.insert(page.clone()) {
            continue;
        }
        let of_page = links(&prose(&read(&top().join(&page))));
        next.extend(
            of_page
                .iter()
                .filter(|(file, _)| !file.is_empty())
                .map(|(file, _)| plain(&page.parent().unwrap().join(file))),
        );
    }
    let lost: Vec<_> = pages().into_iter().filter(|page| !reached.contains(page)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// Whoever installs this must not learn late that no NIC has seen it.
#[test]
fn readme_is_short_and_says_first_how_far_this_is() {
    let text = read(&top().join("README.md"));
    let words = text.split_whitespace().count();
    assert!(words <= 1000, "{words} words");
    let first: Vec<_> = text.lines().take(10).collect();
    let first = first.join(" ");
    for needed in [
        "emulated",
        "Nothing has run on a Slingshot NIC",
        "cxi-k8s-device-plugin",
    ] {
        assert!(first.contains(needed), "'{needed}' is not in the first ten lines");
    }
}
