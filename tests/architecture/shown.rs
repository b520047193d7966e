// SPDX-License-Identifier: Apache-2.0
//! `Debug` of a public type shows no digest and no salt as a list of numbers.

use syn::visit::Visit;

use crate::{Source, assert_none, sources};

/// Whether a type holds a digest or another array of bytes.
#[derive(Default)]
struct Holds(bool);

impl<'a> Visit<'a> for Holds {
    fn visit_type_array(&mut self, _: &'a syn::TypeArray) {
        self.0 = true;
    }

    fn visit_path_segment(&mut self, segment: &'a syn::PathSegment) {
        self.0 |= segment.ident == "Hash" || segment.ident == "Checksum";
        syn::visit::visit_path_segment(self, segment);
    }
}

fn derives_debug(attrs: &[syn::Attribute]) -> bool {
    let derives = attrs.iter().filter(|attr| attr.path().is_ident("derive"));
    let mut lists = derives.map(|attr| attr.meta.require_list().unwrap().tokens.to_string());
    lists.any(|list| list.split(',').any(|it| it.trim() == "Debug"))
}

#[derive(Default)]
struct Derived(Vec<String>);

impl Derived {
    fn look<'a>(&mut self, name: &syn::Ident, fields: impl Iterator<Item = &'a syn::Field>) {
        for field in fields {
            let mut holds = Holds::default();
            holds.visit_type(&field.ty);
            if holds.0 {
                let field = field.ident.as_ref().map(ToString::to_string);
                self.0.push(format!("{name}.{}", field.unwrap_or_default()));
            }
        }
    }
}

impl<'a> Visit<'a> for Derived {
    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        if matches!(item.vis, syn::Visibility::Public(_)) && derives_debug(&item.attrs) {
            self.look(&item.ident, item.fields.iter());
        }
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        if matches!(item.vis, syn::Visibility::Public(_)) && derives_debug(&item.attrs) {
            let fields = item.variants.iter().flat_map(|variant| &variant.fields);
            self.look(&item.ident, fields);
        }
    }
}

fn wrong(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let mut found = Derived::default();
        found.visit_file(&syn::parse_file(&source.text).unwrap());
        let found = found.0.into_iter();
        wrong.extend(found.map(|it| format!("{}: {it}", source.path.display())));
    }
    wrong
}

#[test]
fn debug_of_a_digest_is_hexadecimal_digits() {
    assert_none(&wrong(&sources(&["src"])));
    let file = Source {
        path: "src/a.rs".into(),
        text: "#[derive(Clone, Debug)] pub struct A { a: u8, h: Option<Hash> }
            #[derive(Debug)] pub enum B { X([u8; 16]), Y }
            #[derive(Debug)] struct Inside(Hash);
            #[derive(Clone)] pub struct ByHand(Hash);
            #[derive(Debug)] pub struct Tree(TreeHash);"
            .into(),
    };
    assert_eq!(wrong(&[file]), ["src/a.rs: A.h", "src/a.rs: B."]);
}
