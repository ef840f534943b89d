//! Code generated from `nri_v1alpha1.proto` and `ttrpc.proto`.
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

/// Calls.
pub mod ttrpc {
    tonic::include_proto!("ttrpc");
}

tonic::include_proto!("nri.pkg.api.v1alpha1");
