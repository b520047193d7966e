// SPDX-License-Identifier: Apache-2.0
//! Every lock has a sentence: who takes it, for how long, and what is called or waited for under it.

use syn::visit::Visit;

use crate::{Source, assert_none, sources};

/// The word that begins the sentence in a lock's comment.
const SENTENCE: &str = "Lock: ";

/// Whether a type has a lock in it.
#[derive(Default)]
struct Locks(bool);

impl<'a> Visit<'a> for Locks {
    fn visit_path_segment(&mut self, segment: &'a syn::PathSegment) {
        self.0 |= segment.ident == "Mutex" || segment.ident == "RwLock";
        syn::visit::visit_path_segment(self, segment);
    }
}

fn is_lock(ty: &syn::Type) -> bool {
    let mut locks = Locks::default();
    locks.visit_type(ty);
    locks.0
}

fn has_sentence(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let Ok(comment) = attr.meta.require_name_value() else {
            return false;
        };
        match &comment.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(line),
                ..
            }) => line.value().trim().starts_with(SENTENCE),
            _ => false,
        }
    })
}

/// Locks without a sentence, by the name of their type and field.
#[derive(Default)]
struct Silent(Vec<String>);

impl Silent {
    fn fields(&mut self, name: &syn::Ident, attrs: &[syn::Attribute], fields: &syn::Fields) {
        // A type that is a lock and nothing else has its sentence in its own comment.
        let own = matches!(fields, syn::Fields::Unnamed(_)) && has_sentence(attrs);
        for field in fields.iter().filter(|field| is_lock(&field.ty)) {
            if !own && !has_sentence(&field.attrs) {
                let field = field.ident.as_ref().map(ToString::to_string);
                self.0.push(format!("{name}.{}", field.unwrap_or_default()));
            }
        }
    }
}

impl<'a> Visit<'a> for Silent {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.ident != "tests" {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.fields(&item.ident, &item.attrs, &item.fields);
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        for variant in &item.variants {
            self.fields(&variant.ident, &variant.attrs, &variant.fields);
        }
    }

    fn visit_item_type(&mut self, item: &'a syn::ItemType) {
        if is_lock(&item.ty) && !has_sentence(&item.attrs) {
            self.0.push(item.ident.to_string());
        }
    }

    fn visit_item_static(&mut self, item: &'a syn::ItemStatic) {
        if is_lock(&item.ty) && !has_sentence(&item.attrs) {
            self.0.push(item.ident.to_string());
        }
    }
}

fn silent(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    let library = |source: &&Source| !source.path.iter().any(|part| part == "tests");
    for source in sources.iter().filter(library) {
        let mut found = Silent::default();
        found.visit_file(&syn::parse_file(&source.text).unwrap());
        let found = found.0.into_iter();
        wrong.extend(found.map(|it| format!("{}: {it}", source.path.display())));
    }
    wrong
}

#[test]
fn every_lock_says_who_takes_it_and_for_how_long() {
    assert_none(&silent(&sources(&["src", "cli/src"])));
    let file = Source {
        path: "src/a.rs".into(),
        text: "struct A { plain: u8, told: u8, #[doc = \"A list.\"] list: Arc<Mutex<Vec<u8>>> }
            struct B { #[doc = \" A list.\"] #[doc = \" Lock: one thread, for ever.\"] list: Mutex<u8> }
            struct C(RwLock<u8>);
            #[doc = \" Lock: nobody.\"] struct D(RwLock<u8>);
            type E = tokio::sync::Mutex<u8>;
            mod tests { struct F(Mutex<u8>); }"
            .into(),
    };
    assert_eq!(
        silent(&[file]),
        ["src/a.rs: A.list", "src/a.rs: C.", "src/a.rs: E"]
    );
}
