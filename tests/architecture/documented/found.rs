// SPDX-License-Identifier: Apache-2.0
//! The rule can fail, and knows what is an example.

use crate::Source;

use super::Library;

/// A library of one room, whose page has this comment, and one file.
fn lacking(page: &str, file: &str) -> Vec<String> {
    let root = "//! ```\n//! first::<Page>()\n//! ```\npub mod room;\npub use room::Page;\n";
    let room = format!("{page}\nmod file;\npub use file::{{Named, Other}};\n");
    let files = [
        ("src/lib.rs", root),
        ("src/room/mod.rs", &room),
        ("src/room/file.rs", file),
    ];
    let files = files.map(|(path, text)| Source {
        path: path.into(),
        text: text.to_owned(),
    });
    let library = Library::parse(&files, |_| String::new());
    let read = |file: &str| (file == "tests/there.rs").then(|| "use room::Other;".to_owned());
    library.lacking(read)
}

#[test]
fn an_item_without_an_example_is_found() {
    let page = "//! # Example\n//! ```\n//! let a = Named::made();\n//! # Other::hidden(); // Other\n//! ```";
    let two = |comment: &str| format!("pub struct Named;\n\n{comment}\npub struct Other;\n");
    let found = |comment: &str| lacking(page, &two(comment)).len();

    assert_eq!(
        lacking(page, &two("/// Other.")),
        ["src/room/file.rs: Other"]
    );
    assert_eq!(found("/// ```\n/// Other\n/// ```"), 0);
    assert_eq!(found("/// ```text\n/// Other\n/// ```"), 1);
    assert_eq!(found("/// ```compile_fail\n/// Other\n/// ```"), 1);
    // A link in passing leads to no example of this.
    assert_eq!(found("/// As [`Named`]."), 1);
    assert_eq!(found("/// Example: [`Named`]."), 0);
    assert_eq!(found("/// Example: [`made`](crate::room::Named::made)."), 0);
    assert_eq!(found("/// Example: [`gone`](crate::room::Named::gone)."), 1);
    assert_eq!(found("/// Example: [`Other`]."), 1);
    assert_eq!(found("/// Example: [the room](crate::room)."), 0);
    assert_eq!(found("/// Example: [the first page](crate)."), 0);
    assert_eq!(found("/// Example: `tests/there.rs`."), 0);
    assert_eq!(found("/// Example: `tests/gone.rs`."), 1);
    assert_eq!(found("#[error(\n    \"a\"\n)]\n/// Example: [`Named`]."), 0);

    // A method's example is its type's, in whichever file; one of another type is not.
    let made = "\nimpl Other {\n    /// ```\n    /// x\n    /// ```\n    pub fn made() {}\n}\n";
    assert_eq!(lacking(page, &(two("") + made)).len(), 0);
    assert_eq!(
        lacking(page, &(two("") + &made.replace("Other", "Named"))).len(),
        1
    );
    // Whatever is not public needs none, and whatever a macro declares as public does.
    assert_eq!(
        lacking(
            page,
            "pub struct Named;\npub(crate) struct Inner;\nfn a() {}\n"
        )
        .len(),
        0
    );
    assert_eq!(
        lacking(
            page,
            "words! {\n    /// A.\n    pub enum Other {\n    }\n}\n"
        )
        .len(),
        1
    );
    // Without the example on the page.
    let bare = "//! A room.";
    assert_eq!(lacking(bare, &two("/// Example: [`Named`].")).len(), 3);
}
