// SPDX-License-Identifier: Apache-2.0
//! How comments, documents and error texts are worded: the worst patterns stay out.
//!
//! * No sentence has a free relative as its subject ("What a search finds is not believed"). The rule knows verbs by
//!   a short list, so it misses some; a noun phrase ("What a ledger holds, counted.") is none.
//! * No private word for which the table in `CONTRIBUTING.md` has a standard one.
//! * An error text is a noun and a standard adjective, and not "there is …" or "… is false".

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::{assert_none, sources};

/// Where none of the rules holds yet.
const EXEMPT: &[&str] = &["src/integrity/evidence/"];

const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/DECISIONS.md",
    "docs/FORMAT.md",
    "docs/GUARANTEES.md",
    "docs/OPERATING.md",
    "docs/RELIABILITY.md",
    "docs/SECURITY.md",
];

/// Finite verbs that tell a sentence from a noun phrase.
const VERBS: &[&str] = &[
    "is", "are", "was", "were", "has", "have", "had", "can", "may", "must", "will", "does", "do",
    "did", "goes", "comes", "holds", "needs", "makes", "costs",
];
/// Verbs that follow a plural noun as well as a verb in the singular are not among these.
const SINGULAR: &[&str] = &["is", "was", "has", "goes", "comes"];
/// Words behind which another clause begins.
const CLAUSES: &[&str] = &[
    "when", "where", "if", "that", "which", "who", "because", "before", "after", "until", "while",
    "once", "whether", "as", "and", "or", "than", "but", "since", "unless", "how", "what",
];

/// A piece of running text and the number of its first line.
type Paragraph = (usize, String);

#[derive(Default)]
struct Paragraphs {
    done: Vec<Paragraph>,
    line: usize,
    text: String,
    is_code: bool,
}

impl Paragraphs {
    fn end(&mut self) {
        if !self.text.is_empty() {
            self.done.push((self.line, std::mem::take(&mut self.text)));
        }
    }

    /// One line without its comment mark; `None` where it is no text.
    fn take(&mut self, line: usize, text: Option<&str>) {
        let Some(text) = text.map(str::trim) else {
            return self.end();
        };
        if text.starts_with("```") {
            self.is_code = !self.is_code;
            return self.end();
        }
        if self.is_code || text.is_empty() {
            return self.end();
        }
        let item = text.split_once(' ').filter(|(mark, _)| {
            let number = mark.trim_end_matches('.');
            let is_number = mark.ends_with('.') && number.bytes().all(|it| it.is_ascii_digit());
            matches!(*mark, "*" | "-") || mark.starts_with('#') || (is_number && !number.is_empty())
        });
        if item.is_some() {
            self.end();
        }
        if self.text.is_empty() {
            self.line = line;
        } else {
            self.text.push(' ');
        }
        self.text.push_str(item.map_or(text, |(_, rest)| rest));
        if item.is_some_and(|(mark, _)| mark.starts_with('#')) {
            self.end();
        }
    }
}

fn of_document(text: &str) -> Vec<Paragraph> {
    let mut paragraphs = Paragraphs::default();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('|') {
            paragraphs.end();
            let cells = line.split(" | ").map(|it| it.trim_matches(['|', ' ']));
            let cells = cells.map(|it| (index + 1, it.to_owned()));
            paragraphs.done.extend(cells);
        } else {
            paragraphs.take(index + 1, Some(line));
        }
    }
    paragraphs.end();
    paragraphs.done
}

fn of_comments(text: &str) -> Vec<Paragraph> {
    let mut paragraphs = Paragraphs::default();
    for (index, line) in text.lines().enumerate() {
        let comment = line.trim_start().strip_prefix("//");
        let comment = comment.map(|it| it.strip_prefix(['/', '!']).unwrap_or(it));
        paragraphs.take(index + 1, comment);
    }
    paragraphs.end();
    paragraphs.done
}

fn sentences(text: &str) -> Vec<&str> {
    let (mut found, mut start) = (Vec::new(), 0);
    let begins = |rest: &str| rest.starts_with(|it: char| it.is_uppercase() || "`*".contains(it));
    for (at, _) in text.match_indices(' ') {
        let (before, rest) = (&text[..at], &text[at + 1..]);
        let ends = before
            .trim_end_matches('*')
            .ends_with(['.', '!', '?', ':', ';']);
        if ends && begins(rest) {
            found.push(&text[start..at]);
            start = at + 1;
        }
    }
    found.push(&text[start..]);
    found
}

fn is_free_relative(sentence: &str) -> bool {
    let sentence = sentence.trim_matches('*');
    let words: Vec<_> = sentence.split_whitespace().collect();
    match words.first() {
        Some(&("Whoever" | "Whatever")) => return !sentence.ends_with('?'),
        Some(&("What" | "Who")) if !sentence.ends_with('?') => {}
        _ => return false,
    }
    let (mut verbs, mut was_verb) = (0, false);
    for pair in words.windows(2) {
        let (before, word) = (
            pair[0],
            pair[1].trim_matches(['*', '_', '(', ')', ',', ':', ';', '.']),
        );
        if CLAUSES.contains(&word) {
            break;
        }
        let is_verb = VERBS.contains(&word);
        if is_verb && !was_verb {
            verbs += 1;
            let is_word = before.bytes().all(|it| it.is_ascii_lowercase());
            let is_third =
                before.ends_with('s') && !["ss", "us", "is"].iter().any(|it| before.ends_with(it));
            let is_past = before.ends_with("ed");
            let follows = (is_third && SINGULAR.contains(&word)) || is_past;
            if is_word && follows && !pair[1].ends_with([',', '.', ':', ';']) {
                return true;
            }
        }
        if verbs > 1 {
            return true;
        }
        was_verb = is_verb || (was_verb && ["not", "never", "be"].contains(&word));
        if pair[1].ends_with([',', ':', ';', '.', '—']) {
            break;
        }
    }
    false
}

/// The last column of the table of words: what is not said, each in italics.
fn private_words(contributing: &str) -> BTreeSet<String> {
    let table = contributing
        .lines()
        .skip_while(|line| *line != "| say | for | not |");
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let not = rows.filter_map(|row| row.trim_matches(['|', ' ']).rsplit(" | ").next());
    let words = not.flat_map(|cell| cell.split('*').skip(1).step_by(2));
    words.map(str::to_lowercase).collect()
}

fn holds(text: &str, words: &str) -> bool {
    let text = text.to_lowercase();
    let is_letter = |it: char| it.is_alphanumeric() || it == '_' || it == '-';
    text.match_indices(words).any(|(at, _)| {
        let after = &text[at + words.len()..];
        !text[..at].ends_with(is_letter) && !after.starts_with(is_letter)
    })
}

/// All running text, as `file`, line and text.
fn everything() -> Vec<(String, usize, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let found = of_document(&text).into_iter();
        all.extend(found.map(|(line, text)| ((*document).to_owned(), line, text)));
    }
    for source in sources(&["src", "cli/src"]) {
        let file = source.path.display().to_string();
        let found = of_comments(&source.text).into_iter();
        all.extend(found.map(|(line, text)| (file.clone(), line, text)));
    }
    all
}

#[test]
fn no_sentence_has_a_free_relative_as_its_subject() {
    let all = everything();
    assert!(all.len() > 5_000, "{} paragraphs", all.len());
    let (mut wrong, mut needed) = (Vec::new(), BTreeSet::new());
    for (file, line, text) in &all {
        for sentence in sentences(text)
            .into_iter()
            .filter(|it| is_free_relative(it))
        {
            match EXEMPT.iter().find(|it| file.starts_with(**it)) {
                Some(exempt) => drop(needed.insert(*exempt)),
                None => wrong.push(format!("{file}:{line}: {sentence}")),
            }
        }
    }
    assert_none(&wrong);
    let idle = EXEMPT.iter().filter(|it| !needed.contains(**it));
    let idle: Vec<_> = idle
        .map(|it| format!("{it} needs no exemption any more"))
        .collect();
    assert_none(&idle);
}

#[test]
fn no_private_word_stands_for_a_standard_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let private = private_words(&fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap());
    assert!(private.len() > 8, "{private:?}");
    let mut wrong = Vec::new();
    for (file, line, text) in everything() {
        let found = private.iter().filter(|it| holds(&text, it));
        // The table itself, and what is exempt yet.
        if file != "CONTRIBUTING.md" && !EXEMPT.iter().any(|it| file.starts_with(it)) {
            wrong.extend(found.map(|it| format!("{file}:{line}: {it}")));
        }
    }
    assert_none(&wrong);
}

/// Texts in quotes, of code that is compiled into the library or the program.
fn error_texts() -> Vec<String> {
    let mut texts = Vec::new();
    for source in sources(&["src", "cli/src"]) {
        for (line, _) in source.code() {
            let whole = source.text.lines().nth(line - 1).unwrap();
            if whole.trim_start().starts_with("//") || whole.contains("tracing::") {
                continue;
            }
            let quoted = whole.split('"').skip(1).step_by(2);
            let place = format!("{}:{line}: ", source.path.display());
            texts.extend(quoted.map(|it| place.clone() + it));
        }
    }
    texts
}

fn is_wrong_error(text: &str) -> bool {
    let text = text.to_lowercase();
    let begins = [": there is ", ": there are no ", ": what ", ": who "];
    let holds = [
        "there is nothing",
        "there is no ",
        " is false",
        "says nothing of",
    ];
    begins.iter().any(|it| text.contains(it)) || holds.iter().any(|it| text.contains(it))
}

#[test]
fn an_error_is_a_noun_and_a_standard_adjective() {
    let texts = error_texts();
    assert!(texts.len() > 1_000, "{} texts", texts.len());
    let wrong = texts.into_iter().filter(|it| is_wrong_error(it));
    let wrong = wrong.filter(|it| !EXEMPT.iter().any(|exempt| it.starts_with(exempt)));
    assert_none(&wrong.collect::<Vec<_>>());
}

/// The rules themselves can fail.
#[test]
fn each_kind_of_wrong_wording_is_found() {
    for wrong in [
        "What a search finds is not believed by itself.",
        "**What is started is held.**",
        "Who has read it is told.",
        "Whoever asked may be gone; the record stands.",
        "What others recorded is in no stream.",
    ] {
        assert!(is_free_relative(wrong), "{wrong}");
    }
    for fine in [
        "What a ledger holds, counted.",
        "What is not there?",
        "What records must have in common.",
        "Who may do what.",
        "What is done when a commit hangs.",
    ] {
        assert!(!is_free_relative(fine), "{fine}");
    }
    let code = "/// One two. What is\n/// a is b.\nfn f() {} // x\n//! # Errors\n//! Three.\n";
    let found: Vec<_> = of_comments(code).into_iter().map(|it| it.1).collect();
    assert_eq!(found, ["One two. What is a is b.", "Errors", "Three."]);
    assert_eq!(sentences(&found[0]), ["One two.", "What is a is b."]);
    let table =
        "| say | for | not |\n|---|---|---|\n| damage | bytes | *rot*, *bit rot* (not here) |\n";
    let private = private_words(table);
    assert_eq!(private.into_iter().collect::<Vec<_>>(), ["bit rot", "rot"]);
    assert!(holds("the Rot of it", "rot") && !holds("protocol", "rot"));
    assert!(is_wrong_error("src/a.rs:1: there is no view"));
    assert!(!is_wrong_error("src/a.rs:1: no such view"));
}
