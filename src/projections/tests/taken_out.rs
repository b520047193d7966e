// SPDX-License-Identifier: Apache-2.0
//! A segment and a manifest that somebody wrote as well as the software does.

use super::*;
use crate::projections::segments::{
    Layer, Op, Run, Segment, SegmentCache, SegmentWriter, merge_into,
};

/// Takes `key` out of the first segment that the manifest in this directory of a view names, and states the digest that
/// the file has then: both are as if the software had written them.
pub(crate) fn take_out(view: &Path, key: &[u8]) {
    let path = view.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut digest = [0; 32];
    let stated = manifest["segments"][0]["digest"].as_str().unwrap();
    base16ct::lower::decode(stated, &mut digest).unwrap();
    let file = paths(view, ".segment").remove(0);
    let cache = SegmentCache::new(1 << 20, 10);
    let segment = Arc::new(Segment::open(&file, &digest, &cache).unwrap());
    assert!(segment.get(key).unwrap().is_some());
    let forged = file.with_extension("forged");
    let mut writer = SegmentWriter::create(&forged, segment.head().clone()).unwrap();
    let gone = Run::build([(key, Op::Delete.as_ref())]);
    let layers = [Layer::Memory(Arc::new(gone)), Layer::File(segment)];
    merge_into(&layers, &mut writer, true).unwrap();
    let digest = writer.finish().unwrap().digest;
    fs::rename(&forged, &file).unwrap();
    manifest["segments"][0]["digest"] = base16ct::lower::encode_string(&digest).into();
    fs::write(path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}
