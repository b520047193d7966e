// SPDX-License-Identifier: Apache-2.0
//! Every public item has an example, or a link to one where it is used.
//!
//! An item is *shown* if its comment, or that of one of its methods, has an example, or if the example on the page of a module
//! in which it is public names it. Any other has a line `Example: …` in its comment, whose links and files lead to an
//! example: to an item that is shown (of `` [`Type::method`] `` the example calls the method), to a module's page that has one, or to a file
//! below `examples/`, `tests/` or `cli/` that names it.
//!
//! Whatever is `pub` is public (`unreachable_pub` holds that). Fields, variants and methods belong to their type, and a name that a macro
//! makes to the macro: its comment there is that of all of them. Lines that rustdoc hides show nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::{Source, assert_none, sources};

mod found;

const KINDS: &[&str] = &["struct", "enum", "trait", "fn", "type", "const", "static"];

/// A public item, and the comments of its methods with its own.
#[derive(Debug)]
struct Item {
    /// `src/journal/frame.rs: Frame`.
    place: String,
    name: String,
    module: String,
    docs: String,
}

/// The page of a public module: its comment, and the names that it re-exports.
#[derive(Debug, Default)]
struct Page {
    docs: String,
    names: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Library {
    items: Vec<Item>,
    /// By path: `integrity::merkle`.
    pages: BTreeMap<String, Page>,
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    text.split(move |char| !is_word(char))
        .filter(|word| !word.is_empty())
}

/// The keyword and the name of what a line declares, where that is public.
fn declared(code: &str) -> Option<&str> {
    let mut parts = code.strip_prefix("pub ")?.split([' ', '(', '<', ':', ';']);
    let qualifiers = ["const", "async", "unsafe"];
    let mut kind = parts.next()?;
    let mut name = parts.next()?;
    while qualifiers.contains(&kind) && KINDS.contains(&name) {
        (kind, name) = (name, parts.next()?);
    }
    // A macro's method is where its item is.
    let is_method = kind == "fn" && name.starts_with('$');
    (KINDS.contains(&kind) && !is_method).then_some(name)
}

/// The type that an `impl` or a trait is about: the methods below it are its own.
fn subject(head: &str) -> Option<&str> {
    let head = head.split(" where ").next().unwrap_or_default();
    let head = match head.strip_prefix("impl") {
        Some(rest) if rest.starts_with([' ', '<']) => {
            rest.rsplit(" for ").next().unwrap_or_default()
        }
        _ => head.strip_prefix("pub trait ")?,
    };
    let head = head.strip_prefix("<'_>").unwrap_or(head);
    let head = match head.strip_prefix('<') {
        Some(rest) => rest.split_once("> ")?.1,
        None => head,
    };
    let end = |char: char| !(char.is_alphanumeric() || "_$:".contains(char));
    let path = head.trim_start().split(end).next()?.trim_end_matches(':');
    path.rsplit("::").next()
}

/// The text that a line adds to a comment.
fn comment(code: &str) -> Option<&str> {
    let text = code.strip_prefix("///");
    text.or_else(|| code.strip_prefix("#[doc = \"")?.strip_suffix("\"]"))
}

impl Library {
    fn parse(sources: &[Source], read: impl Fn(&Path) -> String) -> Self {
        let mut library = Self::default();
        let mut methods = Vec::new();
        for source in sources {
            let path = source.path.with_extension("");
            let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
            let mut parts: Vec<_> = parts.skip(1).collect();
            parts.retain(|part| part != "lib" && part != "mod");
            let is_test = |part: &String| part == "tests" || part == "testing";
            if parts.iter().any(is_test) {
                continue;
            }
            let module = parts.join("::");
            methods.extend(library.items(source, &module));
            let file = syn::parse_file(&source.text).unwrap();
            let read = |name: &str| read(&source.path.with_file_name(name));
            library.page(&module, &file.attrs, &file.items, &read);
        }
        // A type has methods in other files too.
        for (owner, docs) in methods {
            let own = library.items.iter_mut().filter(|it| it.name == owner);
            own.for_each(|it| it.docs += &docs);
        }
        let mut public = BTreeSet::from([String::new()]);
        // A module is public if it and all around it say so.
        for path in library.pages.keys() {
            let around = path.rsplit_once("::").map_or("", |(around, _)| around);
            let own = path.rsplit("::").next().unwrap_or_default();
            let is_public = |page: &Page| page.names.contains(&format!("mod {own}"));
            if public.contains(around) && library.pages.get(around).is_some_and(is_public) {
                public.insert(path.clone());
            }
        }
        library.pages.retain(|path, _| public.contains(path));
        library
    }

    fn page(
        &mut self,
        path: &str,
        attrs: &[syn::Attribute],
        items: &[syn::Item],
        read: &impl Fn(&str) -> String,
    ) {
        let mut page = self.pages.remove(path).unwrap_or_default();
        page.docs += &docs(attrs, read);
        for item in items {
            match item {
                syn::Item::Mod(it) if matches!(it.vis, syn::Visibility::Public(_)) => {
                    page.names.insert(format!("mod {}", it.ident));
                    let inner = format!("{path}::{}", it.ident);
                    let within = it.content.as_ref().map_or(&[][..], |(_, items)| items);
                    self.page(inner.trim_start_matches(':'), &it.attrs, within, read);
                }
                syn::Item::Use(it) if matches!(it.vis, syn::Visibility::Public(_)) => {
                    names(&it.tree, &mut page.names);
                }
                _ => {}
            }
        }
        self.pages.insert(path.to_owned(), page);
    }

    /// Reads what `cargo fmt` wrote: whatever is indented is below the last line that is less so.
    /// Gives the comments of methods, each with the name of its type.
    fn items(&mut self, source: &Source, module: &str) -> Vec<(String, String)> {
        let first = self.items.len();
        let mut heads: Vec<(usize, &str)> = Vec::new();
        let mut methods: Vec<(String, String)> = Vec::new();
        let mut docs = String::new();
        let mut in_attribute = false;
        for line in source.text.lines() {
            let code = line.trim_start();
            if code == "#[cfg(test)]" && code.len() == line.len() {
                break;
            }
            if let Some(text) = comment(code) {
                docs += text;
                docs.push('\n');
                continue;
            }
            in_attribute |= code.starts_with("#[");
            let attribute = in_attribute;
            in_attribute &= !code.ends_with(']');
            if attribute || code.is_empty() || code.starts_with(['#', '$', '/']) {
                continue;
            }
            let depth = line.len() - code.len();
            heads.retain(|(of, _)| *of < depth);
            let owner = heads.iter().rev().find_map(|(_, head)| subject(head));
            heads.push((depth, code));
            let docs = std::mem::take(&mut docs);
            match (owner, declared(code)) {
                (Some(owner), _) => methods.push((owner.to_owned(), docs)),
                (None, Some(name)) => self.items.push(Item {
                    place: format!("{}: {name}", source.path.display()),
                    name: name.to_owned(),
                    module: module.to_owned(),
                    docs,
                }),
                _ => {}
            }
        }
        // The caller of such a macro declares the item, comment and all.
        let mut own = self.items.split_off(first);
        own.retain(|it| !source.text.contains(&format!("{}:ident {{", it.name)));
        self.items.append(&mut own);
        methods
    }

    /// Every page on which an item is.
    fn pages<'a>(&'a self, item: &'a Item) -> impl Iterator<Item = &'a Page> {
        let is_on = |(path, page): &(&String, &Page)| {
            let inside = item.module.strip_prefix(path.as_str());
            let is_inside = inside.is_some_and(|it| it.is_empty() || it.starts_with("::"));
            page.names.contains(&item.name) || (is_inside && !path.is_empty())
        };
        self.pages.iter().filter(is_on).map(|(_, page)| page)
    }

    /// The words of all code that shows an item; none where none does.
    fn shown(&self, item: &Item) -> BTreeSet<String> {
        let mut shown: BTreeSet<_> = words(&examples(&item.docs)).map(str::to_owned).collect();
        for page in self.pages(item) {
            let example = examples(&page.docs);
            if words(&example).any(|word| word == item.name) {
                shown.extend(words(&example).map(str::to_owned));
            }
        }
        shown
    }

    /// Every public item, and every page, without an example and without a link to one.
    fn lacking(&self, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let mut shown = BTreeMap::<&str, BTreeSet<String>>::new();
        for item in &self.items {
            let words = self.shown(item);
            shown.entry(&item.name).or_default().extend(words);
        }
        let has_example = |name: &str| shown.get(name).is_some_and(|words| !words.is_empty());
        let leads = |path: &str| {
            let path = path.strip_prefix("crate").unwrap_or(path);
            let path = path.trim_start_matches("::");
            if let Some(page) = self.pages.get(path) {
                return !examples(&page.docs).is_empty();
            }
            let (rest, last) = path.rsplit_once("::").unwrap_or(("", path));
            let owner = rest.rsplit("::").next().unwrap_or_default();
            match shown.get(owner) {
                Some(words) => words.contains(last),
                None => has_example(last),
            }
        };
        let is_linked = |docs: &str, name: &str| {
            let (links, files) = links(docs);
            // A name that a macro makes is in no file.
            let names = |text: &str| name.starts_with('$') || words(text).any(|word| word == name);
            let mut texts = files.iter().filter_map(|file| read(file));
            links.iter().any(|it| leads(it)) || texts.any(|text| names(&text))
        };
        let lacks = |it: &&Item| self.shown(it).is_empty() && !is_linked(&it.docs, &it.name);
        let lacking = self.items.iter().filter(lacks);
        let mut lacking: Vec<_> = lacking.map(|it| it.place.clone()).collect();
        let pages = self
            .pages
            .iter()
            .filter(|(_, page)| examples(&page.docs).is_empty());
        let pages = pages.filter(|(_, page)| !is_linked(&page.docs, ""));
        lacking.extend(pages.map(|(path, _)| format!("page of {path}")));
        lacking
    }
}

fn docs(attrs: &[syn::Attribute], read: &impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("doc")) {
        let syn::Meta::NameValue(pair) = &attr.meta else {
            continue;
        };
        match &pair.value {
            syn::Expr::Lit(value) => {
                if let syn::Lit::Str(line) = &value.lit {
                    text += &line.value();
                }
            }
            syn::Expr::Macro(it) if it.mac.path.is_ident("include_str") => {
                let name: syn::LitStr = it.mac.parse_body().unwrap();
                text += &read(&name.value());
            }
            _ => {}
        }
        text.push('\n');
    }
    text
}

fn names(tree: &syn::UseTree, found: &mut BTreeSet<String>) {
    match tree {
        syn::UseTree::Path(path) => names(&path.tree, found),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| names(tree, found)),
        syn::UseTree::Name(name) => drop(found.insert(name.ident.to_string())),
        // Of its own directory: see `pages`.
        syn::UseTree::Rename(_) | syn::UseTree::Glob(_) => {}
    }
}

/// The code of all examples that compile, without comments and hidden lines.
fn examples(docs: &str) -> String {
    let mut code = String::new();
    let mut within = None;
    for line in docs.lines() {
        let line = line.trim_start();
        if let Some(kind) = line.strip_prefix("```") {
            within = match within {
                Some(_) => None,
                None => Some(["", "rust", "no_run"].contains(&kind.trim())),
            };
        } else if within == Some(true) && line != "#" && !line.starts_with("# ") {
            code += line.split("//").next().unwrap_or_default();
            code.push('\n');
        }
    }
    code
}

/// The items that the lines `Example: …` of a comment link to, and the files that they name.
fn links(docs: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut links, mut files) = (Vec::new(), Vec::new());
    for line in docs.lines() {
        let Some((_, line)) = line.split_once("Example: ") else {
            continue;
        };
        for (at, _) in line.match_indices('[') {
            let Some((text, rest)) = line[at + 1..].split_once(']') else {
                continue;
            };
            let target = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
            links.push(target.map_or(text.trim_matches('`'), |(target, _)| target));
        }
        let quoted = line.split('`').skip(1).step_by(2);
        let places = ["examples/", "tests/", "cli/"];
        files.extend(quoted.filter(|it| places.iter().any(|place| it.starts_with(place))));
    }
    (links, files)
}

#[test]
fn every_public_item_has_an_example_or_a_link_to_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| fs::read_to_string(root.join(path)).unwrap();
    let library = Library::parse(&sources(&["src"]), read);
    assert!(library.items.len() > 300, "{} items", library.items.len());
    assert!(library.pages.len() > 20, "{} pages", library.pages.len());
    assert_none(&library.lacking(|file| fs::read_to_string(root.join(file)).ok()));
}
