// SPDX-License-Identifier: Apache-2.0
//! What a public function gives or takes, and a public field holds, has names: no bare tuple.

use syn::visit::Visit;

use crate::{Source, assert_none, sources};

/// Where a tuple is what is meant, and why.
const TUPLES: &[(&str, &str)] = &[
    ("Ledger::open", "the ledger and its authority go two ways"),
    ("Ledger::open_on", "as `open`"),
    ("Root::reopen", "as `open`"),
    (
        "InForce::documents",
        "entries of a map: name, what is in force",
    ),
    ("InForce::capabilities", "entries of a map: name, enabled"),
    ("TileWriter::partial", "entries of a map: tile, its hashes"),
    ("Pair", "an entry of a view: key, value"),
];

/// Tuples in a type, also inside another one. `()` is none.
#[derive(Default)]
struct Found(bool);

impl<'a> Visit<'a> for Found {
    fn visit_type_tuple(&mut self, tuple: &'a syn::TypeTuple) {
        self.0 |= !tuple.elems.is_empty();
    }
}

fn has_tuple(look: impl FnOnce(&mut Found)) -> bool {
    let mut found = Found::default();
    look(&mut found);
    found.0
}

/// Public functions and fields with one, as `Type::function` and `Type.field`.
#[derive(Default)]
struct Bare {
    within: String,
    all: Vec<String>,
}

impl Bare {
    fn take(&mut self, separator: &str, name: &str) {
        self.all.push(format!("{}{separator}{name}", self.within));
    }

    fn look(&mut self, is_public: bool, signature: &syn::Signature) {
        if is_public && has_tuple(|it| it.visit_signature(signature)) {
            self.take("::", &signature.ident.to_string());
        }
    }
}

const fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

impl<'a> Visit<'a> for Bare {
    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let syn::Type::Path(path) = &*item.self_ty else {
            return;
        };
        let name = path.path.segments.last().unwrap().ident.to_string();
        let before = std::mem::replace(&mut self.within, name);
        syn::visit::visit_item_impl(self, item);
        self.within = before;
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.look(is_public(&item.vis), &item.sig);
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.look(is_public(&item.vis), &item.sig);
    }

    fn visit_item_trait(&mut self, item: &'a syn::ItemTrait) {
        self.within = item.ident.to_string();
        for part in &item.items {
            if let syn::TraitItem::Fn(part) = part {
                self.look(is_public(&item.vis), &part.sig);
            }
        }
        self.within = String::new();
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.within = item.ident.to_string();
        for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
            if has_tuple(|it| it.visit_type(&field.ty)) {
                let name = field.ident.as_ref().map(ToString::to_string);
                self.take(".", &name.unwrap_or_default());
            }
        }
        self.within = String::new();
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        self.within = item.ident.to_string();
        let fields = item.variants.iter().flat_map(|it| &it.fields);
        for field in fields.filter(|_| is_public(&item.vis)) {
            if has_tuple(|it| it.visit_type(&field.ty)) {
                let name = field.ident.as_ref().map(ToString::to_string);
                self.take(".", &name.unwrap_or_default());
            }
        }
        self.within = String::new();
    }

    fn visit_item_type(&mut self, item: &'a syn::ItemType) {
        if is_public(&item.vis) && has_tuple(|it| it.visit_type(&item.ty)) {
            self.take("", &item.ident.to_string());
        }
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.ident != "tests" {
            syn::visit::visit_item_mod(self, item);
        }
    }
}

fn bare(sources: &[Source]) -> Vec<String> {
    let mut found = Bare::default();
    for source in sources.iter().filter(|it| it.code().next().is_some()) {
        found.visit_file(&syn::parse_file(&source.text).unwrap());
    }
    found.all
}

#[test]
fn nothing_public_is_a_bare_tuple() {
    let found = bare(&sources(&["src"]));
    let known = |name: &String| TUPLES.iter().any(|(known, _)| known == name);
    let (known, wrong): (Vec<_>, Vec<_>) = found.into_iter().partition(known);
    assert_none(&wrong);
    assert_eq!(known.len(), TUPLES.len(), "{known:?}: the list has more");
    let file = Source {
        path: "src/a.rs".into(),
        text: "pub struct A { pub a: Option<(u8, u8)>, b: (u8, u8) }
            impl A { pub fn f(&self) -> Vec<(u8, u8)> { g() } fn g() -> (u8, u8) { h() } }
            pub trait T { fn t(&self, of: (u8, u8)); }
            pub fn nothing() -> Result<(), u8> { Ok(()) }
            pub type Pair = (u8, u8);"
            .into(),
    };
    assert_eq!(bare(&[file]), ["A.a", "A::f", "T::t", "Pair"]);
}
