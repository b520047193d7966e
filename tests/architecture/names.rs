// SPDX-License-Identifier: Apache-2.0
//! One name has one meaning.

use std::collections::BTreeMap;

use crate::{Source, assert_none, sources};

/// Every name that two files of the library give to types of their own.
fn twice(sources: &[Source]) -> Vec<String> {
    let mut homes = BTreeMap::<String, Vec<String>>::new();
    // What has no code in the library is a test.
    let of_the_library = sources.iter().filter(|it| it.code().next().is_some());
    for source in of_the_library {
        for item in syn::parse_file(&source.text).unwrap().items {
            let name = match item {
                syn::Item::Enum(item) => item.ident,
                syn::Item::Struct(item) => item.ident,
                syn::Item::Trait(item) => item.ident,
                syn::Item::Type(item) => item.ident,
                _ => continue,
            };
            let home = source.path.display().to_string();
            homes.entry(name.to_string()).or_default().push(home);
        }
    }
    homes.retain(|_, files| files.len() > 1);
    let told = homes.into_iter();
    told.map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect()
}

#[test]
fn no_two_types_have_one_name() {
    assert_none(&twice(&sources(&["src"])));
    let source = |path: &str, text: &str| Source {
        path: path.into(),
        text: text.to_owned(),
    };
    let files = [
        source("src/a.rs", "struct Place;\nenum A {}\n"),
        source("src/b.rs", "pub(crate) trait Place {}\n"),
        source("src/b/tests.rs", "enum A {}\n"),
        source(
            "src/c.rs",
            "fn f() { struct Place; }\n#[cfg(test)]\nmod tests { enum A {} }\n",
        ),
    ];
    assert_eq!(twice(&files), ["Place: src/a.rs, src/b.rs"]);
}
