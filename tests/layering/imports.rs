//! What a Rust file names, by its tokens: comments, strings and tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What a file names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Every path as it is written, those of a `use` with its groups taken apart. A glob ends in `*`.
    pub paths: BTreeSet<Vec<String>>,
    /// Names that a `use` brings in, each with the path that it stands for.
    pub imports: BTreeMap<String, Vec<String>>,
    /// Modules that are declared here, in a block or in a file.
    pub modules: BTreeSet<String>,
    /// Those of them that stand in files of their own.
    pub children: BTreeSet<String>,
    /// Names behind a dot, and names of macros with their `!`.
    pub calls: BTreeSet<String>,
    /// Every other word.
    pub words: BTreeSet<String>,
}

type Tokens = Peekable<proc_macro2::token_stream::IntoIter>;

/// What this text of a file names.
pub fn names(text: &str) -> Names {
    let mut names = Names::default();
    let tokens: TokenStream = text.parse().expect("Rust");
    walk(tokens, &mut names);
    names
}

fn walk(tokens: TokenStream, names: &mut Names) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if attribute(&mut tokens, names) {
                    skip_item(&mut tokens);
                }
            }
            // A lifetime is no word.
            TokenTree::Punct(punct) if punct.as_char() == '\'' => drop(tokens.next()),
            TokenTree::Punct(punct) if punct.as_char() == '.' => {
                if let Some(TokenTree::Ident(name)) = tokens.peek() {
                    names.calls.insert(name.to_string());
                }
            }
            TokenTree::Group(group) => walk(group.stream(), names),
            TokenTree::Ident(ident) => match plain(&ident.to_string()) {
                "use" => use_item(&mut tokens, names),
                "mod" => module(&mut tokens, names),
                word => path(word.to_owned(), &mut tokens, names),
            },
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// A word as everybody writes it: `r#fs` is `fs`.
fn plain(word: &str) -> &str {
    word.strip_prefix("r#").unwrap_or(word)
}

/// Behind `#`: whether what follows is a test. Other attributes name things, too.
fn attribute(tokens: &mut Tokens, names: &mut Names) -> bool {
    let is_inner = matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == '!');
    if is_inner {
        tokens.next();
    }
    match tokens.next() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            let is_test = group.stream().to_string().replace(' ', "") == "cfg(test)";
            walk(group.stream(), names);
            is_test && !is_inner
        }
        _ => false,
    }
}

/// Up to the end of an item: its block, or a semicolon.
fn skip_item(tokens: &mut Tokens) {
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            _ => {}
        }
    }
}

/// Behind `mod`.
fn module(tokens: &mut Tokens, names: &mut Names) {
    let Some(TokenTree::Ident(name)) = tokens.next() else {
        return;
    };
    names.modules.insert(name.to_string());
    if matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ';') {
        names.children.insert(name.to_string());
    }
}

/// Behind `use`, up to its semicolon.
fn use_item(tokens: &mut Tokens, names: &mut Names) {
    let tree: TokenStream = tokens
        .take_while(|token| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';'))
        .collect();
    use_tree(&[], tree, names);
}

/// One tree of a `use`, or several with commas between them.
fn use_tree(prefix: &[String], tree: TokenStream, names: &mut Names) {
    let mut path = prefix.to_vec();
    let mut alias = None;
    let mut tokens = tree.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "as" => alias = tokens.next().map(|name| name.to_string()),
            TokenTree::Ident(ident) => path.push(plain(&ident.to_string()).to_owned()),
            TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".to_owned()),
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                leaf(
                    prefix,
                    std::mem::replace(&mut path, prefix.to_vec()),
                    alias.take(),
                    names,
                );
            }
            TokenTree::Group(group) => {
                use_tree(&path, group.stream(), names);
                path = prefix.to_vec();
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    leaf(prefix, path, alias, names);
}

/// The end of a branch; nothing where a group has said all.
fn leaf(prefix: &[String], mut path: Vec<String>, alias: Option<String>, names: &mut Names) {
    if path.len() == prefix.len() {
        return;
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(name) = alias.or_else(|| path.last().cloned()) {
        names.imports.insert(name, path.clone());
    }
    names.paths.insert(path);
}

/// A word in the code, which may begin a path.
fn path(first: String, tokens: &mut Tokens, names: &mut Names) {
    let mut path = vec![first];
    while is_path_separator(tokens) {
        tokens.next();
        tokens.next();
        match tokens.peek() {
            Some(TokenTree::Ident(name)) => path.push(plain(&name.to_string()).to_owned()),
            _ => break, // generic arguments
        }
        tokens.next();
    }
    if matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == '!') {
        names.calls.extend(path.last().map(|name| format!("{name}!")));
    }
    if path.len() > 1 {
        names.paths.insert(path);
    } else {
        names.words.extend(path);
    }
}

fn is_path_separator(tokens: &mut Tokens) -> bool {
    let mut ahead = tokens.clone();
    let mut is_colon = || matches!(ahead.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon() && is_colon()
}

fn paths_of(text: &str) -> Vec<String> {
    names(text).paths.iter().map(|path| path.join("::")).collect()
}

#[test]
fn a_use_is_taken_apart() {
    let text = "pub(crate) use crate::{a::{self, b::C as D}, e::*}; use super::f; use x as y;";
    let parts = ["crate::a", "crate::a::b::C", "crate::e::*", "super::f", "x"];
    assert_eq!(paths_of(text), parts);
    let found = names(text);
    assert_eq!(found.imports["D"].join("::"), "crate::a::b::C");
    assert_eq!(found.imports.keys().collect::<Vec<_>>(), ["*", "D", "a", "f", "y"]);
}

#[test]
fn paths_are_found_wherever_they_stand() {
    assert_eq!(
        paths_of("fn f(a: &[crate::b::C]) { d!(x = crate::e::f(1)) }"),
        ["crate::b::C", "crate::e::f"]
    );
    assert_eq!(
        paths_of("#[serde(with = 1, x(crate::a::b))] struct S;"),
        ["crate::a::b"]
    );
    assert_eq!(
        paths_of("fn f() { r#std::r#fs::read(1); Vec::<u8>::new() }"),
        ["std::fs::read"]
    );
}

#[test]
fn comments_strings_and_tests_do_not_count() {
    let text = "//! crate::a::b\n/* crate::c::d */ const T: &str = \"crate::e::f\";\n\
                #[cfg(test)] mod tests { use crate::g::h; } #[cfg(test)] use crate::i::j;";
    assert!(paths_of(text).is_empty(), "{:?}", paths_of(text));
    let half = "#[cfg(test)] use crate::a::b; use crate::c::d;";
    assert_eq!(paths_of(half), ["crate::c::d"]);
}

#[test]
fn calls_and_macros_are_told_from_paths() {
    let found = names("fn f(p: &Path) { p.exists(); println!(\"x\"); async {} }");
    assert!(
        ["exists", "println!"].iter().all(|call| found.calls.contains(*call)),
        "{found:?}"
    );
    assert!(found.words.contains("async"));
    assert_eq!(names("pub mod a; mod b {}").children, BTreeSet::from(["a".to_owned()]));
}
