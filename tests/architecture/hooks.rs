// SPDX-License-Identifier: Apache-2.0
//! No type of the library has a part for its tests alone: faults come in through seams that an embedder has too.

use syn::visit::Visit;

use crate::{Source, assert_none, sources};

/// What a comment says of a part that is for tests alone.
const TELLING: &[&str] = &["for tests", "for a test", "tests only", "test only", "hook"];

/// What is hidden from the documentation, or differs where tests are built. A module, a function or an `impl` of the
/// tests may be there: it is in no build but theirs, and changes nothing that is.
#[derive(Default)]
struct Hooks(Vec<String>);

/// `cfg(test)`, also among other conditions.
fn is_test(attr: &syn::Attribute) -> bool {
    let Ok(list) = attr.meta.require_list() else {
        return false;
    };
    let list = list.tokens.to_string();
    let mut words = list.split(|char: char| !char.is_alphanumeric());
    attr.path().is_ident("cfg") && words.any(|word| word == "test")
}

impl Hooks {
    fn look(&mut self, attrs: &[syn::Attribute], what: &str) {
        if attrs.iter().any(is_test) {
            self.0.push(format!("{what} under cfg(test)"));
        }
    }
}

impl<'a> Visit<'a> for Hooks {
    fn visit_attribute(&mut self, attr: &'a syn::Attribute) {
        if !attr.path().is_ident("doc") {
            return;
        }
        match &attr.meta {
            syn::Meta::List(list) if list.tokens.to_string() == "hidden" => {
                self.0.push("doc(hidden)".to_owned());
            }
            syn::Meta::NameValue(comment) => {
                let syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(comment),
                    ..
                }) = &comment.value
                else {
                    return;
                };
                let comment = comment.value().trim().to_lowercase();
                if TELLING.iter().any(|words| comment.contains(words)) {
                    self.0.push(comment);
                }
            }
            _ => {}
        }
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !item.attrs.iter().any(is_test) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_field(&mut self, field: &'a syn::Field) {
        self.look(&field.attrs, "a field");
        syn::visit::visit_field(self, field);
    }

    fn visit_variant(&mut self, variant: &'a syn::Variant) {
        self.look(&variant.attrs, "a variant");
        syn::visit::visit_variant(self, variant);
    }

    fn visit_field_value(&mut self, value: &'a syn::FieldValue) {
        self.look(&value.attrs, "a value");
        syn::visit::visit_field_value(self, value);
    }

    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        self.look(&arm.attrs, "an arm");
        syn::visit::visit_arm(self, arm);
    }

    fn visit_local(&mut self, local: &'a syn::Local) {
        self.look(&local.attrs, "a statement");
        syn::visit::visit_local(self, local);
    }

    fn visit_expr(&mut self, expression: &'a syn::Expr) {
        let attrs = match expression {
            syn::Expr::Block(it) => &it.attrs,
            syn::Expr::Call(it) => &it.attrs,
            syn::Expr::If(it) => &it.attrs,
            syn::Expr::MethodCall(it) => &it.attrs,
            _ => &Vec::new(),
        };
        self.look(attrs, "a statement");
        syn::visit::visit_expr(self, expression);
    }

    /// Asked while it runs: the same, and not seen by attributes.
    fn visit_macro(&mut self, invoked: &'a syn::Macro) {
        if invoked.path.is_ident("cfg") && invoked.tokens.to_string() == "test" {
            self.0.push("cfg!(test)".to_owned());
        }
        let tokens = invoked.tokens.to_string();
        if tokens.contains("doc (hidden)") || tokens.contains("doc(hidden)") {
            self.0.push("doc(hidden)".to_owned());
        }
    }
}

fn wrong(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|it| it.code().next().is_some()) {
        let path = source.path.display();
        let mut hooks = Hooks::default();
        hooks.visit_file(&syn::parse_file(&source.text).unwrap());
        wrong.extend(hooks.0.iter().map(|hook| format!("{path}: {hook}")));
    }
    wrong
}

#[test]
fn no_type_has_a_part_for_tests_alone() {
    assert_none(&wrong(&sources(&["src", "cli/src"])));
    let source = |path: &str, text: &str| Source {
        path: path.into(),
        text: text.to_owned(),
    };
    let hooks = [
        source(
            "src/a.rs",
            "pub struct A {\n #[doc(hidden)]\n pub a: u8 }\n",
        ),
        source(
            "src/b.rs",
            "/// Fails the next one: for tests.\npub fn b() {}\n",
        ),
        source("src/c.rs", "struct C {\n #[cfg(test)] c: u8 }\n"),
        source(
            "src/d.rs",
            "fn d() { if cfg!(test) { e() }; #[cfg(any(test, f))] g(); }\n",
        ),
        source(
            "src/e.rs",
            "struct E;\n#[cfg(test)]\nmod tests { fn f() {} }\n",
        ),
        source(
            "src/f.rs",
            "mod a;\n#[cfg(test)]\nmod tests;\n/// A hook.\nstruct F;\n",
        ),
    ];
    let expected = [
        "src/a.rs: doc(hidden)",
        "src/b.rs: fails the next one: for tests.",
        "src/c.rs: a field under cfg(test)",
        "src/d.rs: cfg!(test)",
        "src/d.rs: a statement under cfg(test)",
        "src/f.rs: a hook.",
    ];
    assert_eq!(wrong(&hooks), expected);
}
