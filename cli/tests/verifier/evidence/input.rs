// SPDX-License-Identifier: Apache-2.0
//! Any bytes: a typed error, no panic, no more memory than the bytes call for; what is read is written again as it was.

use proptest::prelude::*;

use super::scene::{Scene, policy};
use femtoclaw_ledger::integrity::evidence::{
    BUNDLE_BYTES_MAX, Bundle, BundleParseError, BundlePart, KEYS_MAX, RECORDS_MAX,
};

fn holds(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::parse(bytes) {
        assert_eq!(bundle.to_string().as_bytes(), bytes);
        let _ = bundle.verify(&policy(), None);
        let _ = (bundle.page(), bundle.names(), bundle.unnamed());
    }
}

/// Pieces of which bundles are made, and what does not belong there.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("femtoclaw-ledger evidence 4\n".to_owned()),
        Just("ledger 1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d\n".to_owned()),
        Just("execution e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2\n".to_owned()),
        Just("stream open 2\n".to_owned()),
        Just("stream complete 18446744073709551615 denied\n".to_owned()),
        Just("withheld\n".to_owned()),
        "(record|opened|named) [0-9]{1,22}\n",
        "hash [A-Za-z0-9+/]{43}=\n",
        "(header|salt|payload|key|checksum) [A-Za-z0-9+/=]{0,300}\n",
        ".{0,20}\n",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_no_bundle(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        holds(&bytes);
    }

    #[test]
    fn pieces_in_any_order_are_refused_or_written_again(pieces in proptest::collection::vec(piece(), 0..40)) {
        let text = format!("femtoclaw-ledger evidence 4\n{}", pieces.concat());
        holds(text.as_bytes());
    }
}

#[tokio::test]
async fn a_genuine_bundle_with_lines_moved_doubled_or_lost_is_refused() {
    let scene = Scene::new().await;
    let file = scene.file("rejected").await;
    let lines: Vec<_> = file.split_inclusive('\n').collect();
    let refused = |lines: &[&str], what: &str| {
        let bytes = lines.concat();
        let bundle = Bundle::parse(bytes.as_bytes());
        let accepted = bundle.is_ok_and(|bundle| bundle.verify(&policy(), None).is_ok());
        assert!(!accepted, "{what}");
    };
    for at in 0..lines.len() {
        let mut other = lines.clone();
        other.remove(at);
        refused(&other, &format!("without line {}", at + 1));
        let mut other = lines.clone();
        other.insert(at, lines[at]);
        refused(&other, &format!("line {} twice", at + 1));
        if at > 0 && lines[at] != lines[at - 1] {
            let mut other = lines.clone();
            other.swap(at, at - 1);
            refused(&other, &format!("line {} moved", at + 1));
        }
    }
}

#[tokio::test]
async fn nothing_is_read_beyond_its_bounds() {
    let large = vec![b'x'; BUNDLE_BYTES_MAX + 1];
    assert_eq!(Bundle::parse(&large), Err(BundleParseError::TooLarge));
    let scene = Scene::new().await;
    let file = scene.file("rejected").await;
    let many = |line: &str, count: usize| {
        let found = file
            .split_inclusive('\n')
            .find(|it| it.starts_with(line))
            .unwrap();
        file.replacen(found, &found.repeat(count), 1)
    };
    let part = |file: String| Bundle::parse(file.as_bytes()).unwrap_err().part().unwrap();
    assert_eq!(
        part(many("key ", KEYS_MAX + 1)),
        BundlePart::Key(KEYS_MAX + 1)
    );
    assert!(matches!(part(many("hash ", 64)), BundlePart::Proof(_)));
    let start = file.find("record ").unwrap();
    let end = start + file[start + 1..].find("record ").unwrap() + 1;
    let records = file[start..end].repeat(RECORDS_MAX + 1);
    let many = [&file[..start], &records, &file[end..]].concat();
    assert_eq!(part(many), BundlePart::Record(RECORDS_MAX + 1));
}
