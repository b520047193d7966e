//! stub
mod acks;
mod args;
mod capabilities;
mod effects;
mod input;
mod policy;
mod protocol;
mod report;
mod serve;
fn main() {}
