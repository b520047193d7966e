// SPDX-License-Identifier: Apache-2.0
//! One source file with all its mutants in it, each behind a switch.

use std::collections::HashMap;

use proc_macro2::{LineColumn, Span};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::list::Mutant;

/// The function of the library's copy that asks for a switch.
const ON: &str = "crate::mutant_switch::on";

/// Code in the place of some of the source.
enum Edit {
    /// Put in at a place: before a function's first statement, or as a guard.
    Insert { at: usize, id: usize, text: String },
    /// An expression, and what each mutant makes of it.
    Wrap {
        from: usize,
        to: usize,
        choices: Vec<(usize, String)>,
    },
}

impl Edit {
    fn range(&self) -> (usize, usize) {
        match self {
            Self::Insert { at, .. } => (*at, *at),
            Self::Wrap { from, to, .. } => (*from, *to),
        }
    }
}

/// A part of what was generated that is there for these mutants alone.
pub struct Region {
    pub from: usize,
    pub to: usize,
    pub ids: Vec<usize>,
}

pub struct Switched {
    pub text: String,
    pub regions: Vec<Region>,
    /// Those with a switch.
    pub taken: Vec<usize>,
}

/// `source` with a switch for each of these mutants that can have one.
pub fn switched(source: &str, mutants: &[(usize, &Mutant)]) -> Switched {
    let file = syn::parse_file(source).expect("cargo-mutants has read it too");
    let lines = Lines::of(source);
    let mut places: HashMap<(&str, usize), Vec<(usize, &Mutant)>> = HashMap::new();
    for (id, mutant) in mutants {
        let at = lines.offset(mutant.from.0, mutant.from.1 - 1);
        places
            .entry((mutant.genre.as_str(), at))
            .or_default()
            .push((*id, mutant));
    }
    let mut finder = Finder {
        source,
        lines,
        places,
        edits: Vec::new(),
    };
    finder.visit_file(&file);
    let mut edits = finder.edits;
    // Outer ones first.
    edits.sort_by_key(|edit| (edit.range().0, usize::MAX - edit.range().1));
    let mut out = Writer {
        source,
        edits: &edits,
        next: 0,
        text: String::new(),
        regions: Vec::new(),
        taken: Vec::new(),
    };
    out.write(0, source.len());
    Switched {
        text: out.text,
        regions: out.regions,
        taken: out.taken,
    }
}

struct Lines {
    /// Of each line: its offset, and the line.
    lines: Vec<(usize, String)>,
}

impl Lines {
    fn of(source: &str) -> Self {
        let mut at = 0;
        let lines = source
            .split_inclusive('\n')
            .map(|line| {
                let from = at;
                at += line.len();
                (from, line.to_owned())
            })
            .collect();
        Self { lines }
    }

    /// Of a line from 1 and a column, in characters, from 0.
    fn offset(&self, line: usize, column: usize) -> usize {
        let (from, text) = &self.lines[line - 1];
        from + text.chars().take(column).map(char::len_utf8).sum::<usize>()
    }
}

struct Finder<'a> {
    source: &'a str,
    lines: Lines,
    places: HashMap<(&'a str, usize), Vec<(usize, &'a Mutant)>>,
    edits: Vec<Edit>,
}

impl<'a> Finder<'a> {
    fn at(&self, place: LineColumn) -> usize {
        self.lines.offset(place.line, place.column)
    }

    fn range(&self, span: Span) -> (usize, usize) {
        (self.at(span.start()), self.at(span.end()))
    }

    fn take(&mut self, genre: &'static str, at: usize) -> Vec<(usize, &'a Mutant)> {
        self.places.remove(&(genre, at)).unwrap_or_default()
    }

    fn wrap(&mut self, (from, to): (usize, usize), choices: Vec<(usize, String)>) {
        if !choices.is_empty() {
            self.edits.push(Edit::Wrap { from, to, choices });
        }
    }

    /// Of a function: what it returns at once.
    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let Some(first) = block.stmts.first() else {
            return;
        };
        let at = self.at(first.span().start());
        let found = self.take("FnValue", at);
        // No switch is asked in a constant function, and an `impl Trait` has one type.
        if signature.constness.is_some() || has_impl(&signature.output) {
            return;
        }
        for (id, mutant) in found {
            let text = format!("if {ON}({id}) {{ return {}; }} ", mutant.replacement);
            self.edits.push(Edit::Insert { at, id, text });
        }
    }
}

fn has_impl(output: &syn::ReturnType) -> bool {
    struct Found(bool);
    impl<'ast> Visit<'ast> for Found {
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut found = Found(false);
    found.visit_return_type(output);
    found.0
}

fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(it) => has_let(&it.left) || has_let(&it.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, it: &'ast syn::ItemFn) {
        self.body(&it.sig, &it.block);
        if it.sig.constness.is_none() {
            visit::visit_item_fn(self, it);
        }
    }

    fn visit_impl_item_fn(&mut self, it: &'ast syn::ImplItemFn) {
        self.body(&it.sig, &it.block);
        if it.sig.constness.is_none() {
            visit::visit_impl_item_fn(self, it);
        }
    }

    fn visit_trait_item_fn(&mut self, it: &'ast syn::TraitItemFn) {
        if let Some(block) = &it.default {
            self.body(&it.sig, block);
        }
        visit::visit_trait_item_fn(self, it);
    }

    fn visit_expr_binary(&mut self, it: &'ast syn::ExprBinary) {
        let whole = self.range(it.span());
        let op = self.range(it.op.span());
        let found = self.take("BinaryOperator", op.0);
        // A chain of `let` is no expression.
        if !has_let(&it.left) && !has_let(&it.right) {
            let (before, after) = (&self.source[whole.0..op.0], &self.source[op.1..whole.1]);
            let choices = found
                .into_iter()
                .map(|(id, mutant)| (id, format!("{before} {} {after}", mutant.replacement)))
                .collect();
            self.wrap(whole, choices);
        }
        visit::visit_expr_binary(self, it);
    }

    fn visit_expr_unary(&mut self, it: &'ast syn::ExprUnary) {
        let whole = self.range(it.span());
        let operand = self.range(it.expr.span());
        let found = self.take("UnaryOperator", whole.0);
        let choices = found
            .into_iter()
            .map(|(id, mutant)| {
                (
                    id,
                    format!(
                        "{} {}",
                        mutant.replacement,
                        &self.source[operand.0..operand.1]
                    ),
                )
            })
            .collect();
        self.wrap(whole, choices);
        visit::visit_expr_unary(self, it);
    }

    fn visit_arm(&mut self, it: &'ast syn::Arm) {
        let deleted = {
            let at = self.at(it.span().start());
            self.take("MatchArm", at)
        };
        match &it.guard {
            Some((_, guard)) => {
                let whole = self.range(guard.span());
                let mut choices: Vec<_> = deleted
                    .into_iter()
                    .map(|(id, _)| (id, "false".to_owned()))
                    .collect();
                let found = self.take("MatchArmGuard", whole.0);
                choices.extend(
                    found
                        .into_iter()
                        .map(|(id, mutant)| (id, mutant.replacement.clone())),
                );
                if !has_let(guard) {
                    self.wrap(whole, choices);
                }
            }
            None => {
                let at = self.range(it.pat.span()).1;
                for (id, _) in deleted {
                    let text = format!(" if !{ON}({id}) ");
                    self.edits.push(Edit::Insert { at, id, text });
                }
            }
        }
        visit::visit_arm(self, it);
    }
}

struct Writer<'a> {
    source: &'a str,
    edits: &'a [Edit],
    next: usize,
    text: String,
    regions: Vec<Region>,
    taken: Vec<usize>,
}

impl Writer<'_> {
    /// Writes this part of the source with all edits that lie in it.
    fn write(&mut self, from: usize, to: usize) {
        let mut at = from;
        while let Some(edit) = self.edits.get(self.next) {
            let (begin, end) = edit.range();
            if begin >= to || end > to {
                break;
            }
            self.text.push_str(&self.source[at..begin]);
            self.next += 1;
            match edit {
                Edit::Insert { id, text, .. } => {
                    self.region(vec![*id], |it| it.text.push_str(text));
                    self.taken.push(*id);
                }
                Edit::Wrap { choices, .. } => {
                    let ids = choices.iter().map(|(id, _)| *id).collect();
                    self.region(ids, |it| {
                        it.text.push('(');
                        for (id, text) in choices {
                            it.region(vec![*id], |it| {
                                it.text.push_str(&format!("if {ON}({id}) {{ {text} }} "))
                            });
                            it.text.push_str("else ");
                            it.taken.push(*id);
                        }
                        it.text.push_str("{ ");
                        it.write(begin, end);
                        it.text.push_str(" })");
                    });
                }
            }
            at = end;
        }
        self.text.push_str(&self.source[at..to]);
    }

    fn region(&mut self, ids: Vec<usize>, inside: impl FnOnce(&mut Self)) {
        let from = self.text.len();
        inside(self);
        self.regions.push(Region {
            from,
            to: self.text.len(),
            ids,
        });
    }
}
