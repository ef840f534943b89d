//! An emulated kubelet.
