// SPDX-License-Identifier: Apache-2.0
//! Files know each other in one direction: no circle in `src`, file by file.
//!
//! An edge is a path in a `use` or in code, resolved to the file that defines the item. A `mod` line and a re-export
//! are none: they say where a thing is, and not that its file is needed.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use crate::{Source, assert_none, sources};

/// Rooms whose files still know each other in circles.
const EXEMPT: &[&str] = &[];

/// A module of the crate: `["journal", "frame"]` is `src/journal/frame.rs`.
pub(crate) type Module = Vec<String>;

/// A `use` of one name: `pub use a::b as c` has the path `a::b` and the name `c`.
#[derive(Debug)]
struct Use {
    is_public: bool,
    path: Vec<String>,
    name: String,
}

/// One file: what it defines, what it takes by name, and every path in its code.
#[derive(Debug, Default)]
pub(crate) struct File {
    defines: BTreeSet<String>,
    /// Words in the bodies of its macros: among them the names that those make.
    made: BTreeSet<String>,
    uses: Vec<Use>,
    paths: BTreeSet<Vec<String>>,
}

impl File {
    fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let parsed = syn::parse_file(text).unwrap();
        file.define(&parsed.items);
        file.visit_file(&parsed);
        file
    }

    fn define(&mut self, items: &[syn::Item]) {
        for item in items {
            let name = match item {
                syn::Item::Const(item) => &item.ident,
                syn::Item::Enum(item) => &item.ident,
                syn::Item::Fn(item) => &item.sig.ident,
                syn::Item::Static(item) => &item.ident,
                syn::Item::Struct(item) => &item.ident,
                syn::Item::Trait(item) => &item.ident,
                syn::Item::Type(item) => &item.ident,
                syn::Item::Macro(item) if item.ident.is_some() => item.ident.as_ref().unwrap(),
                syn::Item::Macro(item) => {
                    let words = item.mac.tokens.to_string();
                    let words = words.split(|char: char| !char.is_alphanumeric());
                    self.made.extend(words.map(ToOwned::to_owned));
                    continue;
                }
                _ => continue,
            };
            self.defines.insert(name.to_string());
        }
    }

    fn take(&mut self, is_public: bool, tree: &syn::UseTree, mut path: Vec<String>) {
        match tree {
            syn::UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                self.take(is_public, &tree.tree, path);
            }
            syn::UseTree::Group(tree) => {
                for tree in &tree.items {
                    self.take(is_public, tree, path.clone());
                }
            }
            syn::UseTree::Name(tree) => self.take_name(is_public, path, &tree.ident, None),
            syn::UseTree::Rename(tree) => {
                self.take_name(is_public, path, &tree.ident, Some(&tree.rename));
            }
            syn::UseTree::Glob(_) => {
                let name = "*".to_owned();
                self.uses.push(Use {
                    is_public,
                    path,
                    name,
                });
            }
        }
    }

    fn take_name(
        &mut self,
        is_public: bool,
        mut path: Vec<String>,
        ident: &syn::Ident,
        rename: Option<&syn::Ident>,
    ) {
        // `use a::b::{self}` takes the module itself.
        if ident != "self" {
            path.push(ident.to_string());
        }
        let name = rename.map(ToString::to_string);
        let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
        self.uses.push(Use {
            is_public,
            path,
            name,
        });
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for File {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_public = !matches!(item.vis, syn::Visibility::Inherited);
        self.take(is_public, &item.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts = path.segments.iter().map(|part| part.ident.to_string());
        self.paths.insert(parts.collect());
        visit::visit_path(self, path);
    }

    /// The body of a macro is tokens: words joined by `::` are its paths.
    fn visit_macro(&mut self, invoked: &'ast syn::Macro) {
        self.visit_path(&invoked.path);
        let text = crate::uncommented(&invoked.tokens).replace(" :: ", "::");
        let is_path = |char: char| char.is_alphanumeric() || char == '_' || char == ':';
        for path in text.split(|char| !is_path(char)) {
            let parts: Vec<_> = path.split("::").map(ToOwned::to_owned).collect();
            if parts.iter().all(|part| !part.is_empty()) {
                self.paths.insert(parts);
            }
        }
    }
}

/// All files of the library by their modules.
pub(crate) struct Crate(pub(crate) BTreeMap<Module, File>);

impl Crate {
    pub(crate) fn parse(sources: &[Source]) -> Self {
        let is_library = |source: &&Source| {
            let name = source.path.to_string_lossy();
            source.code().next().is_some() && !name.ends_with("main.rs")
        };
        let files = sources.iter().filter(is_library).map(|source| {
            let path = source.path.with_extension("");
            let mut module: Module = path
                .iter()
                .skip(1)
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            module.pop_if(|last| last == "mod" || last == "lib");
            (module, File::parse(&source.text))
        });
        Self(files.collect())
    }

    /// A path of `module`'s code, counted from the crate's root. `None` if it leads out of the crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (mut module, mut path) = (module.to_vec(), path);
        match path.first()?.as_str() {
            "crate" => return Some(path[1..].to_vec()),
            "self" => path = &path[1..],
            "super" => {}
            first => {
                let child = [&module[..], &[first.to_owned()]].concat();
                self.0.get(&child)?;
            }
        }
        while path.first().is_some_and(|part| part == "super") {
            module.pop();
            path = &path[1..];
        }
        Some([&module[..], path].concat())
    }

    /// The file that defines what an absolute path names, through re-exports.
    fn defining(&self, path: &[String], depth: usize) -> BTreeSet<Module> {
        let known = (0..=path.len())
            .rev()
            .find(|length| self.0.contains_key(&path[..*length]));
        let (module, rest) = path.split_at(known.unwrap_or_default());
        let (Some(file), Some(name), 1..) = (self.0.get(module), rest.first(), depth) else {
            return [module.to_vec()].into();
        };
        if file.defines.contains(name) {
            return [module.to_vec()].into();
        }
        let mut found = BTreeSet::new();
        for taken in &file.uses {
            let Some(target) = self.absolute(module, &taken.path) else {
                continue;
            };
            if taken.name == *name {
                found.extend(self.defining(&[&target, &rest[1..]].concat(), depth - 1));
            } else if taken.name == "*" {
                let inside = self.defining(&[&target, rest].concat(), depth - 1);
                let defines = |module: &Module| {
                    let file = &self.0[module];
                    file.defines.contains(name) || file.made.contains(name)
                };
                found.extend(inside.into_iter().filter(defines));
            }
        }
        if found.is_empty() {
            // A macro made it, or it is a method: the module has it.
            found.insert(module.to_vec());
        }
        found
    }

    /// What `module`'s file needs, and by which name.
    pub(crate) fn needs(&self, module: &[String]) -> BTreeMap<Module, BTreeSet<String>> {
        let file = &self.0[module];
        let mut needs = BTreeMap::<Module, BTreeSet<String>>::new();
        let mut need = |path: &[String], name: &str| {
            for target in self.defining(path, 8) {
                if target != module {
                    needs.entry(target).or_default().insert(name.to_owned());
                }
            }
        };
        for taken in &file.uses {
            let Some(target) = self.absolute(module, &taken.path) else {
                continue;
            };
            // A module taken by name is needed for what the code takes from it.
            if !taken.is_public && taken.name != "*" && !self.0.contains_key(&target) {
                need(&target, &taken.name);
            }
        }
        for path in &file.paths {
            let first = &path[0];
            let by_name = file.uses.iter().find(|taken| taken.name == *first);
            if let Some(taken) = by_name {
                if let Some(target) = self.absolute(module, &taken.path)
                    && path.len() > 1
                {
                    need(&[&target, &path[1..]].concat(), &path.join("::"));
                }
                continue;
            }
            if path.len() > 1
                && let Some(target) = self.absolute(module, path)
            {
                need(&target, &path.join("::"));
                continue;
            }
            for taken in file.uses.iter().filter(|taken| taken.name == "*") {
                let Some(target) = self.absolute(module, &taken.path) else {
                    continue;
                };
                let glob = self.0.get(&target);
                let has = |file: &File| {
                    file.defines.contains(first)
                        || file.uses.iter().any(|taken| taken.name == *first)
                };
                if glob.is_some_and(has) {
                    need(&[&target[..], &path[..]].concat(), first);
                }
            }
        }
        needs
    }

    /// Names that `module`'s code takes from the crate's root and that are no modules.
    pub(crate) fn root_names(&self, module: &[String]) -> BTreeSet<String> {
        let file = &self.0[module];
        let taken = file.uses.iter().map(|taken| &taken.path);
        let names = taken.chain(&file.paths).filter_map(|path| {
            let path = self.absolute(module, path)?;
            path.first().cloned()
        });
        names
            .filter(|name| !self.0.contains_key(std::slice::from_ref(name)))
            .collect()
    }

    /// Every edge that lies on a circle, as `a → b (names)`.
    fn circles(&self) -> Vec<String> {
        let is_held = |module: &Module| {
            !EXEMPT
                .iter()
                .any(|room| module.first().is_some_and(|first| first == room))
        };
        let needs: BTreeMap<_, _> = self
            .0
            .keys()
            .map(|module| (module, self.needs(module)))
            .collect();
        let reaches = |from: &Module, to: &Module| {
            let (mut waiting, mut seen) = (vec![from], BTreeSet::new());
            while let Some(module) = waiting.pop() {
                if module == to {
                    return true;
                }
                if seen.insert(module) {
                    waiting.extend(needs.get(module).into_iter().flat_map(BTreeMap::keys));
                }
            }
            false
        };
        let mut found = Vec::new();
        for (from, targets) in needs.iter().filter(|(from, _)| is_held(from)) {
            for (to, names) in targets.iter().filter(|(to, _)| is_held(to)) {
                if reaches(to, from) {
                    let names: Vec<_> = names.iter().map(String::as_str).collect();
                    found.push(format!(
                        "{} → {} ({})",
                        from.join("/"),
                        to.join("/"),
                        names.join(", ")
                    ));
                }
            }
        }
        found
    }
}

#[test]
fn files_know_each_other_in_one_direction() {
    assert_none(&Crate::parse(&sources(&["src"])).circles());
}

#[test]
fn a_circle_of_files_is_found() {
    let source = |path: &str, text: &str| Source {
        path: path.into(),
        text: text.to_owned(),
    };
    let root = source("src/lib.rs", "mod a; mod b;\n");
    let a = "mod one; mod two; pub(crate) use one::One; pub(crate) struct Own;\n";
    let circles = |one: &str, two: &str| {
        let files = [
            source("src/lib.rs", &root.text),
            source("src/a/mod.rs", a),
            source("src/a/one.rs", one),
            source("src/a/two.rs", two),
        ];
        Crate::parse(&files).circles().len()
    };
    let one = "use super::two::Two; pub(crate) struct One(Two);\n";
    assert_eq!(circles(one, "pub(crate) struct Two;\n"), 0);
    // By its own name, through a re-export, by a module's name, in a macro, by a glob.
    for two in [
        "use super::one::One; pub(crate) struct Two;\n",
        "use crate::a::One; pub(crate) struct Two;\n",
        "use super::one; pub(crate) struct Two; fn f() { one::g(); }\n",
        "pub(crate) struct Two; fn f() { assert!(crate::a::One::g()); }\n",
        "use super::*; pub(crate) struct Two; fn f() -> One { g() }\n",
    ] {
        assert_eq!(circles(one, two), 2, "{two}");
    }
    // What a parent defines is the parent's; where it only passes on, it is no part of the circle.
    let up = "use super::Own; pub(crate) struct Two;\n";
    assert_eq!(circles(one, up), 0);
    let test = "pub(crate) struct Two; #[cfg(test)] mod tests { use crate::a::One; }\n";
    assert_eq!(circles(one, test), 0);
}
