//! Code generated from `podresources_v1.proto`.
#![allow(
    missing_docs,
    missing_debug_implementations,
    unused_qualifications,
    rustdoc::invalid_html_tags,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated"
)]

tonic::include_proto!("v1");
