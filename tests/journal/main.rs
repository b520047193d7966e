//! The journal, its frames, its writer, and the directory it lies in.

mod conformance;
mod directory;
mod fixtures;
mod frames;
mod on_disk;
mod reader;
mod writer;
