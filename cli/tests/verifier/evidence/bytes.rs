// SPDX-License-Identifier: Apache-2.0
//! One changed byte, anywhere: refused, and the part is named.

use super::scene::{Scene, policy};
use femtoclaw_ledger::events::Seq;
use femtoclaw_ledger::integrity::evidence::{Bundle, BundlePart};

/// What is said of these bytes: the part that is refused.
fn refusal(bytes: &[u8]) -> Option<BundlePart> {
    match Bundle::parse(bytes) {
        Err(error) => error.part(),
        Ok(bundle) => bundle.verify(&policy(), None).err().map(|error| error.part),
    }
}

/// Parts that may be named where the byte at `at` was changed: that of its line, and where the change
/// makes another line of it, the neighbours.
fn is_named(file: &str, at: usize, named: BundlePart) -> bool {
    let before = &file.as_bytes()[..at];
    let line = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |start| start + 1);
    let end = line + file[line..].find('\n').unwrap();
    let records = file[..end].matches("\nrecord ").count();
    let words = ["\nrecord ", "\nopened ", "\nnamed "];
    let numbered = words.map(|word| Some((file[..end].rfind(word)?, word.len())));
    let seq = numbered.into_iter().flatten().max().map(|(start, len)| {
        let rest = &file[start + len..];
        let end = rest.find('\n').unwrap();
        Seq::new(rest[..end].parse().unwrap()).unwrap()
    });
    let of_record = named.record().is_some() && named.record() == seq;
    match file[line..].split([' ', '\n']).next().unwrap() {
        "femtoclaw-ledger" => named == BundlePart::Version,
        "ledger" => named == BundlePart::Ledger,
        "opened" => named == BundlePart::Opened || of_record,
        // Another word is what no proof has behind it.
        "execution" => named == BundlePart::Execution || of_record,
        "stream" => named == BundlePart::Stream,
        "key" => matches!(named, BundlePart::Key(_)),
        // Where no line of that word stands behind the keys, a record must.
        "named" => {
            matches!(named, BundlePart::Named(_) | BundlePart::Record(1))
                || of_record
                || named.record().is_some()
        }
        "record" => named == BundlePart::Record(records) || of_record || named.record().is_some(),
        "header" | "salt" | "payload" | "hash" => of_record,
        "checksum" => named == BundlePart::Checksum || of_record,
        // The note, and the empty line in front of it.
        _ => matches!(
            named,
            BundlePart::Checkpoint
                | BundlePart::Key(_)
                | BundlePart::Proof(_)
                | BundlePart::Checksum
        ),
    }
}

#[tokio::test]
async fn every_changed_byte_is_refused_and_the_part_is_named() {
    let scene = Scene::new().await;
    let file = scene.file("denied").await;
    assert!(refusal(file.as_bytes()).is_none());
    // Bit 0 makes another letter or digit, bit 7 no text, the line feed a line; the rest is chance.
    let others: [fn(u8) -> u8; 5] = [|b| b ^ 1, |b| b ^ 0x80, |_| b'\n', |_| b'=', |b| b ^ 0x20];
    let mut bytes = file.clone().into_bytes();
    for at in 0..bytes.len() {
        let genuine = bytes[at];
        for other in others.map(|other| other(genuine)) {
            if other == genuine {
                continue;
            }
            bytes[at] = other;
            let named = refusal(&bytes);
            let named = named.unwrap_or_else(|| panic!("byte {at} as {other:#x} is accepted"));
            assert!(
                is_named(&file, at, named),
                "byte {at} as {other:#x}: {named}"
            );
        }
        bytes[at] = genuine;
    }
}

#[tokio::test]
async fn every_missing_and_every_added_byte_is_refused() {
    let scene = Scene::new().await;
    let file = scene.file("rejected").await.into_bytes();
    for at in 0..file.len() {
        let cut = refusal(&file[..at]);
        assert!(cut.is_some(), "cut at {at}");
        let without = [&file[..at], &file[at + 1..]].concat();
        // One of two equal bytes side by side is the same file without either.
        assert!(refusal(&without).is_some(), "without byte {at}");
        // No text, alone or as a line of its own, too: what is not read must not be passed over.
        for added in [
            b"A".as_slice(),
            b"\n",
            b"\xff",
            b"\xff\n",
            b"\xffA\n",
            b"A\n",
        ] {
            let with = [&file[..at], added, &file[at..]].concat();
            assert!(refusal(&with).is_some(), "with {added:?} at {at}");
        }
    }
    assert!(refusal(&[&file[..], b"\n"].concat()).is_some());
}

#[tokio::test]
async fn every_changed_byte_of_the_page_is_refused_at_its_place() {
    let scene = Scene::new().await;
    let bundle = Bundle::parse(scene.file("denied").await.as_bytes()).unwrap();
    let mut page = bundle.page().into_bytes();
    bundle.verify_page(&page).unwrap();
    for at in 0..page.len() {
        page[at] ^= 1;
        let refused = bundle.verify_page(&page).unwrap_err();
        assert_eq!(refused.part, BundlePart::Page);
        let text = refused.problem.to_string();
        let named = text.contains(&format!("byte {at} ")) || text.contains("(page 4)");
        assert!(named, "byte {at}: {text}");
        page[at] ^= 1;
    }
    for other in [&page[..page.len() - 1], b"", &[&page[..], b" "].concat()] {
        assert!(bundle.verify_page(other).is_err());
    }
}
