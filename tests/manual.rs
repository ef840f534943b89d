//! Manual pages and completions are made from the programs' own definitions. What is in `packaging/` must be what they
//! say now; `UPDATE_GOLDEN=1` (`make docs`) writes it anew.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const PROGRAMS: [fn() -> Command; 2] = [
    cxi_device_plugin::cli::plugin::command,
    cxi_device_plugin::cli::generator::command,
];

/// Headings of the help below the flags, and those of manual pages for the same.
const HEADINGS: [(&str, &str); 6] = [
    ("Examples", "EXAMPLES"),
    ("Files", "FILES"),
    ("Environment", "ENVIRONMENT"),
    ("States", "STATES"),
    ("Not looked at", "NOT LOOKED AT"),
    ("Exit codes", "EXIT STATUS"),
];

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

/// A program and its subcommands, and theirs, each under the name of its page.
fn with_subcommands(program: fn() -> Command) -> Vec<Command> {
    let mut program = program().disable_help_subcommand(true);
    program.build();
    let name = program.get_name().to_owned();
    pages_of(&program, &name)
}

fn pages_of(command: &Command, name: &str) -> Vec<Command> {
    let own = command.clone().display_name(name);
    let below = command
        .get_subcommands()
        .flat_map(|subcommand| pages_of(subcommand, &format!("{name}-{}", subcommand.get_name())));
    [own].into_iter().chain(below).collect()
}

fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned() + ".1"
}

/// A manual page: what clap knows of the flags, and the help below them as sections.
fn page(command: &Command) -> String {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    // Dates and users' settings have no place in it: the same program gives the same page.
    let man = Man::new(command.clone().after_help(None::<&str>)).manual("HPE Slingshot in containers");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).unwrap();
    }
    sections(&help).to_writer(&mut page).unwrap();
    see_also(command).to_writer(&mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// Lines by their indentation: a heading, what to type or what is meant, and what it does.
fn sections(help: &str) -> Roff {
    let mut roff = Roff::new();
    for line in help.lines().filter(|line| !line.is_empty()) {
        let text = line.trim_start();
        match line.len() - text.len() {
            0 => {
                let heading = HEADINGS.iter().find(|(ours, _)| text.strip_suffix(':') == Some(ours));
                let (_, heading) = heading.unwrap_or_else(|| panic!("no heading: {line:?}"));
                roff.control("SH", [*heading]);
            }
            2 => {
                roff.control("TP", []).text([bold(text)]);
            }
            6 => {
                roff.text([roman(text)]);
            }
            _ => panic!("odd indentation: {line:?}"),
        }
    }
    roff
}

fn see_also(command: &Command) -> Roff {
    let pages: BTreeSet<String> = PROGRAMS
        .into_iter()
        .flat_map(with_subcommands)
        .map(|command| page_name(&command))
        .collect();
    let own = page_name(command);
    let others: Vec<String> = pages
        .iter()
        .filter(|page| **page != own)
        .map(|page| format!("{}(1)", page.trim_end_matches(".1")))
        .collect();
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]).text([roman(others.join(", "))]);
    roff
}

fn completion(program: fn() -> Command, shell: Shell) -> String {
    let mut program = program();
    let name = program.get_name().to_owned();
    if shell == Shell::Bash {
        return bash_completion(program, &name);
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, name, &mut script);
    String::from_utf8(script).unwrap()
}

/// clap_complete 4.6 gives a subcommand two names in its script for bash when the program's name has dashes, and then
/// completes nothing. So it gets a name without, and the script is told the true one where it names the program.
fn bash_completion(program: Command, name: &str) -> String {
    let dashless: &'static str = name.replace('-', "_").leak(); // clap wants a name that stays
    let mut script = Vec::new();
    clap_complete::generate(Shell::Bash, &mut program.name(dashless), dashless, &mut script);
    let script = String::from_utf8(script).unwrap();
    script.replace(&format!(" {dashless}\n"), &format!(" {name}\n"))
}

/// Every file below `packaging/` that is made here.
fn made() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for program in PROGRAMS {
        for command in with_subcommands(program) {
            files.insert(packaging().join("man").join(page_name(&command)), page(&command));
        }
        let name = program().get_name().to_owned();
        for (shell, path) in [
            (Shell::Bash, format!("bash/{name}")),
            (Shell::Zsh, format!("zsh/_{name}")),
            (Shell::Fish, format!("fish/{name}.fish")),
        ] {
            files.insert(packaging().join("completions").join(path), completion(program, shell));
        }
    }
    files
}

fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| {
        if path.is_dir() {
            files_below(&path)
        } else {
            [path].into()
        }
    });
    below.collect()
}

#[test]
fn what_is_packaged_is_what_the_programs_say() {
    let made = made();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for folder in ["man", "completions"] {
            let _ = fs::remove_dir_all(packaging().join(folder)); // absent the first time
        }
        for (path, text) in &made {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    for (path, text) in &made {
        let packaged = fs::read_to_string(path).unwrap_or_default();
        assert!(
            packaged == *text,
            "{} is not what the program says: make docs",
            path.display()
        );
    }
    let packaged: BTreeSet<PathBuf> = ["man", "completions"]
        .map(|folder| files_below(&packaging().join(folder)))
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(packaged, made.into_keys().collect(), "make docs");
}

#[test]
fn each_page_has_examples_and_exit_codes_and_names_each_flag() {
    for command in PROGRAMS.into_iter().flat_map(with_subcommands) {
        let page = page(&command);
        for heading in [
            "NAME",
            "SYNOPSIS",
            "OPTIONS",
            "EXAMPLES",
            "\"EXIT STATUS\"",
            "\"SEE ALSO\"",
        ] {
            assert!(
                page.contains(&format!("\n.SH {heading}\n")),
                "{}: no {heading}",
                page_name(&command)
            );
        }
        for flag in command.get_arguments().filter_map(|argument| argument.get_long()) {
            let flag = format!("\\-\\-{}", flag.replace('-', "\\-"));
            assert!(page.contains(&flag), "{}: no {flag}", page_name(&command));
        }
    }
}

#[test]
fn each_program_has_files_and_environment() {
    for program in PROGRAMS {
        let page = page(&program());
        for heading in ["FILES", "ENVIRONMENT"] {
            assert!(page.contains(&format!("\n.SH {heading}\n")), "{heading}");
        }
    }
}

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    let (program, last) = (words[0], words[words.len() - 1]);
    let script = packaging().join("completions/bash").join(program);
    let call = r#"
        . "$1"; shift
        function=$(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        "$function" "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
        echo "${COMPREPLY[@]}"
    "#;
    let mut bash = std::process::Command::new("bash");
    let output = bash
        .args(["--norc", "-c", call, "bash"])
        .arg(script)
        .args(words)
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{words:?} {last}: {output:?}"
    );
    let output = String::from_utf8(output.stdout).unwrap();
    output.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_subcommands_flags_and_values() {
    for (words, expected) in [
        (&["cxi-cdi-generator", "li"][..], &["list"][..]),
        (&["cxi-cdi-generator", "verify", "--out"], &["--output"]),
        (&["cxi-cdi-generator", "list", "-o", ""], &["table", "json"]),
        (&["cxi-cdi-generator", "--functions", ""], &["pf", "vf", "all"]),
        (&["cxi-device-plugin", "--kub"], &["--kubelet-dir"]),
        (&["cxi-device-plugin", "--expose", "e"], &["env"]),
    ] {
        assert_eq!(offered(words), expected, "{words:?}");
    }
}
