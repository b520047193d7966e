// SPDX-License-Identifier: Apache-2.0
//! Bytes that others wrote, as text that is safe in a page: nothing in them is markup, nothing moves
//! the reader's eye elsewhere, nothing is invisible.

use std::fmt::Write;

use crate::integrity::text::is_deceptive;

/// Of what others said of the execution, and of components, so many are shown.
pub(super) const MENTIONS_SHOWN: usize = 100;
/// Of a payload's field so many bytes are shown (16 KiB); the bundle has all of them.
pub(super) const SHOWN_BYTES: usize = 16 << 10;
/// Of all payloads together so many bytes are shown (1 MiB).
const PAGE_BYTES: usize = 1 << 20;

/// Appends `bytes`, escaped; bytes that are no UTF-8 and characters that cannot be seen are shown by their number.
pub(super) fn escape_bytes(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        escape(chunk.valid(), out);
        for byte in chunk.invalid() {
            mark(format_args!("{byte:02X}"), out);
        }
    }
}

/// Appends `text`, escaped.
pub(super) fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(char),
            char if is_hidden(char) => mark(format_args!("U+{:04X}", u32::from(char)), out),
            char => out.push(char),
        }
    }
}

/// A mark that no text can imitate: it has an element of its own.
fn mark(what: std::fmt::Arguments<'_>, out: &mut String) {
    // Writing to a string does not fail.
    let _ = write!(out, "<b class=\"hidden\">{what}</b>");
}

/// What deceives in a line, and in a page also what fonts draw as anything: fillers, variants, private and unassigned
/// ranges.
fn is_hidden(char: char) -> bool {
    is_deceptive(char)
        || matches!(char,
            '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
            | '\u{fffe}' | '\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{e1000}'..='\u{10ffff}')
}

/// A page under way. What others wrote is charged to it, so that no payload makes it large.
pub(super) struct Sheet {
    pub(super) html: String,
    left: usize,
}

impl Sheet {
    pub(super) fn new() -> Self {
        Self {
            html: String::new(),
            left: PAGE_BYTES,
        }
    }

    /// Appends a text that others wrote, in a line.
    pub(super) fn text(&mut self, text: &str) {
        self.shown(text.as_bytes());
    }

    /// Appends bytes that others wrote, as a block.
    pub(super) fn block(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.html.push_str("<i>nothing</i>");
        }
        // The first line feed behind the tag would not be shown.
        self.html.push_str("<pre dir=\"ltr\">\n");
        let left = self.shown(bytes);
        self.html.push_str("</pre>");
        if left > 0 {
            let note = format!("<p class=\"note\">{left} more bytes are in the bundle.</p>");
            self.html.push_str(&note);
        }
    }

    /// How many bytes were left out.
    fn shown(&mut self, bytes: &[u8]) -> usize {
        let most = SHOWN_BYTES.min(self.left);
        let shown = bytes.get(..most).unwrap_or(bytes);
        self.left -= shown.len();
        escape_bytes(shown, &mut self.html);
        if shown.len() < bytes.len() {
            self.html.push_str("<b class=\"hidden\">cut</b>");
        }
        bytes.len() - shown.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup_and_nothing_is_hidden() {
        let mut out = String::new();
        escape_bytes(b"<a href='x'>\"&\0\x1b[2J\xff\xc3(\n", &mut out);
        assert_eq!(
            out,
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;<b class=\"hidden\">U+0000</b>\
             <b class=\"hidden\">U+001B</b>[2J<b class=\"hidden\">FF</b><b class=\"hidden\">C3</b>(\n"
        );
        for char in [
            '\u{202e}', '\u{200b}', '\u{feff}', '\u{9b}', '\u{7f}', '\r', '\u{2028}',
        ] {
            let mut out = String::new();
            escape(&char.to_string(), &mut out);
            assert!(!out.contains(char), "{:x}", u32::from(char));
        }
    }

    #[test]
    fn a_long_payload_is_cut_within_a_character() {
        let mut sheet = Sheet::new();
        let long = "ä".repeat(1 << 19);
        sheet.block(&[b"x", long.as_bytes()].concat());
        let len = sheet.html.len();
        assert!(len < SHOWN_BYTES + 200, "{len}");
        assert!(sheet.html.contains("more bytes are in the bundle"));
        for _ in 0..1_000 {
            sheet.block(&[0; SHOWN_BYTES]);
        }
        // 28 bytes for a control character, at most.
        assert!(sheet.html.len() < 30 * PAGE_BYTES, "{}", sheet.html.len());
    }
}
